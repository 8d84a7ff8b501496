//! A module's control channel inside the link: V1's control messages for a module that has no sockets of its own.

use std::future::ready;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use sandgate_wire::Channel;
use sandgate_wire::channel::{Closed, Peer, SendError, Statistics};
use sandgate_wire::link::Signal;
use tokio::sync::{mpsc, watch};

use super::links::HostLink;

/// Answers of the host that wait to be read. It gives one to each Create.
const WAITING: usize = 4;

/// The gateway's end, for one attach. The host behind it is the link's, so it comes and goes with that.
pub(super) struct Tunnel {
    link: HostLink,
    epoch: u32,
    /// The module's name in its host.
    name: String,
    incoming: Mutex<mpsc::Receiver<Bytes>>,
    peer: watch::Receiver<Peer>,
    sent: AtomicU64,
}

impl Tunnel {
    /// For the attach of this epoch, which no other attach of the gateway has.
    pub(super) fn open(link: HostLink, name: String, epoch: u32) -> Self {
        let (sender, incoming) = mpsc::channel(WAITING);
        link.add_tunnel(epoch, sender);
        let peer = link.peer();
        Self { link, epoch, name, incoming: Mutex::new(incoming), peer, sent: AtomicU64::new(0) }
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    fn incoming(&self) -> MutexGuard<'_, mpsc::Receiver<Bytes>> {
        self.incoming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel for Tunnel {
    fn try_send(&self, frame: Bytes) -> Result<(), SendError> {
        let said = Signal::Control { epoch: self.epoch, name: self.name.clone(), frame: frame.clone() };
        self.link.signal(said).map_err(|_| SendError::Full(frame))?;
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(Ok(()))
    }

    fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Result<Bytes, Closed>> {
        self.incoming().poll_recv(context).map(|frame| frame.ok_or(Closed))
    }

    fn peer(&self) -> watch::Receiver<Peer> {
        self.peer.clone()
    }

    fn statistics(&self) -> Statistics {
        Statistics { sent: self.sent.load(Ordering::Relaxed), ..Statistics::default() }
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.incoming().close();
        Box::pin(ready(()))
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.link.remove_tunnel(self.epoch);
    }
}
