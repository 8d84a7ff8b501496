//! A socket's listener or dialler, which is made anew while no peer comes.
//!
//! NNG 1.4 takes a peer that hangs up before the greeting for the closing of the endpoint itself: that
//! listener accepts, or that dialler dials, never again, and nothing tells. So an endpoint without a
//! peer is replaced every second, on the same socket; one thread does it for all, and sleeps while every
//! channel has its peer.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use nng::options::Options;
use nng::options::transport::ipc::Permissions;
use nng::{Dialer, Listener, ListenerBuilder, Socket};

use super::presence::Presence;
use crate::Address;

/// How long an endpoint may be without a peer before it is replaced.
const RENEW: Duration = Duration::from_secs(1);
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
        *endpoint.handle() = Some(endpoint.start()?);
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
            Role::Dials => Dialer::new(&self.socket, address, true).map(Handle::Dialer),
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
        match self.start() {
            Ok(started) => *handle = Some(started),
            Err(error) => {
                tracing::warn!(address = %self.address, %error, "cannot listen anew; trying again");
            }
        }
    }

    /// Lets nobody touch the handle any more; the socket that is closed next takes it along.
    pub(super) fn retire(&self) {
        *self.handle() = None;
    }
}

fn keep_all(receiver: &mpsc::Receiver<Weak<Endpoint>>) {
    let mut lonely: Vec<(Weak<Endpoint>, Instant)> = Vec::new();
    loop {
        let next = match lonely.iter().map(|(_, since)| *since + RENEW).min() {
            None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => receiver.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match next {
            Ok(endpoint) => {
                lonely.retain(|(known, _)| !known.ptr_eq(&endpoint));
                lonely.push((endpoint, Instant::now()));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        lonely.retain_mut(|(endpoint, since)| {
            let Some(endpoint) = endpoint.upgrade().filter(|endpoint| endpoint.is_lonely()) else {
                return false;
            };
            if since.elapsed() >= RENEW {
                endpoint.renew();
                *since = Instant::now();
            }
            true
        });
    }
}
