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

use std::future::poll_fn;
use std::os::unix::fs::FileTypeExt;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use nng::options::transport::ipc::Permissions;
use nng::options::transport::tcp::{KeepAlive, NoDelay};
use nng::options::{
    Options, ReconnectMaxTime, ReconnectMinTime, RecvBufferSize, RecvMaxSize, SendBufferSize,
};
use nng::{Aio, AioResult, ListenerBuilder, Message, Protocol, Socket};
use thiserror::Error;
use tokio::sync::watch;

use super::presence::Presence;
use super::queue::{Queue, wake};
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
    /// Whether the socket is closed and its address is free.
    closed: Arc<watch::Sender<bool>>,
}

/// What the completions use. They hold it, so it must hold no `Aio` (an `Aio` must not be freed by its
/// own completion).
///
/// Operations are started under the lock of their direction and never once the channel is closing:
/// nng would keep one that starts while the socket closes, and never complete it. No waker is called
/// under a lock, since a waker may do anything, drop the channel included.
struct Shared {
    socket: Socket,
    frame_max: usize,
    incoming: Queue,
    outgoing: Queue,
    sending: Mutex<Sending>,
    receiving: Mutex<Receiving>,
    presence: Arc<Presence>,
}

#[derive(Default)]
struct Sending {
    /// The sending `Aio` has a frame under way. While it has not, the outgoing queue is empty.
    busy: bool,
    /// Who waits in [`PairChannel::flush`].
    idle: Option<Waker>,
}

#[derive(Default)]
struct Receiving {
    /// Receiving stopped because the incoming queue was full; whoever makes room starts it again.
    paused: bool,
}

impl PairChannel {
    /// Binds the address and waits for peers, one at a time; nng refuses a second one.
    ///
    /// # Errors
    /// The address is in use or cannot be bound.
    pub fn listen(address: &Address, options: PairOptions) -> Result<Self, PairError> {
        refuse_other_files(address)?;
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
        // Zero would mean no limit.
        let receive_max = options.frame_max.saturating_mul(2).clamp(1, u32::MAX as usize);
        socket.set_opt::<RecvMaxSize>(receive_max).map_err(failed)?;
        socket.set_opt::<RecvBufferSize>(RECEIVE_BUFFER).map_err(failed)?;
        socket.set_opt::<SendBufferSize>(0).map_err(failed)?;
        socket.set_opt::<ReconnectMinTime>(Some(REDIAL.0)).map_err(failed)?;
        socket.set_opt::<ReconnectMaxTime>(Some(REDIAL.1)).map_err(failed)?;
        if address.path().is_none() {
            socket.set_opt::<KeepAlive>(true).map_err(failed)?;
            socket.set_opt::<NoDelay>(true).map_err(failed)?;
        }
        let presence = Arc::new(Presence::new());
        let events = presence.clone();
        socket.pipe_notify(move |pipe, event| events.notice(pipe, event)).map_err(failed)?;

        let shared = Arc::new(Shared {
            socket: socket.clone(),
            frame_max: options.frame_max,
            incoming: Queue::new(options.capacity),
            outgoing: Queue::new(options.capacity),
            sending: Mutex::new(Sending::default()),
            receiving: Mutex::default(),
            presence,
        });
        let (sends, receives) = (shared.clone(), shared.clone());
        let sender = Aio::new(move |aio, result| sends.sent(&aio, result)).map_err(failed)?;
        let receiver = Aio::new(move |aio, result| receives.received(&aio, result)).map_err(failed)?;
        socket.recv_async(&receiver).map_err(failed)?;
        Ok(Self { shared, socket, sender, receiver, closed: Arc::new(watch::channel(false).0) })
    }

    /// Waits until everything accepted so far has been handed to the transport.
    ///
    /// # Errors
    /// [`Closed`] when this end was closed.
    pub async fn flush(&self) -> Result<(), Closed> {
        poll_fn(|context| self.shared.poll_idle(context)).await
    }

    fn dispose(&self) {
        let idle = {
            let mut sending = self.shared.sending();
            let _receiving = self.shared.receiving();
            if self.shared.presence.closing.swap(true, Ordering::AcqRel) {
                return;
            }
            sending.idle.take()
        };
        wake(idle);
        self.shared.incoming.close();
        self.shared.outgoing.close();
        let aios = [self.sender.clone(), self.receiver.clone()];
        reaper::dispose(Remains { socket: self.socket.clone(), aios, closed: self.closed.clone() });
    }
}

impl Drop for PairChannel {
    fn drop(&mut self) {
        self.dispose();
    }
}

impl Channel for PairChannel {
    fn try_send(&self, frame: Bytes) -> Result<(), SendError> {
        let mut sending = self.shared.sending();
        if self.shared.presence.is_closing() {
            return Err(SendError::Closed);
        }
        if sending.busy {
            return self.shared.outgoing.push(frame);
        }
        // The short way: nothing waits and the transport takes it at once, on this thread.
        match self.socket.try_send(Message::from(&frame[..])) {
            Ok(()) => {
                self.shared.presence.sent.fetch_add(1, Ordering::Relaxed);
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
        self.shared.resume(&self.receiver);
        frame
    }

    fn peer(&self) -> watch::Receiver<Peer> {
        self.shared.presence.watch()
    }

    fn statistics(&self) -> Statistics {
        // Under the lock no frame is between two counters.
        let sending = self.shared.sending();
        let waiting = self.shared.outgoing.len() as u64 + u64::from(sending.busy);
        Statistics { waiting, ..self.shared.presence.statistics() }
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.dispose();
        let mut closed = self.closed.subscribe();
        Box::pin(async move {
            // An error means that the channel is gone, and its socket with it.
            let _ = closed.wait_for(|closed| *closed).await;
        })
    }
}

impl Shared {
    fn sending(&self) -> MutexGuard<'_, Sending> {
        // A panic while the lock is held cannot leave the state half-changed.
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receiving(&self) -> MutexGuard<'_, Receiving> {
        self.receiving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_idle(&self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let mut sending = self.sending();
        if self.presence.is_closing() {
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
            self.presence.sent.fetch_add(1, Ordering::Relaxed);
            if !self.presence.is_closing()
                && let Some((next, producer)) = self.outgoing.pop()
            {
                sending.busy = self.socket.send_async(aio, Message::from(&next[..])).is_ok();
                drop(sending);
                wake(producer);
                return;
            }
        }
        sending.busy = false;
        let idle = sending.idle.take();
        drop(sending);
        wake(idle);
    }

    /// A frame has arrived: take it and all that wait behind it, as long as there is room.
    fn received(&self, aio: &Aio, result: AioResult) {
        // The only error is that the socket is closed.
        let AioResult::Recv(Ok(first)) = result else { return };
        self.accept(first);
        loop {
            if self.incoming.is_full() && self.pause() {
                return;
            }
            match self.socket.try_recv() {
                Ok(message) => self.accept(message),
                Err(nng::Error::TryAgain) => break,
                Err(_) => return,
            }
        }
        let receiving = self.receiving();
        self.receive(&receiving, aio);
    }

    /// Asks the socket for the next frame.
    fn receive(&self, _receiving: &Receiving, aio: &Aio) {
        if !self.presence.is_closing() {
            // An error means that the socket is closed, which the queue tells as well.
            let _ = self.socket.recv_async(aio);
        }
    }

    /// Stops receiving if there is no room. The reader takes a frame first and looks at the flag then,
    /// so either it sees the flag or this sees the room.
    fn pause(&self) -> bool {
        let mut receiving = self.receiving();
        receiving.paused = self.incoming.is_full();
        receiving.paused
    }

    /// Starts receiving again once half of the queue is free.
    fn resume(&self, aio: &Aio) {
        let mut receiving = self.receiving();
        if receiving.paused && self.incoming.is_half_empty() {
            receiving.paused = false;
            self.receive(&receiving, aio);
        }
    }

    fn accept(&self, mut message: Message) {
        if message.len() > self.frame_max {
            self.presence.oversized.fetch_add(1, Ordering::Relaxed);
            if let Some(pipe) = message.pipe() {
                pipe.close();
            }
            return;
        }
        self.presence.received.fetch_add(1, Ordering::Relaxed);
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

/// nng removes whatever stands at a socket's path and does not answer. Only a socket may go that way.
fn refuse_other_files(address: &Address) -> Result<(), PairError> {
    let metadata = address.path().and_then(|path| path.metadata().ok());
    match metadata {
        Some(metadata) if !metadata.file_type().is_socket() => {
            let reason = "there is a file of that name, and it is no socket".into();
            Err(PairError::Unusable { address: address.clone(), reason })
        }
        _ => Ok(()),
    }
}

fn refusal(address: &Address, error: nng::Error) -> PairError {
    let address = address.clone();
    match error {
        nng::Error::AddressInUse => PairError::InUse(address),
        other => {
            let missing = address.directory().filter(|directory| !directory.exists());
            let reason = match missing {
                Some(directory) => format!("there is no directory {}", directory.display()),
                None => other.to_string(),
            };
            PairError::Unusable { address, reason }
        }
    }
}
