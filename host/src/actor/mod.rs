//! The module actor: it alone owns the module's instance, and calls it for one thing at a time.
//!
//! On a lane of the host link it also replaces an instance that has failed, or that has had its time, and
//! gives the new one the message which the old one did not finish. On V1's channel a failure ends the
//! actor, and the gateway decides.

mod batch;
mod handle;
mod instance;
mod recovery;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use sandgate_attach::{Burst, Incoming, Port};
use sandgate_wire::Message;
use sandgate_wire::channel::Closed;
use tokio::sync::{mpsc, watch};

pub(crate) use handle::{ActorHandle, Ending, Health, Order, Phase, Refusal};
use instance::{Failure, Instance};
use recovery::Recovery;

use crate::blueprint::Blueprint;

/// Events, and messages of a batch, that are handled before other modules get a turn.
const TURN: usize = 64;
/// How long messages that have arrived already are still handled once the module is to be destroyed.
const DRAIN: Duration = Duration::from_secs(1);

/// What the session tells.
pub(crate) enum Command {
    /// Messages may flow, through here.
    Start(Port),
    /// Go on after a quarantine.
    Revive,
    /// Live on by another configuration.
    Renew(Box<Blueprint>),
    /// Drain and end.
    Destroy,
}

enum Event {
    Command(Option<Command>),
    Timer(u64),
    Message(Incoming),
    /// The instance has had its time.
    Recycle,
}

/// Why the actor's life is over although nobody asked for it.
#[derive(Debug)]
enum End {
    /// It was asked, or nobody is there to ask any more.
    Asked,
    /// The module has failed, and this host does not try again by itself.
    Failed,
}

struct Actor {
    blueprint: Blueprint,
    arguments: Arc<str>,
    commands: mpsc::Receiver<Command>,
    health: watch::Sender<Health>,
    /// None while a module that has failed waits to be created anew.
    instance: Option<Instance>,
    /// Present from Start on.
    port: Option<Port>,
    /// The timer that is being handled.
    timer: Option<u64>,
    /// The message that is being handled, until it is settled.
    current: Option<Incoming>,
    /// Messages that were taken from the port and are not handed over yet, the oldest first.
    waiting: VecDeque<Incoming>,
    /// What is handed over at once, while it is.
    batch: Vec<(Message, Incoming)>,
    /// Events and messages that were handled in this turn.
    turn: usize,
    recovery: Recovery,
    /// Whose turn it is when a timer and a message wait: neither starves the other.
    timer_first: bool,
    malformed: Burst,
    refused: Burst,
}

impl Actor {
    /// Makes the first instance.
    fn create(
        blueprint: Blueprint,
        arguments: Arc<str>,
        commands: mpsc::Receiver<Command>,
        health: watch::Sender<Health>,
    ) -> Result<Self, Refusal> {
        let instance = match Instance::create(&blueprint, &arguments) {
            Ok(instance) => instance,
            Err(Failure::Refused(reason)) => return Err(Refusal::Module(reason)),
            Err(Failure::Fault(fault)) => {
                recovery::report(&blueprint, &arguments, fault);
                return Err(Refusal::Fault);
            }
        };
        let recovery = Recovery::new(&blueprint);
        Ok(Self {
            blueprint,
            arguments,
            commands,
            health,
            instance: Some(instance),
            port: None,
            timer: None,
            current: None,
            waiting: VecDeque::new(),
            batch: Vec::new(),
            turn: 0,
            recovery,
            timer_first: true,
            malformed: Burst::default(),
            refused: Burst::default(),
        })
    }

    async fn run(&mut self) -> Result<(), End> {
        loop {
            let done = match self.next().await {
                Event::Command(Some(Command::Start(port))) => self.start(port),
                Event::Command(Some(Command::Destroy)) => return self.finish(),
                Event::Command(Some(Command::Revive)) => Ok(()),
                Event::Command(Some(Command::Renew(blueprint))) => self.renew(*blueprint),
                // The session has let go of this instance.
                Event::Command(None) => return Ok(()),
                Event::Timer(timer) => self.on_timer(timer),
                Event::Message(incoming) => self.receive(incoming),
                Event::Recycle => self.recycle(),
            };
            if let Err(failure) = done {
                self.recover(failure).await?;
            }
            self.turn += 1;
            if self.turn >= TURN {
                self.turn = 0;
                yield_turn().await;
            }
        }
    }

    /// Commands come first; then an instance that has had its time is replaced; then timers, of which each
    /// waits at most once, and messages take turns. Before Start messages stay where they are, which is
    /// bounded.
    async fn next(&mut self) -> Event {
        poll_fn(|context| {
            if let Poll::Ready(command) = self.commands.poll_recv(context) {
                return Poll::Ready(Event::Command(command));
            }
            let (Some(port), Some(instance)) = (&self.port, &mut self.instance) else { return Poll::Pending };
            if instance.poll_worn_out(context, &self.blueprint.recycle).is_ready() {
                return Poll::Ready(Event::Recycle);
            }
            for timers in [self.timer_first, !self.timer_first] {
                if timers {
                    if let Poll::Ready(timer) = instance.timers.poll_due(context) {
                        self.timer_first = false;
                        return Poll::Ready(Event::Timer(timer));
                    }
                } else if let Poll::Ready(Ok(incoming)) = poll_message(&mut self.waiting, port, context) {
                    self.timer_first = true;
                    return Poll::Ready(Event::Message(incoming));
                }
                // A closed port has nothing more to say; the session will.
            }
            Poll::Pending
        })
        .await
    }

    fn start(&mut self, port: Port) -> Result<(), Failure> {
        self.port = Some(port.clone());
        self.instance.as_mut().map_or(Ok(()), |instance| instance.start(port))
    }

    fn on_timer(&mut self, timer: u64) -> Result<(), Failure> {
        let Some(instance) = &mut self.instance else { return Ok(()) };
        self.timer = Some(timer);
        instance.on_timer(timer)?;
        self.timer = None;
        Ok(())
    }

    /// Hands over one message. It stays the current one until it is settled, whatever happens meanwhile.
    fn receive(&mut self, incoming: Incoming) -> Result<(), Failure> {
        let message = match Message::decode(incoming.frame.clone()) {
            Ok(message) => message,
            Err(error) => {
                self.blueprint.flow.malformed.add();
                if let Some(count) = self.malformed.note() {
                    let module = &*self.blueprint.label;
                    tracing::warn!(module, count, %error, "dropped malformed messages from the gateway");
                }
                self.settle(&incoming);
                return Ok(());
            }
        };
        if self.gather(&message, &incoming) {
            return self.receive_batch(message, incoming);
        }
        self.blueprint.flow.received.add();
        let incoming = self.current.insert(incoming);
        let Some(instance) = &mut self.instance else { return Ok(()) };
        if let Err(reason) = instance.receive(&message, incoming)? {
            self.note_refusal(&reason);
        }
        self.done_with_current();
        Ok(())
    }

    /// An error says that the message was no use to the module. It is handled all the same.
    fn note_refusal(&mut self, reason: &str) {
        self.blueprint.flow.failed.add();
        if let Some(count) = self.refused.note() {
            // As a field it would be escaped a second time.
            tracing::warn!(
                module = &*self.blueprint.label,
                count,
                "the module failed to handle messages: {reason}"
            );
        }
    }

    fn done_with_current(&mut self) {
        self.recovery.kills = 0;
        if let Some(incoming) = self.current.take() {
            self.settle(&incoming);
        }
    }

    fn settle(&self, incoming: &Incoming) {
        if let Some(port) = &self.port {
            port.settle(incoming);
        }
    }

    /// Handles what has arrived already, for a bounded time, and makes the last call.
    fn finish(&mut self) -> Result<(), End> {
        let end = Instant::now() + DRAIN;
        let mut context = Context::from_waker(Waker::noop());
        let drained = loop {
            let Some(port) = self.port.as_ref().filter(|_| Instant::now() < end) else { break Ok(()) };
            match poll_message(&mut self.waiting, port, &mut context) {
                Poll::Ready(Ok(incoming)) => {
                    if let Err(failure) = self.receive(incoming) {
                        break Err(failure);
                    }
                }
                _ => break Ok(()),
            }
        };
        match drained.and_then(|()| self.instance.as_mut().map_or(Ok(()), Instance::destroy)) {
            Ok(()) => Ok(()),
            Err(failure) => {
                self.tell(failure);
                Err(End::Failed)
            }
        }
    }
}

/// The oldest message that is not handed over.
fn poll_message(
    waiting: &mut VecDeque<Incoming>,
    port: &Port,
    context: &mut Context<'_>,
) -> Poll<Result<Incoming, Closed>> {
    waiting.pop_front().map_or_else(|| port.poll_recv(context), |incoming| Poll::Ready(Ok(incoming)))
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

#[cfg(test)]
mod tests;
