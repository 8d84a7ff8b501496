//! A socket's listener or dialler, which is made anew while no peer comes.
//!
//! NNG 1.4 takes a peer that hangs up before the greeting for the closing of the endpoint itself: that
//! listener accepts, or that dialler dials, never again, and nothing tells. So an endpoint without a
//! peer is replaced every second, on the same socket, by the [keeper](super::keeper).

use std::io::ErrorKind::NotFound;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nng::options::transport::ipc::Permissions;
use nng::options::{Options, ReconnectMaxTime, ReconnectMinTime};
use nng::{Dialer, DialerBuilder, Listener, ListenerBuilder, Socket};

use super::keeper::{self, Pace};
use super::presence::Presence;
use crate::Address;

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
    begun: Mutex<Option<Begun>>,
    /// That it could not begin has been told.
    has_complained: AtomicBool,
}

/// What listens or dials.
enum Begun {
    Listener(Listener),
    Dialer(Dialer, Pace),
}

impl Endpoint {
    /// Listens, or dials: now, or in its turn where many do, or as soon as there is a socket file.
    pub(super) fn open(
        socket: Socket,
        address: Address,
        role: Role,
        presence: Arc<Presence>,
    ) -> Result<Arc<Self>, nng::Error> {
        let (begun, has_complained) = (Mutex::new(None), AtomicBool::new(false));
        let endpoint = Arc::new(Self { socket, address, role, presence, begun, has_complained });
        let waits = role == Role::Dials && (keeper::is_crowded_by_one_more() || endpoint.has_nowhere_to_go());
        if !waits {
            *endpoint.begun() = Some(endpoint.begin(Pace::now())?);
        }
        if !keeper::keep(&endpoint) && waits {
            *endpoint.begun() = Some(endpoint.begin(Pace::now())?);
        }
        Ok(endpoint)
    }

    fn begun(&self) -> MutexGuard<'_, Option<Begun>> {
        // A panic while the lock is held cannot leave it half-changed.
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, pace: Pace) -> Result<Begun, nng::Error> {
        let address = self.address.as_str();
        match self.role {
            Role::Dials => {
                let builder = DialerBuilder::new(&self.socket, address)?;
                builder.set_opt::<ReconnectMinTime>(Some(pace.soonest))?;
                builder.set_opt::<ReconnectMaxTime>(Some(pace.longest))?;
                let dialer = builder.start(true).map_err(|(_, error)| error)?;
                Ok(Begun::Dialer(dialer, pace))
            }
            Role::Listens => {
                let builder = ListenerBuilder::new(&self.socket, address)?;
                if self.address.path().is_some() {
                    builder.set_opt::<Permissions>(SOCKET_MODE)?;
                }
                builder.start().map(Begun::Listener).map_err(|(_, error)| error)
            }
        }
    }

    pub(super) fn dials(&self) -> bool {
        self.role == Role::Dials
    }

    /// Whether a peer may still have to come.
    pub(super) fn is_lonely(&self) -> bool {
        !self.presence.is_closing() && !self.presence.watch().borrow().connected
    }

    /// Whether it is to dial a socket file that is not there.
    pub(super) fn has_nowhere_to_go(&self) -> bool {
        let missing = |path: &Path| path.symlink_metadata().is_err_and(|error| error.kind() == NotFound);
        self.role == Role::Dials && self.address.path().is_some_and(missing)
    }

    /// Whether it listens, or dials.
    pub(super) fn has_begun(&self) -> bool {
        self.begun().is_some()
    }

    /// Whether it dials more often than those may who have this pace now.
    pub(super) fn is_too_quick_for(&self, pace: Pace) -> bool {
        matches!(&*self.begun(), Some(Begun::Dialer(_, own)) if 2 * own.longest < pace.longest)
    }

    /// Ends what listens or dials, unless a peer has come meanwhile.
    pub(super) fn pause(&self) {
        // Held throughout: the socket is closed by somebody who takes it first.
        let mut begun = self.begun();
        if self.is_lonely() {
            end(begun.take());
        }
    }

    /// Replaces what listens or dials, unless a peer has come meanwhile.
    pub(super) fn renew(&self, pace: Pace) {
        // Held throughout, as above.
        let mut begun = self.begun();
        if !self.is_lonely() {
            return;
        }
        end(begun.take());
        match self.begin(pace) {
            Ok(anew) => *begun = Some(anew),
            Err(error) if self.has_complained.swap(true, Ordering::Relaxed) => {
                tracing::debug!(address = %self.address, %error, "cannot listen or dial anew; trying again");
            }
            Err(error) => {
                tracing::warn!(address = %self.address, %error, "cannot listen or dial anew; trying again");
            }
        }
    }

    /// Lets nobody touch it any more; the socket that is closed next takes it along.
    pub(super) fn retire(&self) {
        *self.begun() = None;
    }
}

fn end(begun: Option<Begun>) {
    match begun {
        Some(Begun::Listener(listener)) => listener.close(),
        Some(Begun::Dialer(dialer, _)) => dialer.close(),
        None => {}
    }
}
