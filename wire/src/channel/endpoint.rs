//! A socket's listener or dialler, which is made anew while no peer comes.
//!
//! NNG 1.4 takes a peer that hangs up before the greeting for the closing of the endpoint itself: that
//! listener accepts, or that dialler dials, never again, and nothing tells. So an endpoint without a
//! peer is replaced every second, on the same socket; one thread does it for all, and sleeps while every
//! channel has its peer.
//!
//! A try to connect where nobody listens costs NNG a descriptor until its one polling thread has come to it, and that
//! looks at every such descriptor again and again: a hundred of them are given back within the millisecond, a thousand
//! at three hundred a second. More tries than that, and the descriptors of the process run out. So diallers that are
//! many begin one after the other, and the more there are the longer each waits between tries. And where there is no
//! socket file nothing is tried, but looked whether there is one, which costs a thousandth of that.

use std::io::ErrorKind::NotFound;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use nng::options::transport::ipc::Permissions;
use nng::options::{Options, ReconnectMaxTime, ReconnectMinTime};
use nng::{Dialer, DialerBuilder, Listener, ListenerBuilder, Socket};

use super::presence::Presence;
use crate::Address;

/// How long an endpoint may be without a peer before it is replaced.
const RENEW: Duration = Duration::from_secs(1);
/// How soon a dialler tries again, and at most how long it waits between tries, if there are few.
const REDIAL: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));
/// What each dialler of the process adds to the wait of all. A wait is by chance between nothing and this, so together
/// they try twice in this time.
const SHARE: Duration = Duration::from_millis(4);
/// How often it is looked for a missing socket file, and what each dialler adds to that from where it is longer.
const LOOK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_micros(100));
/// Between two rounds through the endpoints without a peer, and how many of them are begun anew in one: a thousand a
/// second.
const ROUND: Duration = Duration::from_millis(10);
const STARTS: usize = 10;
/// Diallers that may begin at once.
const FEW: u32 = 25;
/// Diallers of this process.
static DIALLERS: AtomicU32 = AtomicU32::new(0);
/// A listening socket can be used by its owner alone.
const SOCKET_MODE: u32 = 0o600;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    Listens,
    Dials,
}

pub(super) struct Endpoint {
    socket: Socket,
    address: Address,
    role: Role,
    presence: Arc<Presence>,
    handle: Mutex<Option<Handle>>,
}

enum Handle {
    Listener(Listener),
    Dialer(Dialer),
}

impl Endpoint {
    /// Listens or dials for the first time.
    pub(super) fn open(
        socket: Socket,
        address: Address,
        role: Role,
        presence: Arc<Presence>,
    ) -> Result<Arc<Self>, nng::Error> {
        let endpoint = Arc::new(Self { socket, address, role, presence, handle: Mutex::new(None) });
        let is_one_of_many = role == Role::Dials && DIALLERS.fetch_add(1, Ordering::Relaxed) >= FEW;
        if !is_one_of_many && !endpoint.has_nowhere_to_go() {
            *endpoint.handle() = Some(endpoint.start()?);
        }
        endpoint.keep();
        Ok(endpoint)
    }

    fn handle(&self) -> MutexGuard<'_, Option<Handle>> {
        // A panic while the lock is held cannot leave the handle half-changed.
        self.handle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self) -> Result<Handle, nng::Error> {
        let address = self.address.as_str();
        match self.role {
            Role::Dials => {
                let Pace { soonest, longest, .. } = Pace::among(DIALLERS.load(Ordering::Relaxed));
                let builder = DialerBuilder::new(&self.socket, address)?;
                builder.set_opt::<ReconnectMinTime>(Some(soonest))?;
                builder.set_opt::<ReconnectMaxTime>(Some(longest))?;
                builder.start(true).map(Handle::Dialer).map_err(|(_, error)| error)
            }
            Role::Listens => {
                let builder = ListenerBuilder::new(&self.socket, address)?;
                if self.address.path().is_some() {
                    builder.set_opt::<Permissions>(SOCKET_MODE)?;
                }
                builder.start().map(Handle::Listener).map_err(|(_, error)| error)
            }
        }
    }

    /// Sees to it that this endpoint is replaced until a peer comes. To be called whenever one has gone.
    pub(super) fn keep(self: &Arc<Self>) {
        static KEEPER: OnceLock<Option<mpsc::Sender<Weak<Endpoint>>>> = OnceLock::new();
        let keeper = KEEPER.get_or_init(|| {
            let (sender, receiver) = mpsc::channel();
            let run = move || keep_all(&receiver);
            thread::Builder::new().name("nng-keeper".into()).spawn(run).ok().map(|_| sender)
        });
        match keeper {
            // The thread never ends while there is a sender.
            Some(sender) => drop(sender.send(Arc::downgrade(self))),
            None => tracing::warn!("no thread to renew endpoints on"),
        }
    }

    /// Whether a peer may still have to come.
    fn is_lonely(&self) -> bool {
        !self.presence.is_closing() && !self.presence.watch().borrow().connected
    }

    /// Whether it is to dial a socket file that is not there.
    fn has_nowhere_to_go(&self) -> bool {
        let missing = |path: &Path| path.symlink_metadata().is_err_and(|error| error.kind() == NotFound);
        self.role == Role::Dials && self.address.path().is_some_and(missing)
    }

    /// Replaces what listens or dials, or only ends it where there is nowhere to go.
    fn renew(&self) {
        // Held throughout: the socket is closed by somebody who takes it first.
        let mut handle = self.handle();
        if !self.is_lonely() {
            return;
        }
        match handle.take() {
            Some(Handle::Listener(listener)) => listener.close(),
            Some(Handle::Dialer(dialer)) => dialer.close(),
            None => {}
        }
        if self.has_nowhere_to_go() {
            return;
        }
        match self.start() {
            Ok(started) => *handle = Some(started),
            Err(error) => {
                tracing::warn!(address = %self.address, %error, "cannot listen or dial anew; trying again");
            }
        }
    }

    /// Lets nobody touch the handle any more; the socket that is closed next takes it along.
    pub(super) fn retire(&self) {
        *self.handle() = None;
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if self.role == Role::Dials {
            DIALLERS.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// How often a dialler tries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Pace {
    soonest: Duration,
    longest: Duration,
    /// When it is replaced, which is a try, too.
    renewal: Duration,
    /// How often it is looked for a socket file.
    look: Duration,
}

impl Pace {
    /// That of each of so many.
    fn among(diallers: u32) -> Self {
        let longest = REDIAL.1.max(SHARE * diallers);
        let soonest = if longest > REDIAL.1 { longest } else { REDIAL.0 };
        let look = LOOK.0.max(LOOK.1 * diallers);
        Self { soonest, longest, renewal: RENEW.max(4 * longest), look }
    }
}

/// An endpoint without a peer, and when it is to be made anew.
struct Lonely {
    endpoint: Weak<Endpoint>,
    due: Instant,
}

fn keep_all(receiver: &mpsc::Receiver<Weak<Endpoint>>) {
    let mut lonely: Vec<Lonely> = Vec::new();
    let mut next_round = Instant::now();
    loop {
        let next = match lonely.iter().map(|lonely| lonely.due).min() {
            None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => {
                let round = due.max(next_round);
                receiver.recv_timeout(round.saturating_duration_since(Instant::now()))
            }
        };
        let now = Instant::now();
        let pace = Pace::among(DIALLERS.load(Ordering::Relaxed));
        match next {
            Ok(endpoint) => {
                lonely.retain(|known| !known.endpoint.ptr_eq(&endpoint));
                let is_under_way =
                    |endpoint: Arc<Endpoint>| endpoint.handle().is_some() && !endpoint.has_nowhere_to_go();
                let waits = endpoint.upgrade().is_none_or(is_under_way);
                lonely.push(Lonely { endpoint, due: if waits { now + pace.renewal } else { now } });
            }
            Err(RecvTimeoutError::Timeout) => {
                next_round = now + ROUND;
                go_round(&mut lonely, now, pace);
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Begins those anew whose time has come, some of them if they are many, and forgets those that are not alone any more.
fn go_round(lonely: &mut Vec<Lonely>, now: Instant, pace: Pace) {
    let mut starts = STARTS;
    lonely.retain_mut(|Lonely { endpoint, due }| {
        let Some(endpoint) = endpoint.upgrade().filter(|endpoint| endpoint.is_lonely()) else {
            return false;
        };
        if *due <= now {
            if endpoint.has_nowhere_to_go() {
                endpoint.renew();
                *due = now + pace.look;
            } else if starts > 0 {
                starts -= 1;
                endpoint.renew();
                *due = now + pace.renewal;
            }
        }
        true
    });
    // Those that had to stay behind are the first in the next round.
    lonely.sort_by_key(|lonely| lonely.due);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_diallers_are_quick_and_many_try_no_more_often_together() {
        let few = Pace::among(FEW);
        assert_eq!((few.soonest, few.longest), REDIAL);
        assert_eq!(few.renewal, RENEW);
        for diallers in [100, 1_000, 10_000] {
            let pace = Pace::among(diallers);
            assert_eq!(pace.soonest, pace.longest, "they do not all begin with quick tries");
            assert!(f64::from(diallers) / pace.look.as_secs_f64() <= 10_000.0, "{pace:?}");
            let tries = 2.0 * f64::from(diallers) / pace.longest.as_secs_f64();
            assert!(tries <= 500.0 && pace.renewal >= 4 * pace.longest, "{pace:?}");
        }
    }
}
