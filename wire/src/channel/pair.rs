//! The channel that V1 peers speak: nng's Pair0 over `ipc://` or `tcp://`.
//!
//! What this takes care of, so that nobody else has to think of nng:
//! - No thread blocks in a socket call. Completions run on nng's own threads, which only move frames
//!   between the socket and two bounded queues and wake whoever waits.
//! - nng allocates whatever length a peer claims unless told otherwise: the receive limit is set
//!   before the socket listens or dials.
//! - nng keeps what it has accepted and not sent for the *next* peer. Its own buffer is left at zero,
//!   so at most one frame is in its hands; a caller that attaches anew makes a new channel.
//! - A half-open TCP peer would block the place of the real one: keep-alive is on.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use nng::options::transport::ipc::Permissions;
use nng::options::transport::tcp::{KeepAlive, NoDelay};
use nng::options::{Options, ReconnectMaxTime, ReconnectMinTime, RecvBufferSize, RecvMaxSize, SendBufferSize};
use nng::{Aio, AioResult, ListenerBuilder, Message, Pipe, PipeEvent, Protocol, Socket};
use thiserror::Error;
use tokio::sync::{oneshot, watch};

use super::queue::Queue;
use super::reaper::{self, Remains};
use super::{Channel, Closed, Peer, SendError, Statistics};
use crate::Address;

/// Frames that nng may hold between the socket and the incoming queue; they are taken in batches.
const RECEIVE_BUFFER: i32 = 64;
/// How soon a dialler tries again, and at most how long it waits between tries.
const REDIAL: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));
/// A listening socket can be used by its owner alone.
const SOCKET_MODE: u32 = 0o600;

/// Bounds of a [`PairChannel`].
#[derive(Clone, Copy, Debug)]
pub struct PairOptions {
    /// The largest frame that is accepted from the peer, in bytes. nng ends the connection of a peer
    /// that claims more than twice as much; what lies between is read, counted, and ends it too.
    pub frame_max: usize,
    /// Frames that each direction holds.
    pub capacity: usize,
}

/// Why a socket cannot be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PairError {
    /// Another process listens at the address.
    #[error("cannot listen on {0}: another process does already")]
    InUse(Address),
    /// The address cannot be used.
    #[error("cannot use {address}: {reason}")]
    Unusable {
        /// The address.
        address: Address,
        /// What the operating system or nng said.
        reason: String,
    },
}

/// A Pair0 socket. Dropping it closes the socket in the background.
pub struct PairChannel {
    shared: Arc<Shared>,
    socket: Socket,
    sender: Aio,
    receiver: Aio,
}

/// What the completions use. They hold it, so it must hold no `Aio` (an `Aio` must not be freed by its
/// own completion).
struct Shared {
    socket: Socket,
    frame_max: usize,
    incoming: Queue,
    outgoing: Queue,
    sending: Mutex<Sending>,
    /// Receiving stopped because the incoming queue was full.
    paused: AtomicBool,
    link: Arc<Link>,
}

#[derive(Default)]
struct Sending {
    /// The sending `Aio` has a frame under way. While it has not, the outgoing queue is empty.
    busy: bool,
    /// Who waits in [`PairChannel::flush`].
    idle: Option<Waker>,
}

/// What the socket's pipe callback uses. The socket holds the callback, so this must not hold the socket.
struct Link {
    peer: watch::Sender<Peer>,
    /// The pipes in use. A peer that was refused leaves too, and a late farewell may come behind the
    /// successor's greeting, so "a pipe has gone" alone does not mean that nobody is there.
    pipes: Mutex<HashSet<Pipe>>,
    closing: AtomicBool,
    sent: AtomicU64,
    received: AtomicU64,
    oversized: AtomicU64,
    lost_connections: AtomicU64,
}

impl PairChannel {
    /// Binds the address and waits for peers, one at a time; nng refuses a second one.
    ///
    /// # Errors
    /// The address is in use or cannot be bound.
    pub fn listen(address: &Address, options: PairOptions) -> Result<Self, PairError> {
        let channel = Self::open(address, options)?;
        let failed = |error| refusal(address, error);
        let builder = ListenerBuilder::new(&channel.socket, address.as_str()).map_err(failed)?;
        if address.path().is_some() {
            builder.set_opt::<Permissions>(SOCKET_MODE).map_err(failed)?;
        }
        builder.start().map_err(|(_, error)| failed(error))?;
        Ok(channel)
    }

    /// Connects to the address, now or as soon as somebody listens there, and again after every loss.
    ///
    /// # Errors
    /// The address cannot be used at all.
    pub fn dial(address: &Address, options: PairOptions) -> Result<Self, PairError> {
        let channel = Self::open(address, options)?;
        channel.socket.dial_async(address.as_str()).map_err(|error| refusal(address, error))?;
        Ok(channel)
    }

    fn open(address: &Address, options: PairOptions) -> Result<Self, PairError> {
        let failed = |error| refusal(address, error);
        let socket = Socket::new(Protocol::Pair0).map_err(failed)?;
        socket.set_opt::<RecvMaxSize>(options.frame_max.saturating_mul(2)).map_err(failed)?;
        socket.set_opt::<RecvBufferSize>(RECEIVE_BUFFER).map_err(failed)?;
        socket.set_opt::<SendBufferSize>(0).map_err(failed)?;
        socket.set_opt::<ReconnectMinTime>(Some(REDIAL.0)).map_err(failed)?;
        socket.set_opt::<ReconnectMaxTime>(Some(REDIAL.1)).map_err(failed)?;
        if address.path().is_none() {
            socket.set_opt::<KeepAlive>(true).map_err(failed)?;
            socket.set_opt::<NoDelay>(true).map_err(failed)?;
        }
        let link = Arc::new(Link::new());
        let events = link.clone();
        socket.pipe_notify(move |pipe, event| events.notice(pipe, event)).map_err(failed)?;

        let shared = Arc::new(Shared {
            socket: socket.clone(),
            frame_max: options.frame_max,
            incoming: Queue::new(options.capacity),
            outgoing: Queue::new(options.capacity),
            sending: Mutex::new(Sending::default()),
            paused: AtomicBool::new(false),
            link,
        });
        let (sends, receives) = (shared.clone(), shared.clone());
        let sender = Aio::new(move |aio, result| sends.sent(&aio, result)).map_err(failed)?;
        let receiver = Aio::new(move |aio, result| receives.received(&aio, result)).map_err(failed)?;
        socket.recv_async(&receiver).map_err(failed)?;
        Ok(Self { shared, socket, sender, receiver })
    }

    /// Waits until everything accepted so far has been handed to the transport.
    ///
    /// # Errors
    /// [`Closed`] when this end was closed.
    pub async fn flush(&self) -> Result<(), Closed> {
        poll_fn(|context| self.shared.poll_idle(context)).await
    }

    fn dispose(&self, done: Option<oneshot::Sender<()>>) {
        if self.shared.link.closing.swap(true, Ordering::AcqRel) {
            return;
        }
        self.shared.incoming.close();
        self.shared.outgoing.close();
        let aios = [self.sender.clone(), self.receiver.clone()];
        reaper::dispose(Remains { socket: self.socket.clone(), aios, done });
    }
}

impl Drop for PairChannel {
    fn drop(&mut self) {
        self.dispose(None);
    }
}

impl Channel for PairChannel {
    fn try_send(&self, frame: Bytes) -> Result<(), SendError> {
        if self.shared.link.closing.load(Ordering::Acquire) {
            return Err(SendError::Closed);
        }
        let mut sending = self.shared.sending();
        if sending.busy {
            return self.shared.outgoing.push(frame);
        }
        // The short way: nothing waits and the transport takes it at once, on this thread.
        match self.socket.try_send(Message::from(&frame[..])) {
            Ok(()) => {
                self.shared.link.sent.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err((message, nng::Error::TryAgain)) => {
                let submitted = self.socket.send_async(&self.sender, message);
                sending.busy = submitted.is_ok();
                submitted.map_err(|_| SendError::Closed)
            }
            Err(_) => Err(SendError::Closed),
        }
    }

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.shared.outgoing.poll_room(context)
    }

    fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Result<Bytes, Closed>> {
        let frame = self.shared.incoming.poll_pop(context);
        if self.shared.paused.load(Ordering::Acquire)
            && self.shared.incoming.is_half_empty()
            && self.shared.paused.swap(false, Ordering::AcqRel)
        {
            // An error means that the socket is closed, which the queue tells as well.
            let _ = self.socket.recv_async(&self.receiver);
        }
        frame
    }

    fn peer(&self) -> watch::Receiver<Peer> {
        self.shared.link.peer.subscribe()
    }

    fn statistics(&self) -> Statistics {
        let link = &self.shared.link;
        let busy = self.shared.sending().busy;
        Statistics {
            sent: link.sent.load(Ordering::Relaxed),
            received: link.received.load(Ordering::Relaxed),
            waiting: self.shared.outgoing.len() as u64 + u64::from(busy),
            oversized: link.oversized.load(Ordering::Relaxed),
            lost_connections: link.lost_connections.load(Ordering::Relaxed),
        }
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (done, closed) = oneshot::channel();
        self.dispose(Some(done));
        Box::pin(async move {
            // An error means that the socket was closed before.
            let _ = closed.await;
        })
    }
}

impl Shared {
    fn sending(&self) -> MutexGuard<'_, Sending> {
        // A panic while the lock is held cannot leave the state half-changed.
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_idle(&self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let mut sending = self.sending();
        if self.link.closing.load(Ordering::Acquire) {
            return Poll::Ready(Err(Closed));
        }
        if !sending.busy {
            return Poll::Ready(Ok(()));
        }
        sending.idle = Some(context.waker().clone());
        Poll::Pending
    }

    /// The transport has taken a frame: give it the next one.
    fn sent(&self, aio: &Aio, result: AioResult) {
        let mut sending = self.sending();
        if let AioResult::Send(Ok(())) = result {
            self.link.sent.fetch_add(1, Ordering::Relaxed);
            if let Some(next) = self.outgoing.pop()
                && self.socket.send_async(aio, Message::from(&next[..])).is_ok()
            {
                return;
            }
        }
        sending.busy = false;
        let idle = sending.idle.take();
        drop(sending);
        if let Some(waker) = idle {
            waker.wake();
        }
    }

    /// A frame has arrived: take it and all that wait behind it, as long as there is room.
    fn received(&self, aio: &Aio, result: AioResult) {
        let AioResult::Recv(Ok(first)) = result else { return };
        self.accept(first);
        loop {
            if self.incoming.is_full() {
                self.paused.store(true, Ordering::Release);
                // The reader may have made room just before it could see the flag.
                if self.incoming.is_full() || !self.paused.swap(false, Ordering::AcqRel) {
                    return;
                }
            }
            match self.socket.try_recv() {
                Ok(message) => self.accept(message),
                Err(nng::Error::TryAgain) => break,
                Err(_) => return,
            }
        }
        // An error means that the socket is closed.
        let _ = self.socket.recv_async(aio);
    }

    fn accept(&self, mut message: Message) {
        if message.len() > self.frame_max {
            self.link.oversized.fetch_add(1, Ordering::Relaxed);
            if let Some(pipe) = message.pipe() {
                pipe.close();
            }
            return;
        }
        self.link.received.fetch_add(1, Ordering::Relaxed);
        // Closed is the only error: the room was checked, and nobody else adds frames.
        let _ = self.incoming.push(Bytes::from_owner(Frame(message)));
    }
}

/// A received message as the owner of its bytes, so that they need not be copied.
struct Frame(Message);

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Link {
    fn new() -> Self {
        Self {
            peer: watch::channel(Peer::default()).0,
            pipes: Mutex::default(),
            closing: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            oversized: AtomicU64::new(0),
            lost_connections: AtomicU64::new(0),
        }
    }

    fn notice(&self, pipe: Pipe, event: PipeEvent) {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            PipeEvent::AddPost => {
                pipes.insert(pipe);
                self.peer.send_modify(|peer| {
                    peer.connected = true;
                    peer.connections += 1;
                });
            }
            PipeEvent::RemovePost if pipes.remove(&pipe) => {
                if !self.closing.load(Ordering::Acquire) {
                    self.lost_connections.fetch_add(1, Ordering::Relaxed);
                }
                let connected = !pipes.is_empty();
                self.peer.send_modify(|peer| peer.connected = connected);
            }
            _ => {}
        }
    }
}

fn refusal(address: &Address, error: nng::Error) -> PairError {
    let address = address.clone();
    match error {
        nng::Error::AddressInUse => PairError::InUse(address),
        other => PairError::Unusable { address, reason: other.to_string() },
    }
}
