//! The way out of a module: checks, order, back-pressure.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use sandgate_wire::channel::{Peer, SendError};
use sandgate_wire::{Channel, EncodeError, Message};
use tokio::sync::watch;

use crate::flow::Flow;

/// While a publish waits for room it looks this often whether the gateway is still there.
const PEER_CHECK: Duration = Duration::from_millis(20);

/// Where a module's messages go.
pub(crate) struct Outlet {
    channel: Arc<dyn Channel>,
    peer: watch::Receiver<Peer>,
    flow: Arc<Flow>,
    /// Messages may be published.
    pub(crate) open: bool,
    /// When the call that is going on must be over.
    pub(crate) deadline: Instant,
    /// Until when publishing may wait: some time before that, so that the guest can still do something
    /// about a message that did not go out.
    pub(crate) patience: Instant,
}

/// Why a message did not go out.
#[derive(Debug)]
pub(crate) enum PublishFailure {
    Invalid(String),
    TooLarge(u64),
    NotStarted,
    Disconnected,
    Congested,
}

impl Outlet {
    pub(crate) fn new(channel: Arc<dyn Channel>, flow: Arc<Flow>) -> Self {
        let peer = channel.peer();
        let now = Instant::now();
        Self { channel, peer, flow, open: false, deadline: now, patience: now }
    }

    /// A call begins that may take so long.
    pub(crate) fn begin_call(&mut self, limit: Duration) {
        let now = Instant::now();
        self.deadline = now + limit;
        self.patience = now + limit / 4 * 3;
    }

    /// Encodes a message and hands it to the channel; waits for room until the deadline.
    pub(crate) fn publish(
        &self,
        properties: &[(String, String)],
        content: &[u8],
    ) -> Result<(), PublishFailure> {
        let result = self.try_publish(properties, content);
        match &result {
            Ok(()) => self.flow.published.add(),
            Err(PublishFailure::Disconnected | PublishFailure::Congested) => self.flow.dropped.add(),
            Err(_) => self.flow.refused.add(),
        }
        result
    }

    fn try_publish(&self, properties: &[(String, String)], content: &[u8]) -> Result<(), PublishFailure> {
        if !self.open {
            return Err(PublishFailure::NotStarted);
        }
        let message = Message::new(properties, content).map_err(|error| match error {
            EncodeError::TooLarge { limit, .. } => PublishFailure::TooLarge(limit as u64),
            other => PublishFailure::Invalid(other.to_string()),
        })?;
        let mut frame = message.frame().clone();
        loop {
            if self.is_abandoned() {
                return Err(PublishFailure::Disconnected);
            }
            frame = match self.channel.try_send(frame) {
                Ok(()) => return Ok(()),
                Err(SendError::Closed) => return Err(PublishFailure::Disconnected),
                Err(SendError::Full(frame)) => frame,
            };
            self.wait_for_room()?;
        }
    }

    /// There was a gateway, and it has gone. One that has not come yet is waited for: it may connect to
    /// the message channel a little after it has sent Start.
    fn is_abandoned(&self) -> bool {
        let peer = *self.peer.borrow();
        !peer.connected && peer.connections > 0
    }

    /// Blocks this worker thread until the channel has room again. The pool gives the seat to another.
    fn wait_for_room(&self) -> Result<(), PublishFailure> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match self.channel.poll_ready(&mut context) {
                Poll::Ready(Ok(())) => return Ok(()),
                Poll::Ready(Err(_)) => return Err(PublishFailure::Disconnected),
                Poll::Pending => {}
            }
            let left = self.patience.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(PublishFailure::Congested);
            }
            if self.is_abandoned() {
                return Err(PublishFailure::Disconnected);
            }
            thread::park_timeout(left.min(PEER_CHECK));
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use sandgate_wire::MemoryChannel;

    use super::*;

    #[test]
    fn a_publish_that_finds_no_room_gives_up_before_its_call_is_ended() {
        let (host, _gateway) = MemoryChannel::pair(1);
        let mut outlet = Outlet::new(Arc::new(host), Arc::default());
        outlet.open = true;
        outlet.begin_call(Duration::from_secs(2));
        assert!(outlet.publish(&[], b"fills the queue").is_ok());
        assert!(matches!(outlet.publish(&[], b"finds it full"), Err(PublishFailure::Congested)));
        assert!(outlet.deadline > Instant::now(), "the guest has time left");
        assert_eq!((outlet.flow.published.get(), outlet.flow.dropped.get()), (1, 1));
    }

    #[test]
    fn a_publish_to_a_gateway_that_has_gone_does_not_wait() {
        let (host, gateway) = MemoryChannel::pair(1);
        let mut outlet = Outlet::new(Arc::new(host), Arc::default());
        outlet.open = true;
        outlet.begin_call(Duration::from_secs(3600));
        drop(gateway);
        assert!(matches!(outlet.publish(&[], b""), Err(PublishFailure::Disconnected)));
    }
}
