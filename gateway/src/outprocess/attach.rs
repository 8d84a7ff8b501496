//! One attach: a fresh pair of channels to a host, from the first Create to the close.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sandgate_wire::channel::{Closed, PairError, Peer, SendError};
use sandgate_wire::limits::{CONTROL_MAX, MESSAGE_MAX};
use sandgate_wire::link::Offer;
use sandgate_wire::{
    Address, AddressError, Channel, Control, Create, EncodeError, MemoryChannel, Reply, Status,
};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;
use uuid::Uuid;

use super::connector::Connector;
use super::tunnel::Tunnel;
use crate::burst::Burst;
use crate::config::OutprocessConfig;

/// Frames that each direction of a message channel holds. What is there when the host dies is lost.
const MESSAGE_CAPACITY: usize = 256;
const CONTROL_CAPACITY: usize = 16;
/// Closing a socket takes a moment; it is not waited for longer than this.
const CLOSE: Duration = Duration::from_secs(2);

/// Why no attach can begin. Tried again, since the machine may change.
#[derive(Debug, Error)]
pub(super) enum AttachError {
    #[error(transparent)]
    Channel(#[from] PairError),
    #[error("no address for the message channel: {0}; give a `message.id`")]
    Address(#[from] AddressError),
    #[error("no Create message: {0}")]
    Create(#[from] EncodeError),
}

/// Why an attach ended.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(super) enum Ended {
    #[error("the host's control connection ended")]
    HostGone,
    #[error("the host answered Create with {0}; its log says why")]
    Refused(Status),
    #[error("the host says that the module is gone: {0}")]
    Detached(Status),
    #[error("the host hangs: it has said nothing for too long")]
    Silent,
    #[error("the host does not answer on the link that it has offered")]
    Unreachable,
    #[error("the host says that the module has ended")]
    Failed,
    #[error("the channel was closed")]
    Closed,
    #[error("the module is being stopped")]
    Stopped,
}

impl From<Closed> for Ended {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

pub(super) struct Attach {
    pub(super) message: Box<dyn Channel>,
    pub(super) control: Box<dyn Channel>,
    create: Bytes,
    /// The socket file, when the address was made up.
    _made_up: Option<MadeUp>,
    /// Control frames that made no sense.
    malformed: AtomicU64,
    burst: Mutex<Burst>,
}

/// The path of a made-up socket, removed at the end however it comes. The host removes it as well when
/// it closes in good order; one that died did not.
struct MadeUp(PathBuf);

impl Drop for MadeUp {
    fn drop(&mut self) {
        // Mostly it is gone already.
        let _ = fs::remove_file(&self.0);
    }
}

impl Attach {
    /// Dials both channels, the message channel first, as V1 does.
    pub(super) fn open(connector: &impl Connector, config: &OutprocessConfig) -> Result<Self, AttachError> {
        let made_up = match &config.message {
            Some(_) => None,
            None => Some(env::temp_dir().join(format!("sandgate-{}.message", Uuid::new_v4()))),
        };
        let address = match (&config.message, &made_up) {
            (Some(address), _) => address.clone(),
            (None, path) => Address::from_path(path.as_deref().unwrap_or("".as_ref()))?,
        };
        let uri = address.as_str().to_owned();
        let create = Control::Create(Create { uri, arguments: config.arguments.clone() }).encode()?;
        let message = connector.dial(&address, MESSAGE_MAX, MESSAGE_CAPACITY)?;
        let control = connector.dial(&config.control, CONTROL_MAX, CONTROL_CAPACITY)?;
        Ok(Self {
            message,
            control,
            create,
            _made_up: made_up.map(MadeUp),
            malformed: AtomicU64::new(0),
            burst: Mutex::default(),
        })
    }

    /// Attaches by a control channel inside the link: there are no other channels.
    pub(super) fn inside(tunnel: Tunnel, config: &OutprocessConfig) -> Result<Self, AttachError> {
        // Each attach is another one, to the host as well.
        let uri = format!("link:{}", tunnel.epoch());
        let create = Control::Create(Create { uri, arguments: config.arguments.clone() }).encode()?;
        Ok(Self {
            message: Box::new(MemoryChannel::pair(1).0),
            control: Box::new(tunnel),
            create,
            _made_up: None,
            malformed: AtomicU64::new(0),
            burst: Mutex::default(),
        })
    }

    /// Sends Create until the host says that the module exists.
    ///
    /// The first Create waits in the channel for the peer, so it goes out the moment the peer comes.
    /// While one is still there no other is put behind it.
    ///
    /// Gives the link that the host offers, if it is one of ours.
    pub(super) async fn create(&self, module: &str, retry: Duration) -> Result<Option<Offer>, Ended> {
        loop {
            if self.control.statistics().waiting == 0 {
                send(&*self.control, self.create.clone())?;
            }
            match timeout(retry, self.reply(module)).await {
                Ok(Ok(reply)) if reply.status.is_success() => return Ok(self.offer(module, &reply)),
                Ok(Ok(reply)) => return Err(Ended::Refused(reply.status)),
                Ok(Err(ended)) => return Err(ended),
                // No answer: once more.
                Err(_) => {}
            }
        }
    }

    /// Tells the host that messages may flow.
    pub(super) fn start(&self) -> Result<(), Ended> {
        let start = Control::Start.encode().map_err(|_| Ended::Closed)?;
        send(&*self.control, start)
    }

    /// Whether the host that has answered is still there, as far as the control channel tells.
    pub(super) fn has_its_host(&self) -> bool {
        let peer = *self.control.peer().borrow();
        peer.connected && peer.connections == 1
    }

    /// Waits until the host ends the attach. A success is a late answer to a repeated Create.
    pub(super) async fn end(&self, module: &str) -> Ended {
        loop {
            match self.reply(module).await {
                Ok(reply) if reply.status.is_success() => {}
                Ok(reply) => return Ended::Detached(reply.status),
                Err(ended) => return ended,
            }
        }
    }

    /// Like [`Attach::end`] for a module that is served over a link, by which alone its host is known to be
    /// there: the control channel may come and go.
    pub(super) async fn detached(&self, module: &str) -> Ended {
        loop {
            match self.next_reply(module).await {
                Ok(reply) if reply.status.is_success() => {}
                Ok(reply) => return Ended::Detached(reply.status),
                Err(closed) => return closed.into(),
            }
        }
    }

    fn offer(&self, module: &str, reply: &Reply) -> Option<Offer> {
        Offer::decode(&reply.extension).unwrap_or_else(|error| {
            self.count_malformed(module, &error.to_string());
            None
        })
    }

    /// Asks the host to destroy the module, as far as a host is there to be asked.
    pub(super) fn destroy(&self) -> bool {
        let present = self.control.peer().borrow().connected;
        present && Control::Destroy.encode().is_ok_and(|frame| self.control.try_send(frame).is_ok())
    }

    /// Closes both channels and removes a made-up socket.
    pub(super) async fn close(self) {
        let closing = async {
            self.message.close().await;
            self.control.close().await;
        };
        // The close goes on in the background if it takes longer.
        let _ = timeout(CLOSE, closing).await;
    }

    /// Control frames from the host that were ignored because they made no sense.
    pub(super) fn malformed(&self) -> u64 {
        self.malformed.load(Ordering::Relaxed)
    }

    /// The next Reply, or the peer's end. What it said before it went comes first.
    async fn reply(&self, module: &str) -> Result<Reply, Ended> {
        let mut peer = self.control.peer();
        tokio::select! {
            biased;
            reply = self.next_reply(module) => Ok(reply?),
            () = gone(&mut peer) => Err(Ended::HostGone),
        }
    }

    /// The next Reply, from whoever is there.
    async fn next_reply(&self, module: &str) -> Result<Reply, Closed> {
        loop {
            let error = match Control::decode(&self.control.recv().await?) {
                Ok(Control::Reply(reply)) => return Ok(reply),
                Ok(_) => "only a gateway sends this message".to_owned(),
                Err(error) => error.to_string(),
            };
            self.count_malformed(module, &error);
            tokio::task::coop::consume_budget().await;
        }
    }

    fn count_malformed(&self, module: &str, error: &str) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
        let event = self.burst.lock().unwrap_or_else(PoisonError::into_inner).event();
        if let Some(suppressed) = event {
            warn!(module, error, suppressed, "malformed control message from the host, ignored");
        }
    }
}

/// A channel belongs to its first peer: when that one has gone, even if another came, it is over.
async fn gone(peer: &mut watch::Receiver<Peer>) {
    let over = |peer: &Peer| peer.connections > 1 || (peer.connections == 1 && !peer.connected);
    // An error means that the channel itself has gone.
    let _ = peer.wait_for(over).await;
}

fn send(channel: &dyn Channel, frame: Bytes) -> Result<(), Ended> {
    match channel.try_send(frame) {
        // A full control channel: the peer does not read, and what waits says the same thing.
        Ok(()) | Err(SendError::Full(_)) => Ok(()),
        Err(SendError::Closed) => Err(Ended::Closed),
    }
}

/// Waits until a channel has handed everything to its transport, or the time has come.
pub(super) async fn flush(channel: &dyn Channel, until: Instant) {
    const LOOK: Duration = Duration::from_millis(2);
    while channel.statistics().waiting > 0 && Instant::now() < until {
        sleep(LOOK).await;
    }
}
