//! Two channel ends in one process, for tests: as bounded and as ordered as the real ones.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::watch;

use super::queue::Queue;
use super::{Channel, Closed, Peer, SendError, Statistics};

/// One end of an in-memory channel. Dropping an end closes it. The other end sees its peer go, can
/// take what had arrived, and then waits for a peer that never comes, as a socket would.
pub struct MemoryChannel {
    incoming: Arc<Queue>,
    outgoing: Arc<Queue>,
    peer: watch::Receiver<Peer>,
    /// What the other end sees of this one.
    presence: watch::Sender<Peer>,
    closed: AtomicBool,
    accepted: AtomicU64,
    received: AtomicU64,
}

impl MemoryChannel {
    /// Two connected ends; each direction holds up to `capacity` frames.
    #[must_use]
    pub fn pair(capacity: usize) -> (Self, Self) {
        let (left, right) =
            (Arc::new(Queue::new(capacity, usize::MAX)), Arc::new(Queue::new(capacity, usize::MAX)));
        let here = Peer { connected: true, connections: 1 };
        let (left_presence, left_seen) = watch::channel(here);
        let (right_presence, right_seen) = watch::channel(here);
        let end = |incoming: &Arc<Queue>, outgoing: &Arc<Queue>, peer, presence| Self {
            incoming: incoming.clone(),
            outgoing: outgoing.clone(),
            peer,
            presence,
            closed: AtomicBool::new(false),
            accepted: AtomicU64::new(0),
            received: AtomicU64::new(0),
        };
        (end(&left, &right, right_seen, left_presence), end(&right, &left, left_seen, right_presence))
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl Channel for MemoryChannel {
    fn try_send(&self, frame: Bytes) -> Result<(), SendError> {
        if self.is_closed() {
            return Err(SendError::Closed);
        }
        self.outgoing.push(frame)?;
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let room = self.outgoing.poll_room(context);
        // Looked at behind the queue, so that `close` either is seen here or finds the waker there.
        if self.is_closed() { Poll::Ready(Err(Closed)) } else { room }
    }

    fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Result<Bytes, Closed>> {
        let frame = self.incoming.poll_pop(context);
        match frame {
            Poll::Ready(Ok(_)) => {
                self.received.fetch_add(1, Ordering::Relaxed);
            }
            Poll::Pending if self.is_closed() => return Poll::Ready(Err(Closed)),
            _ => {}
        }
        frame
    }

    fn peer(&self) -> watch::Receiver<Peer> {
        self.peer.clone()
    }

    fn statistics(&self) -> Statistics {
        let waiting = self.outgoing.len() as u64;
        let lost = !self.peer.borrow().connected && !self.is_closed();
        Statistics {
            sent: self.accepted.load(Ordering::Relaxed).saturating_sub(waiting),
            received: self.received.load(Ordering::Relaxed),
            waiting,
            oversized: 0,
            dropped: 0,
            lost_connections: u64::from(lost),
        }
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.closed.store(true, Ordering::Release);
        // The queues are shared with the other end, which is not closed: only this end's tasks wake.
        self.incoming.wake_consumer();
        self.outgoing.wake_producer();
        self.presence.send_if_modified(|peer| std::mem::replace(&mut peer.connected, false));
        Box::pin(std::future::ready(()))
    }
}

impl Drop for MemoryChannel {
    fn drop(&mut self) {
        drop(self.close());
    }
}
