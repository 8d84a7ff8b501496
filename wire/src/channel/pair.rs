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
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use nng::options::transport::tcp::{KeepAlive, NoDelay};
use nng::options::{Options, RecvBufferSize, RecvMaxSize, SendBufferSize};
use nng::{Aio, AioResult, Message, PipeEvent, Protocol, Socket};
use thiserror::Error;
use tokio::sync::watch;

use super::endpoint::{Endpoint, Role};
use super::keeper;
use super::presence::Presence;
use super::queue::{Queue, wake};
use super::reaper::{self, Remains};
use super::{Channel, Closed, Peer, SendError, Statistics};
use crate::Address;

/// Frames that nng may hold between the socket and the incoming queue; they are taken in batches.
const RECEIVE_BUFFER: i32 = 16;
/// How many completions do not look for further frames after one that found none.
const UNLOOKED: u32 = 16;
/// Frames beyond its capacity that a queue takes when a peer leaves: what nng held of it.
const RESCUED_MAX: usize = RECEIVE_BUFFER as usize + 2;
/// Bytes that a queue may always hold, whatever the largest frame.
const BUDGET_MIN: usize = 8 << 20;

/// Bounds of a [`PairChannel`].
#[derive(Clone, Copy, Debug)]
pub struct PairOptions {
    /// The largest frame that is accepted from the peer, in bytes. nng ends the connection of a peer
    /// that claims more than twice as much; what lies between is read, counted, and ends it too.
    pub frame_max: usize,
    /// Frames that each direction holds, as long as they have no more than twice `frame_max` bytes
    /// together, or 8 MiB where that is more; nng holds some 16 more of those that arrive.
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
    endpoint: Arc<Endpoint>,
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
    state: Reception,
    /// Frames that were rescued while the completion of an older one was still on its way.
    behind: Vec<Message>,
    /// Completions that do not look for further frames, because the last look was in vain. A look costs
    /// about as much as everything else that is done for a frame.
    unlooked: u32,
}

/// Who takes the next frame from the socket.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Reception {
    /// The receiving `Aio`, or its completion, which has not begun.
    #[default]
    Waiting,
    /// The completion, which takes all that it can get.
    Draining,
    /// Nobody: the incoming queue is full. Whoever makes room starts it again.
    Paused,
}

impl PairChannel {
    /// Binds the address and waits for peers, one at a time; nng refuses a second one.
    ///
    /// # Errors
    /// The address is in use or cannot be bound.
    pub fn listen(address: &Address, options: PairOptions) -> Result<Self, PairError> {
        refuse_other_files(address)?;
        Self::open(address, options, Role::Listens)
    }

    /// Connects to the address, now or as soon as somebody listens there, and again after every loss.
    ///
    /// # Errors
    /// The address cannot be used at all.
    pub fn dial(address: &Address, options: PairOptions) -> Result<Self, PairError> {
        Self::open(address, options, Role::Dials)
    }

    fn open(address: &Address, options: PairOptions, role: Role) -> Result<Self, PairError> {
        let failed = |error| refusal(address, error);
        let socket = Socket::new(Protocol::Pair0).map_err(failed)?;
        // Zero would mean no limit.
        let receive_max = options.frame_max.saturating_mul(2).clamp(1, u32::MAX as usize);
        socket.set_opt::<RecvMaxSize>(receive_max).map_err(failed)?;
        socket.set_opt::<RecvBufferSize>(RECEIVE_BUFFER).map_err(failed)?;
        socket.set_opt::<SendBufferSize>(0).map_err(failed)?;
        if address.path().is_none() {
            socket.set_opt::<KeepAlive>(true).map_err(failed)?;
            socket.set_opt::<NoDelay>(true).map_err(failed)?;
        }
        let presence = Arc::new(Presence::new());
        // The socket holds its callback, so the callback must not hold the socket.
        let inside = Arc::new(OnceLock::<(Weak<Shared>, Weak<Endpoint>)>::new());
        let (events, behind) = (presence.clone(), inside.clone());
        let notice = move |pipe, event| {
            let (shared, endpoint) = behind.get().cloned().unwrap_or_default();
            if event == PipeEvent::RemovePost
                && events.is_in_use(pipe)
                && let Some(shared) = shared.upgrade()
            {
                shared.rescue();
            }
            events.notice(pipe, event);
            if event == PipeEvent::RemovePost
                && let Some(endpoint) = endpoint.upgrade()
            {
                keeper::keep(&endpoint);
            }
        };
        socket.pipe_notify(notice).map_err(failed)?;

        let budget = options.frame_max.saturating_mul(2).max(BUDGET_MIN);
        let shared = Arc::new(Shared {
            socket: socket.clone(),
            frame_max: options.frame_max,
            incoming: Queue::new(options.capacity, budget),
            outgoing: Queue::new(options.capacity, budget),
            sending: Mutex::new(Sending::default()),
            receiving: Mutex::default(),
            presence: presence.clone(),
        });
        let (sends, receives) = (shared.clone(), shared.clone());
        let sender = Aio::new(move |aio, result| sends.sent(&aio, result)).map_err(failed)?;
        let receiver = Aio::new(move |aio, result| receives.received(&aio, result)).map_err(failed)?;
        socket.recv_async(&receiver).map_err(failed)?;
        let endpoint = Endpoint::open(socket.clone(), address.clone(), role, presence);
        let closed = Arc::new(watch::channel(false).0);
        match endpoint {
            Ok(endpoint) => {
                // Set once: the channel is new.
                let _ = inside.set((Arc::downgrade(&shared), Arc::downgrade(&endpoint)));
                Ok(Self { shared, socket, sender, receiver, endpoint, closed })
            }
            Err(error) => {
                shared.presence.closing.store(true, Ordering::Release);
                reaper::dispose(Remains { socket, aios: [sender, receiver], closed });
                Err(failed(error))
            }
        }
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
        self.endpoint.retire();
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
        let mut receiving = self.receiving();
        receiving.state = Reception::Draining;
        let mut consumer = self.accept(first);
        for frame in std::mem::take(&mut receiving.behind) {
            consumer = self.accept(frame).or(consumer);
        }
        drop(receiving);
        wake(consumer);
        while self.take_next(aio) {}
    }

    /// Takes one frame from the socket. False when the completion is done: nothing is left, or no room.
    fn take_next(&self, aio: &Aio) -> bool {
        let mut receiving = self.receiving();
        if self.presence.is_closing() {
            return false;
        }
        if self.incoming.is_full() {
            receiving.state = Reception::Paused;
            // The reader takes a frame first and looks at the state then, so either it sees this
            // state, or this sees the room.
            if self.incoming.is_full() {
                return false;
            }
            receiving.state = Reception::Draining;
        }
        if receiving.unlooked > 0 {
            receiving.unlooked -= 1;
            self.wait_for_more(&mut receiving, aio);
            return false;
        }
        match self.socket.try_recv() {
            Ok(message) => {
                let consumer = self.accept(message);
                drop(receiving);
                wake(consumer);
                true
            }
            Err(_) => {
                // Empty; any other error means that the socket is closed, which the queue tells.
                receiving.unlooked = UNLOOKED;
                self.wait_for_more(&mut receiving, aio);
                false
            }
        }
    }

    fn wait_for_more(&self, receiving: &mut Receiving, aio: &Aio) {
        receiving.state = Reception::Waiting;
        let _ = self.socket.recv_async(aio);
    }

    /// Starts receiving again once half of the queue is free.
    fn resume(&self, aio: &Aio) {
        let mut receiving = self.receiving();
        if receiving.state == Reception::Paused
            && self.incoming.is_half_empty()
            && !self.presence.is_closing()
        {
            self.wait_for_more(&mut receiving, aio);
        }
    }

    /// The peer's pipe is about to be stopped: takes all that nng still holds of it, even beyond the
    /// queue's capacity, by what nng's buffer holds at most.
    ///
    /// NNG 1.4 must not find its receive buffer full when it has stopped a pipe: a completion that comes
    /// late marks a frame as ready on a pipe that is no longer there, and the next receive crashes. It
    /// reports the removal before it stops the pipe, so this is early enough.
    fn rescue(&self) {
        let mut consumer = None;
        let mut receiving = self.receiving();
        while !self.presence.is_closing()
            && let Ok(message) = self.socket.try_recv()
        {
            match receiving.state {
                Reception::Waiting => receiving.behind.push(message),
                // Peers that come, send and go while nobody reads must not fill the memory.
                _ if self.incoming.is_overfull(RESCUED_MAX) => self.presence.count_dropped(),
                Reception::Draining | Reception::Paused => consumer = self.accept(message).or(consumer),
            }
        }
        drop(receiving);
        wake(consumer);
    }

    /// Queues a frame, and gives who is to be woken for it once the caller holds no lock.
    fn accept(&self, mut message: Message) -> Option<Waker> {
        let pipe = message.pipe();
        if message.len() > self.frame_max {
            self.presence.oversized.fetch_add(1, Ordering::Relaxed);
            if let Some(pipe) = pipe {
                pipe.close();
            }
            return None;
        }
        if let Some(pipe) = pipe {
            self.presence.hear(pipe);
        }
        self.presence.received.fetch_add(1, Ordering::Relaxed);
        self.incoming.add(Bytes::from_owner(Frame(message)))
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
