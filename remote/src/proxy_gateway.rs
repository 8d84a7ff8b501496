//! What a program attaches its module with.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};
use std::time::Duration;

use sandgate_attach::{Launcher, PairTransport, Transport, TransportError};
use thiserror::Error;
use tokio::sync::watch;

use crate::host_link::HostLink;
use crate::module::ModuleClass;
use crate::session::{Session, Setup};
use crate::statistics::{Ledger, Statistics};
use crate::worker::{Outcome, Telling, Worker};

/// How long a module that is busy is waited for when nobody is left who would: its [`ProxyGateway`] is dropped, or the
/// gateway has ended that launched the program.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which module is attached, and where.
#[derive(Clone, Debug)]
pub struct ModuleConfiguration {
    /// Where the gateway finds this program: the `control.id` of its configuration. A socket path (a relative one is
    /// relative to the working directory, on both sides), `ipc://PATH` or `tcp://HOST:PORT`.
    pub identifier: String,
    /// What makes an instance for every attach.
    pub module: ModuleClass,
}

/// Why a module cannot be attached.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The identifier is no address, or cannot be bound.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// There is no thread to work in.
    #[error("cannot start a thread for the module")]
    Thread(#[source] io::Error),
    /// [`ProxyGateway::attach`] was called before, and that has not ended.
    #[error("the module is attached already")]
    Attached,
}

/// Why the work for a gateway has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Ended {
    /// [`ProxyGateway::detach`] was called.
    Detached,
    /// The gateway has destroyed the module, and this program was launched by it.
    Destroyed,
    /// The gateway that launched this program has ended. A module that is still busy five seconds later is left to
    /// its thread.
    Orphaned,
    /// The worker has failed: a defect of this crate.
    Failed,
}

/// Stands for the gateway in a program that is a module: waits for it, and has the module do what it asks for.
///
/// Gateways may come and go. Each attach gets an instance of its own, and a gateway that has gone is waited for
/// until [`detach`](Self::detach).
pub struct ProxyGateway {
    /// But for the link, which is made when it is first needed.
    setup: Setup,
    link: Mutex<Link>,
    /// Somebody wants an end.
    requests: Arc<watch::Sender<Option<Ended>>>,
    run: Arc<Mutex<Option<Run>>>,
}

/// The host link, over which Sandgate gateways are served.
enum Link {
    /// V1's channels serve everybody.
    Unwanted,
    /// To be made, with the connection that the launching gateway has given.
    Wanted(Option<UnixStream>),
    /// Those who work have it: it ends with them, and another is made when it is needed.
    Made(Weak<HostLink>),
}

/// A worker thread.
struct Run {
    thread: ThreadId,
    outcome: Arc<Outcome>,
}

impl ProxyGateway {
    /// For a module at a control id. Nothing happens before [`attach`](Self::attach).
    #[must_use]
    pub fn new(configuration: ModuleConfiguration) -> Self {
        let transport = PairTransport::new(configuration.identifier.clone());
        Self::over(configuration, Arc::new(transport)).offer_link(true)
    }

    /// The same over other channels than sockets, without the host link; the identifier is only a name then. For tests.
    #[must_use]
    pub fn over(configuration: ModuleConfiguration, transport: Arc<dyn Transport>) -> Self {
        let setup = Setup {
            label: configuration.identifier.into(),
            transport,
            class: configuration.module,
            ledger: Arc::new(Ledger::default()),
            ends_with_destroy: false,
            link: None,
        };
        let (requests, run) = (Arc::new(watch::channel(None).0), Arc::default());
        Self { setup, link: Mutex::new(Link::Unwanted), requests, run }
    }

    /// Whether Sandgate gateways are offered the host link: at-least-once delivery, and heartbeats. They are, unless
    /// this is called with `false`; then they are served as V1's are. To be called before the module is attached.
    #[must_use]
    pub fn offer_link(mut self, offer: bool) -> Self {
        let link = self.link.get_mut().unwrap_or_else(PoisonError::into_inner);
        match (offer, &link) {
            (true, Link::Unwanted) => *link = Link::Wanted(None),
            (true, Link::Wanted(_) | Link::Made(_)) => {}
            (false, _) => *link = Link::Unwanted,
        }
        self
    }

    /// For a program that a gateway has launched: the work ends when the gateway destroys the module, or ends
    /// itself.
    #[must_use]
    pub fn launched_by(mut self, mut launcher: Launcher) -> Self {
        self.setup.ends_with_destroy = true;
        if let Link::Wanted(given) = self.link.get_mut().unwrap_or_else(PoisonError::into_inner) {
            *given = launcher.take_link();
        }
        let (requests, run) = (self.requests.clone(), self.run.clone());
        launcher.on_end(move || {
            tracing::warn!("the gateway that launched this program has ended");
            requests.send_replace(Some(Ended::Orphaned));
            if let Some(outcome) = outcome(&run) {
                give_up_after(PATIENCE, &outcome);
            }
        });
        self
    }

    /// Binds the control channel and starts a thread that works for whichever gateway comes. Does not wait for one.
    ///
    /// # Errors
    /// The identifier cannot be bound, there is no thread, or it was called before.
    pub fn attach(&self) -> Result<(), AttachError> {
        let mut run = lock(&self.run);
        if run.as_ref().is_some_and(|run| run.outcome.get().is_none()) {
            return Err(AttachError::Attached);
        }
        let mut worker = self.attach_by_hand()?;
        let outcome = Arc::new(Outcome::default());
        let telling = Telling(outcome.clone());
        let work = move || {
            let ended = worker.run();
            // The sockets are closed by now.
            telling.0.tell(ended);
        };
        let thread = thread::Builder::new().name("proxy-gateway".into()).spawn(work);
        let thread = thread.map_err(AttachError::Thread)?.thread().id();
        *run = Some(Run { thread, outcome });
        Ok(())
    }

    /// Binds the control channel, for a program that calls [`Worker::do_work`] from a loop of its own.
    ///
    /// # Errors
    /// The identifier cannot be bound.
    pub fn attach_by_hand(&self) -> Result<Worker, AttachError> {
        let session = Session::bind(Setup { link: self.link(), ..self.setup.clone() })?;
        // A detach that belonged to an earlier attach is over; a launcher that has ended does not come back.
        self.requests.send_if_modified(|wanted| wanted.take_if(|ended| *ended == Ended::Detached).is_some());
        Ok(Worker::new(session, self.requests.subscribe()))
    }

    /// The host link. Without one V1's channels serve everybody.
    fn link(&self) -> Option<Arc<HostLink>> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let given = match &mut *link {
            Link::Unwanted => return None,
            Link::Wanted(given) => given.take(),
            Link::Made(made) => match made.upgrade() {
                Some(made) => return Some(made),
                None => None,
            },
        };
        let requests = self.requests.clone();
        let made = HostLink::start(given, move || {
            tracing::warn!("the link to the gateway that launched this program has ended");
            requests.send_if_modified(|wanted| wanted.replace(wanted.unwrap_or(Ended::Orphaned)).is_none());
        });
        match made.map(Arc::new) {
            Ok(made) => {
                *link = Link::Made(Arc::downgrade(&made));
                Some(made)
            }
            Err(error) => {
                tracing::warn!(module = &*self.setup.label, %error, "no host link; V1's channels remain");
                *link = Link::Wanted(None);
                None
            }
        }
    }

    /// Asks for the end, from any thread, and does not wait for it: when the call that is going on has returned,
    /// the module gets what has arrived already (for a second at most) and its `destroy`, the gateway is told that it
    /// is gone, and the sockets are closed. See [`wait`](Self::wait).
    pub fn detach(&self) {
        self.requests.send_if_modified(|wanted| wanted.replace(wanted.unwrap_or(Ended::Detached)).is_none());
    }

    /// Waits until the work of the thread has ended and its sockets are closed. Returns at once where there is none.
    /// Not for the module's own calls, which would wait for themselves.
    pub fn wait(&self) -> Ended {
        outcome(&self.run).map_or(Ended::Detached, |outcome| outcome.wait())
    }

    /// Like [`wait`](Self::wait), but gives nothing when it takes longer than this.
    pub fn wait_timeout(&self, patience: Duration) -> Option<Ended> {
        outcome(&self.run).map_or(Some(Ended::Detached), |outcome| outcome.wait_timeout(patience))
    }

    /// What happened so far, over all attaches.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.setup.ledger.statistics()
    }
}

fn lock(run: &Mutex<Option<Run>>) -> MutexGuard<'_, Option<Run>> {
    // Nothing that is done under the lock can leave it half-changed.
    run.lock().unwrap_or_else(PoisonError::into_inner)
}

fn outcome(run: &Mutex<Option<Run>>) -> Option<Arc<Outcome>> {
    lock(run).as_ref().map(|run| run.outcome.clone())
}

/// Lets those go on who wait for a worker, if its module keeps it busy.
fn give_up_after(patience: Duration, outcome: &Outcome) {
    if outcome.wait_timeout(patience).is_none() {
        tracing::error!("the module is busy; it is left to its thread");
        outcome.tell(Ended::Orphaned);
    }
}

/// Detaches what [`ProxyGateway::attach`] has attached, and waits for it for five seconds at most.
impl Drop for ProxyGateway {
    fn drop(&mut self) {
        let Some(run) = lock(&self.run).take() else { return };
        self.detach();
        // The last handle may be let go by the module itself.
        let is_worker = run.thread == thread::current().id();
        if !is_worker && run.outcome.wait_timeout(PATIENCE).is_none() {
            tracing::error!(module = &*self.setup.label, "the module is busy; it is left to its thread");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_is_busy_does_not_keep_an_orphaned_program() {
        let busy = Outcome::default();
        give_up_after(Duration::ZERO, &busy);
        assert_eq!(busy.wait(), Ended::Orphaned);
        let done = Outcome::default();
        done.tell(Ended::Destroyed);
        give_up_after(Duration::ZERO, &done);
        assert_eq!(done.wait(), Ended::Destroyed);
    }
}
