//! Two channel ends in one process, for tests: as bounded and as ordered as the real ones.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::watch;

use super::queue::Queue;
use super::{Channel, Closed, Peer, SendError, Statistics};

/// One end of an in-memory channel. Dropping an end closes it; the other end sees its peer go.
pub struct MemoryChannel {
    incoming: Arc<Queue>,
    outgoing: Arc<Queue>,
    peer: watch::Receiver<Peer>,
    /// What the other end sees of this one.
    presence: watch::Sender<Peer>,
    sent: AtomicU64,
    received: AtomicU64,
}

impl MemoryChannel {
    /// Two connected ends; each direction holds up to `capacity` frames.
    #[must_use]
    pub fn pair(capacity: usize) -> (Self, Self) {
        let (left, right) = (Arc::new(Queue::new(capacity)), Arc::new(Queue::new(capacity)));
        let here = Peer { connected: true, connections: 1 };
        let (left_presence, left_seen) = watch::channel(here);
        let (right_presence, right_seen) = watch::channel(here);
        let end = |incoming: &Arc<Queue>, outgoing: &Arc<Queue>, peer, presence| Self {
            incoming: incoming.clone(),
            outgoing: outgoing.clone(),
            peer,
            presence,
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        };
        (end(&left, &right, right_seen, left_presence), end(&right, &left, left_seen, right_presence))
    }
}

impl Channel for MemoryChannel {
    fn try_send(&self, frame: Bytes) -> Result<(), SendError> {
        self.outgoing.push(frame)?;
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.outgoing.poll_room(context)
    }

    fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Result<Bytes, Closed>> {
        let frame = self.incoming.poll_pop(context);
        if let Poll::Ready(Ok(_)) = frame {
            self.received.fetch_add(1, Ordering::Relaxed);
        }
        frame
    }

    fn peer(&self) -> watch::Receiver<Peer> {
        self.peer.clone()
    }

    fn statistics(&self) -> Statistics {
        Statistics {
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            waiting: self.outgoing.len() as u64,
            ..Statistics::default()
        }
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.presence.send_modify(|peer| peer.connected = false);
        self.outgoing.close();
        self.incoming.close();
        Box::pin(std::future::ready(()))
    }
}

impl Drop for MemoryChannel {
    fn drop(&mut self) {
        drop(self.close());
    }
}
