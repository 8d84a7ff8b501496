//! Doing again what ended an instance, without a gateway.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{RecvError, channel};
use std::task::{Context, Poll};

use bytes::Bytes;
use sandgate_wire::channel::{Closed, Peer, SendError, Statistics};
use sandgate_wire::{Channel, Message};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::call::Call;
use crate::fault::Fault;
use crate::flow::Flow;
use crate::limits::Limits;
use crate::module::Module;
use crate::outlet::Outlet;
use crate::sandbox::Sandbox;
use crate::timers::Timers;
use crate::verdict::{MessageError, Verdict, VerdictContext};
use sandgate_attach::Port;

/// What came of doing it again.
#[derive(Debug)]
pub struct Replay {
    /// Messages that the module published meanwhile. Nobody got them.
    pub published: u64,
    /// How it ended this time; none if it did not.
    pub verdict: Option<Verdict>,
    /// What the module itself answered, where that was an error.
    pub refusal: Option<String>,
}

/// Why it could not be done again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The verdict's message is none.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The verdict is about `receive` or `on-timer`, and does not say with what.
    #[error("the verdict is about `{0}`, and does not say with what it was called")]
    Incomplete(Call),
    /// The host failed: this is a mistake in it.
    #[error("the host lost the module")]
    Host,
}

impl From<RecvError> for ReplayError {
    fn from(_: RecvError) -> Self {
        Self::Host
    }
}

/// Makes a fresh instance, calls what comes before the failed call, and then that call with what it had.
/// Blocks until that is over.
///
/// # Errors
/// The verdict does not say enough.
pub fn replay(
    verdict: &Verdict,
    module: &Module,
    limits: Limits,
    runtime: Handle,
) -> Result<Replay, ReplayError> {
    let message = verdict.message.as_ref().map(|message| message.message()).transpose()?;
    let act = match (verdict.call, message, verdict.timer) {
        (Call::Receive, Some(message), _) => Act::Receive(message),
        (Call::OnTimer, _, Some(timer)) => Act::OnTimer(timer),
        (call @ (Call::Receive | Call::OnTimer), ..) => return Err(ReplayError::Incomplete(call)),
        (Call::Instantiate | Call::Create, ..) => Act::Create,
        (Call::Start, ..) => Act::Start,
        (Call::Destroy, ..) => Act::Destroy,
    };
    let flow = Arc::<Flow>::default();
    let outlet = Outlet::new(flow.clone());
    let timers = Timers::new(runtime, limits.max_timers);
    let (module, original) = (module.clone(), verdict.clone());
    let (tell, told) = channel();
    // On a worker thread: there deadlines are kept.
    let workers = module.engine.workers().clone();
    let life = async move {
        let played = Sandbox::new(&module, original.module.as_str().into(), limits, outlet, timers)
            .and_then(|mut sandbox| play(&mut sandbox, &original, act));
        let (refusal, fault) = match played {
            Ok(refusal) => (refusal, None),
            Err(fault) => (None, Some(fault)),
        };
        let context = VerdictContext {
            module: original.module,
            arguments: original.arguments,
            timer: original.timer,
            ..VerdictContext::default()
        };
        let verdict = fault.map(|fault| fault.post_mortem.verdict(&module, context));
        let _ = tell.send((verdict, refusal));
    };
    workers.spawn(life);
    let (verdict, refusal) = told.recv()?;
    Ok(Replay { published: flow.published.get(), verdict, refusal })
}

enum Act {
    Create,
    Start,
    Receive(Message),
    OnTimer(u64),
    Destroy,
}

/// The inner text is the module's own refusal.
fn play(sandbox: &mut Sandbox, original: &Verdict, act: Act) -> Result<Option<String>, Fault> {
    if let Err(reason) = sandbox.create(&original.arguments)? {
        return Ok(Some(reason));
    }
    if matches!(act, Act::Create) {
        return Ok(None);
    }
    sandbox.start(Port::pair(Arc::new(Nowhere::default())))?;
    match act {
        Act::Create | Act::Start => Ok(None),
        Act::Receive(message) => {
            let attempt = original.attempt.unwrap_or(1);
            Ok(sandbox.receive(&message, original.source.as_deref(), attempt)?.err())
        }
        Act::OnTimer(timer) => sandbox.on_timer(timer).map(|()| None),
        Act::Destroy => sandbox.destroy().map(|()| None),
    }
}

/// A channel that takes everything, and has nothing to give.
struct Nowhere {
    peer: watch::Sender<Peer>,
}

impl Default for Nowhere {
    fn default() -> Self {
        Self { peer: watch::Sender::new(Peer { connected: true, connections: 1 }) }
    }
}

impl Channel for Nowhere {
    fn try_send(&self, _: Bytes) -> Result<(), SendError> {
        Ok(())
    }

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(Ok(()))
    }

    fn poll_recv(&self, _: &mut Context<'_>) -> Poll<Result<Bytes, Closed>> {
        Poll::Pending
    }

    fn peer(&self) -> watch::Receiver<Peer> {
        self.peer.subscribe()
    }

    fn statistics(&self) -> Statistics {
        Statistics::default()
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }
}
