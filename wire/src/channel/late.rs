//! For tests: a channel whose peer is still on its way.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::watch;

use super::{Channel, Closed, MemoryChannel, Peer, SendError, Statistics};

/// An end of an in-memory channel that sees nobody at the other end until it has looked often enough.
pub struct LateChannel {
    channel: MemoryChannel,
    looks: Arc<AtomicU32>,
}

impl LateChannel {
    /// `looks` counts down to zero; from then on the peer is seen.
    #[must_use]
    pub fn new(channel: MemoryChannel, looks: Arc<AtomicU32>) -> Self {
        Self { channel, looks }
    }
}

impl Channel for LateChannel {
    fn try_send(&self, frame: Bytes) -> Result<(), SendError> {
        self.channel.try_send(frame)
    }

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.channel.poll_ready(context)
    }

    fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Result<Bytes, Closed>> {
        self.channel.poll_recv(context)
    }

    fn peer(&self) -> watch::Receiver<Peer> {
        let less = |looks: u32| looks.checked_sub(1);
        match self.looks.fetch_update(Ordering::AcqRel, Ordering::Acquire, less) {
            Ok(_) => watch::channel(Peer::default()).1,
            Err(_) => self.channel.peer(),
        }
    }

    fn statistics(&self) -> Statistics {
        self.channel.statistics()
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.channel.close()
    }
}
