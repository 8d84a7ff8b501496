//! A module alone, without a gateway: whoever holds it plays one, and tells it what to do.
//!
//! The instance lives on the worker threads and within its limits, as with a gateway. Its end is told with a verdict,
//! and it is not created anew.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sandgate_attach::Port;
use sandgate_wire::channel::Channel;
use sandgate_wire::{MemoryChannel, Message};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::call::Call;
use crate::fault::Fault;
use crate::hand_clock::HandClock;
use crate::limits::Limits;
use crate::module::Module;
use crate::outlet::Outlet;
use crate::sandbox::Sandbox;
use crate::timers::Timers;
use crate::verdict::{MessageRecord, Verdict, VerdictContext};

/// Messages that are published and wait to be taken; then publishing waits.
const PUBLISHED: usize = 16;
/// Deeds that wait, and answers.
const DEEDS: usize = 16;

/// What a module is to do. `create` comes first, by itself.
#[derive(Clone, Debug)]
pub enum Deed {
    /// `start`.
    Start,
    /// `receive`, with what the channel would have told.
    Receive {
        /// The message.
        message: Message,
        /// The module that published it.
        source: Option<String>,
        /// 1 for the first delivery.
        attempt: u32,
    },
    /// So much time passes by a clock that is turned by hand; by a real one it passes by itself.
    Pass(Duration),
    /// `destroy`; nothing comes after it.
    Destroy,
}

/// What the module's time is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Time {
    /// That of the runtime.
    Real,
    /// What [`Deed::Pass`] says.
    ByHand,
}

/// What is to be told of a module.
#[derive(Debug)]
pub enum News {
    /// It has published this.
    Published(Message),
    /// A call is over, or all those of a time that has passed.
    Done(Done),
}

/// How a call went.
#[derive(Debug)]
pub struct Done {
    /// The call.
    pub call: Call,
    /// What came of it.
    pub answer: Answer,
}

/// What came of a call.
#[derive(Debug)]
pub enum Answer {
    /// It went well.
    Well,
    /// The module has answered with an error, in these words.
    Error(String),
    /// The instance has ended.
    Failed(Box<Verdict>),
}

/// A module alone. Dropping it ends the instance after the call that is going on.
pub struct Alone {
    deeds: mpsc::Sender<Deed>,
    done: mpsc::Receiver<Done>,
    published: MemoryChannel,
    /// Done, and told once everything is told that was published before.
    untold: Option<Done>,
}

impl Alone {
    /// Makes an instance with these arguments, JSON text; the news of `create` says how that went.
    ///
    /// `limits` must be those that the module was loaded with. By [`Time::Real`] timers are called by the runtime's clock.
    #[must_use]
    pub fn create(
        module: &Module,
        name: &str,
        arguments: &str,
        limits: Limits,
        time: Time,
        runtime: Handle,
    ) -> Self {
        let timers = match time {
            Time::Real => Timers::new(runtime, limits.max_timers),
            Time::ByHand => Timers::by_hand(HandClock::new(), limits.max_timers),
        };
        let (deeds, inbox) = mpsc::channel(DEEDS);
        let (tell, done) = mpsc::channel(DEEDS);
        let (near, published) = MemoryChannel::pair(PUBLISHED);
        let workers = module.engine.workers().clone();
        let life = Life {
            module: module.clone(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            limits,
            timers,
            inbox,
            tell,
            port: Port::pair(Arc::new(near)),
            timers_run: false,
            timer_first: true,
        };
        workers.spawn(life.live());
        Self { deeds, done, published, untold: None }
    }

    /// Where it is told what to do. A deed that comes after the end is lost.
    #[must_use]
    pub fn deeds(&self) -> mpsc::Sender<Deed> {
        self.deeds.clone()
    }

    /// What is new: of a call everything that it has published first, then that it is done. None: the instance has
    /// ended. Dropping the future loses nothing.
    pub async fn news(&mut self) -> Option<News> {
        poll_fn(|context| {
            loop {
                if let Poll::Ready(Ok(frame)) = self.published.poll_recv(context) {
                    // The outlet has encoded it.
                    if let Ok(message) = Message::decode(frame) {
                        return Poll::Ready(Some(News::Published(message)));
                    }
                } else if let Some(done) = self.untold.take() {
                    return Poll::Ready(Some(News::Done(done)));
                } else {
                    match self.done.poll_recv(context) {
                        // What it had published may have come meanwhile.
                        Poll::Ready(Some(done)) => self.untold = Some(done),
                        Poll::Ready(None) => return Poll::Ready(None),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            }
        })
        .await
    }
}

/// What an instance needs for its life.
struct Life {
    module: Module,
    name: String,
    arguments: String,
    limits: Limits,
    timers: Timers,
    inbox: mpsc::Receiver<Deed>,
    tell: mpsc::Sender<Done>,
    port: Port,
    /// The module has been started.
    timers_run: bool,
    timer_first: bool,
}

/// What comes next.
enum Next {
    Deed(Deed),
    Timer(u64),
}

impl Life {
    async fn live(mut self) {
        let made = Sandbox::new(
            &self.module,
            self.name.as_str().into(),
            self.limits,
            Outlet::new(Arc::default()),
            self.timers.clone(),
        );
        let created = made.and_then(|mut sandbox| {
            let answer = sandbox.create(&self.arguments)?;
            Ok((sandbox, answer))
        });
        let mut sandbox = match created {
            Ok((sandbox, Ok(()))) => sandbox,
            Ok((_, Err(reason))) => return self.tell(Call::Create, Answer::Error(reason)).await,
            Err(fault) => return self.tell_fault(fault, VerdictContext::default()).await,
        };
        self.tell(Call::Create, Answer::Well).await;
        while let Some(next) = self.next().await {
            let mut context = VerdictContext::default();
            let (call, answer) = match next {
                Next::Deed(Deed::Start) => {
                    self.timers_run = true;
                    (Call::Start, sandbox.start(self.port.clone()).map(Ok))
                }
                Next::Deed(Deed::Receive { message, source, attempt }) => {
                    let answer = sandbox.receive(&message, source.as_deref(), attempt);
                    let frame = message.frame().clone();
                    context.message = Some(MessageRecord { frame, sequence: None, source, attempt });
                    (Call::Receive, answer)
                }
                Next::Deed(Deed::Pass(time)) => {
                    let passed = self.pass(&mut sandbox, time, &mut context);
                    (Call::OnTimer, passed.map(Ok))
                }
                Next::Timer(timer) => {
                    context.timer = Some(timer);
                    (Call::OnTimer, sandbox.on_timer(timer).map(Ok))
                }
                Next::Deed(Deed::Destroy) => {
                    return match sandbox.destroy() {
                        Ok(()) => self.tell(Call::Destroy, Answer::Well).await,
                        Err(fault) => self.tell_fault(fault, context).await,
                    };
                }
            };
            match answer {
                Ok(Ok(())) => self.tell(call, Answer::Well).await,
                Ok(Err(reason)) => self.tell(call, Answer::Error(reason)).await,
                Err(fault) => return self.tell_fault(fault, context).await,
            }
        }
    }

    /// Timers and deeds take turns where both wait. By a clock that is turned by hand no timer comes due here.
    async fn next(&mut self) -> Option<Next> {
        poll_fn(|context| {
            for timers in [self.timer_first, !self.timer_first] {
                if !timers {
                    if let Poll::Ready(deed) = self.inbox.poll_recv(context) {
                        self.timer_first = true;
                        return Poll::Ready(deed.map(Next::Deed));
                    }
                } else if self.timers_run
                    && let Poll::Ready(timer) = self.timers.poll_due(context)
                {
                    self.timer_first = false;
                    return Poll::Ready(Some(Next::Timer(timer)));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Turns the clock from one timer's time to the next.
    fn pass(&self, sandbox: &mut Sandbox, time: Duration, context: &mut VerdictContext) -> Result<(), Fault> {
        let Some(clock) = self.timers.hand_clock() else { return Ok(()) };
        let end = clock.now() + time;
        let next = || self.timers.next_deadline().filter(|deadline| *deadline <= end);
        // Unless nobody listens any more.
        while let Some(deadline) = next().filter(|_| !self.tell.is_closed()) {
            clock.turn_to(deadline);
            while let Poll::Ready(timer) = self.timers.poll_due(&mut Context::from_waker(Waker::noop())) {
                context.timer = Some(timer);
                sandbox.on_timer(timer)?;
            }
        }
        context.timer = None;
        clock.turn_to(end);
        Ok(())
    }

    async fn tell(&self, call: Call, answer: Answer) {
        // Nobody listens any more: then no deed comes either.
        let _ = self.tell.send(Done { call, answer }).await;
    }

    async fn tell_fault(&self, fault: Fault, context: VerdictContext) {
        let context = VerdictContext {
            module: self.name.clone(),
            arguments: self.arguments.clone(),
            kills: 1,
            ..context
        };
        let call = fault.post_mortem.call;
        let verdict = fault.post_mortem.verdict(&self.module, context);
        self.tell(call, Answer::Failed(Box::new(verdict))).await;
    }
}
