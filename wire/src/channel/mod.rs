//! How frames travel between two processes, and the twin within one process for tests.

mod endpoint;
mod keeper;
mod late;
mod memory;
mod pair;
mod presence;
mod queue;
mod reaper;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::watch;

pub use late::LateChannel;
pub use memory::MemoryChannel;
pub use pair::{PairChannel, PairError, PairOptions};

/// One end of an ordered, bounded, bidirectional channel of frames with one peer at the other end.
///
/// A channel is used by at most one receiving and one sending task at a time: each direction
/// remembers one waker. It knows no runtime, so a waker may belong to anything. Whether a peer is
/// there is told by [`Channel::peer`]; a lost peer does not end the channel, which waits for the next.
pub trait Channel: Send + Sync + 'static {
    /// Hands a frame over without waiting.
    ///
    /// # Errors
    /// [`SendError::Full`] gives the frame back when the bounded queue has no room;
    /// [`SendError::Closed`] when this end was closed.
    fn try_send(&self, frame: Bytes) -> Result<(), SendError>;

    /// Waits for room in the queue.
    ///
    /// # Errors
    /// [`Closed`] when this end was closed.
    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Closed>>;

    /// Takes the oldest frame that has arrived.
    ///
    /// # Errors
    /// [`Closed`] when this end was closed.
    fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Result<Bytes, Closed>>;

    /// The peer's comings and goings. An end whose buffers are full because nobody reads from it does
    /// not look at its socket, and learns that the peer has gone when it is read from again.
    fn peer(&self) -> watch::Receiver<Peer>;

    /// What happened so far.
    fn statistics(&self) -> Statistics;

    /// Closes this end at once. The future says when its address is free for another socket; nobody
    /// needs to wait for it. Frames that are still queued for sending are dropped.
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl dyn Channel {
    /// Hands a frame over, waiting for room.
    ///
    /// # Errors
    /// [`Closed`] when this end was closed.
    pub async fn send(&self, mut frame: Bytes) -> Result<(), Closed> {
        loop {
            match self.try_send(frame) {
                Ok(()) => return Ok(()),
                Err(SendError::Closed) => return Err(Closed),
                Err(SendError::Full(back)) => frame = back,
            }
            poll_fn(|context| self.poll_ready(context)).await?;
        }
    }

    /// Waits for the next frame.
    ///
    /// # Errors
    /// [`Closed`] when this end was closed.
    pub async fn recv(&self) -> Result<Bytes, Closed> {
        poll_fn(|context| self.poll_recv(context)).await
    }
}

/// Whether a peer is connected, and how many have been so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Peer {
    /// A peer is there now.
    pub connected: bool,
    /// Connections since the channel was made, this one included.
    pub connections: u64,
}

/// Counters of one channel end, since it was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Statistics {
    /// Frames handed to the transport.
    pub sent: u64,
    /// Frames that arrived.
    pub received: u64,
    /// Frames accepted for sending that have not been handed to the transport.
    pub waiting: u64,
    /// Frames that arrived whole and were over the receive limit; each ended its connection.
    pub oversized: u64,
    /// Frames that arrived and were given up, because their peer left while nobody read.
    pub dropped: u64,
    /// Connections that ended while this end was open. A frame that claims more than twice the
    /// receive limit is never read: it shows here, because nng ends the connection by itself.
    pub lost_connections: u64,
}

/// This end of the channel was closed.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the channel is closed")]
pub struct Closed;

/// Why a frame was not taken.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum SendError {
    /// The bounded queue has no room; here is the frame.
    #[error("the channel's queue is full")]
    Full(Bytes),
    /// This end was closed.
    #[error("the channel is closed")]
    Closed,
}
