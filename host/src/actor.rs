//! The module actor: it alone owns the module's instance, and calls it for one thing at a time.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandgate_wire::{Channel, Message};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::fault::Fault;
use crate::flow::{Burst, Flow};
use crate::module::Module;
use crate::outlet::Outlet;
use crate::sandbox::{Limits, Sandbox};
use crate::timers::Timers;

/// Events that are handled before other modules get a turn.
const TURN: u32 = 64;
/// How long messages that have arrived already are still handled once the module is to be destroyed.
const DRAIN: Duration = Duration::from_secs(1);
/// Commands that may wait; a session sends two in an instance's life.
const COMMANDS: usize = 4;

/// What the session holds of an actor. Dropping it ends the instance after the call that is going on.
pub(crate) struct ActorHandle {
    commands: mpsc::Sender<Command>,
    created: oneshot::Receiver<Result<(), Refusal>>,
    ended: oneshot::Receiver<Result<(), Fault>>,
}

/// Why a module was not created.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It said so itself.
    Module(String),
    /// It failed.
    Fault(Fault),
    /// The host failed: this is a mistake in it.
    Host,
}

/// How an instance ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// As it was asked to.
    Destroyed,
    /// By itself.
    Fault(Fault),
    /// The host failed: this is a mistake in it.
    Host,
}

enum Command {
    Start,
    Destroy,
}

enum Event {
    Command(Option<Command>),
    Timer(u64),
    Frame(Bytes),
}

/// What every instance of a module shares.
#[derive(Clone)]
pub(crate) struct Blueprint {
    pub(crate) module: Module,
    pub(crate) label: Arc<str>,
    pub(crate) limits: Limits,
    pub(crate) flow: Arc<Flow>,
    /// Where timers tick.
    pub(crate) runtime: Handle,
}

impl Blueprint {
    /// Starts an actor that creates the module and then waits for commands.
    pub(crate) fn create(&self, arguments: String, channel: Arc<dyn Channel>) -> ActorHandle {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (tell_created, created) = oneshot::channel();
        let (tell_ended, ended) = oneshot::channel();
        let blueprint = self.clone();
        let workers = self.module.engine.workers();
        let life = async move {
            // Another Create has taken its place while this one waited for a thread.
            if tell_created.is_closed() {
                return;
            }
            let mut actor = match Actor::create(&blueprint, &arguments, channel, inbox) {
                Ok(actor) => actor,
                Err(refusal) => return drop(tell_created.send(Err(refusal))),
            };
            if tell_created.send(Ok(())).is_ok() {
                let ending = actor.run().await;
                drop(actor);
                // Nobody listens when the handle was dropped.
                let _ = tell_ended.send(ending);
            }
        };
        workers.spawn(life).detach();
        ActorHandle { commands, created, ended }
    }
}

impl ActorHandle {
    /// How the creation went. To be awaited once.
    pub(crate) async fn created(&mut self) -> Result<(), Refusal> {
        (&mut self.created).await.unwrap_or(Err(Refusal::Host))
    }

    /// The end of the instance. To be awaited once.
    pub(crate) async fn ended(&mut self) -> Ending {
        match (&mut self.ended).await {
            Ok(Ok(())) => Ending::Destroyed,
            Ok(Err(fault)) => Ending::Fault(fault),
            Err(_) => Ending::Host,
        }
    }

    pub(crate) fn start(&self) {
        // Full or closed only when the instance is on its way out.
        let _ = self.commands.try_send(Command::Start);
    }

    pub(crate) fn destroy(&self) {
        let _ = self.commands.try_send(Command::Destroy);
    }
}

struct Actor {
    sandbox: Sandbox,
    channel: Arc<dyn Channel>,
    commands: mpsc::Receiver<Command>,
    timers: Timers,
    label: Arc<str>,
    flow: Arc<Flow>,
    malformed: Burst,
    failed: Burst,
    started: bool,
}

impl Actor {
    fn create(
        blueprint: &Blueprint,
        arguments: &str,
        channel: Arc<dyn Channel>,
        commands: mpsc::Receiver<Command>,
    ) -> Result<Self, Refusal> {
        let Blueprint { module, label, limits, flow, runtime } = blueprint;
        let timers = Timers::new(runtime.clone(), limits.timers_max);
        let outlet = Outlet::new(channel.clone(), flow.clone());
        let mut sandbox =
            Sandbox::new(module, label.clone(), *limits, outlet, timers.clone()).map_err(Refusal::Fault)?;
        sandbox.create(arguments).map_err(Refusal::Fault)?.map_err(Refusal::Module)?;
        Ok(Self {
            sandbox,
            channel,
            commands,
            timers,
            label: label.clone(),
            flow: flow.clone(),
            malformed: Burst::default(),
            failed: Burst::default(),
            started: false,
        })
    }

    async fn run(&mut self) -> Result<(), Fault> {
        let mut left = TURN;
        loop {
            match self.next().await {
                Event::Command(Some(Command::Start)) => {
                    self.sandbox.start()?;
                    self.started = true;
                }
                Event::Command(Some(Command::Destroy)) => {
                    self.drain()?;
                    return self.sandbox.destroy();
                }
                // The session has let go of this instance.
                Event::Command(None) => return Ok(()),
                Event::Timer(timer) => self.sandbox.on_timer(timer)?,
                Event::Frame(frame) => self.receive(frame)?,
            }
            left -= 1;
            if left == 0 {
                left = TURN;
                yield_turn().await;
            }
        }
    }

    /// Commands come first, then timers, of which each waits at most once, then messages. Before Start
    /// messages stay in the channel, which is bounded.
    async fn next(&mut self) -> Event {
        poll_fn(|context| {
            if let Poll::Ready(command) = self.commands.poll_recv(context) {
                return Poll::Ready(Event::Command(command));
            }
            if !self.started {
                return Poll::Pending;
            }
            if let Poll::Ready(timer) = self.timers.poll_due(context) {
                return Poll::Ready(Event::Timer(timer));
            }
            match self.channel.poll_recv(context) {
                Poll::Ready(Ok(frame)) => Poll::Ready(Event::Frame(frame)),
                // A closed channel has nothing more to say; the session will.
                Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    fn receive(&mut self, frame: Bytes) -> Result<(), Fault> {
        let module = &*self.label;
        let message = match Message::decode(frame) {
            Ok(message) => message,
            Err(error) => {
                self.flow.malformed.add();
                if let Some(count) = self.malformed.note() {
                    tracing::warn!(module, count, %error, "dropped malformed messages from the gateway");
                }
                return Ok(());
            }
        };
        self.flow.received.add();
        if let Err(reason) = self.sandbox.receive(&message)? {
            self.flow.failed.add();
            if let Some(count) = self.failed.note() {
                tracing::warn!(module, count, reason, "the module failed to handle messages");
            }
        }
        Ok(())
    }

    /// Handles what has arrived already, for a bounded time.
    fn drain(&mut self) -> Result<(), Fault> {
        let end = Instant::now() + DRAIN;
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        while self.started && Instant::now() < end {
            match self.channel.poll_recv(&mut context) {
                Poll::Ready(Ok(frame)) => self.receive(frame)?,
                _ => break,
            }
        }
        Ok(())
    }
}

/// Goes to the back of the queue.
async fn yield_turn() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
