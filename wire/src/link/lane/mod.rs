//! A lane: the traffic of one module over a link, both ways, for the life of one attach.
//!
//! Each direction numbers its parcels from 1, and its receiver settles them cumulatively. What is not settled
//! is kept by its sender. Connections come and go below a lane: the next one goes on where the last broke off.
//!
//! Locks: a [`Lanes`](super::Lanes) may lock a lane while it holds its own lock, never the other way round.
//! Wakers are called when neither is held.

mod carried;
mod carrying;
mod incoming;
mod outgoing;
mod ringed;
mod segments;

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use thiserror::Error;
use tokio::sync::watch;

use super::lanes::Connection;
use super::{Parcel, Violation, Window};
use incoming::Incoming;
use outgoing::Outgoing;
use ringed::Ringed;
use segments::Segments;

pub(super) use carried::Resumed;
pub use segments::{Segment, SegmentRequest};

/// One end of a lane. Clones are handles of the same end.
///
/// It is used by at most one receiving and one sending task at a time: each direction remembers one waker. It
/// knows no runtime, so a waker may belong to anything. Add it to one [`Lanes`](super::Lanes) to have it carried.
#[derive(Clone)]
pub struct Lane {
    shared: Arc<Shared>,
}

struct Shared {
    module: u32,
    epoch: u32,
    window: Window,
    /// Whether rings may carry it.
    by_rings: bool,
    state: Mutex<State>,
    connected: watch::Sender<bool>,
}

struct State {
    outgoing: Outgoing,
    incoming: Incoming,
    segments: Segments,
    /// The connection that carries the lane now.
    connection: Option<Connection>,
    /// What carries its parcels, where it is not the connection's socket.
    ring: Option<Ringed>,
    /// Something waits for room in the rings; and does not any more, which the connection is not told yet.
    held_back: bool,
    all_sent: bool,
    /// Something has come out of the rings, and more is not looked for yet.
    stopped_short: bool,
    /// There is room in the rings for more of what is to be sent, and it is others' turn.
    writes_on: bool,
    /// What the peer has done that no honest peer does, until the connection is told.
    broken: Option<(Connection, Violation)>,
    /// The connection's writer knows that there is something to send.
    announced: bool,
    closed: bool,
    resumed: u64,
    /// Who waits for room.
    producer: Option<Waker>,
    /// Who waits for an arrival.
    consumer: Option<Waker>,
}

/// What a lane's receiver gets, in the order in which it arrived.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// A parcel of the peer, to be settled once it is done with.
    Parcel {
        /// Its number.
        sequence: u64,
        /// The parcel.
        parcel: Parcel,
    },
    /// The peer is done with every parcel up to this one. What it sent before it said so came before.
    Settled(u64),
}

/// A parcel that the peer has not settled when its lane was closed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unsettled {
    /// Its number in the closed lane.
    pub sequence: u64,
    /// The parcel.
    pub parcel: Parcel,
    /// Whether a connection was given it, so that the peer may have seen it.
    pub sent: bool,
}

/// Counters of one lane end, since it was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LaneStatistics {
    /// Parcels given to a connection, each counted once.
    pub sent: u64,
    /// Parcels given to a further connection, because the one before broke.
    pub resent: u64,
    /// Parcels that the peer has settled.
    pub settled: u64,
    /// Parcels that are kept for the peer to settle, and the bytes of their payloads.
    pub unsettled: u64,
    /// Bytes of these.
    pub unsettled_bytes: u64,
    /// Parcels that arrived, without duplicates.
    pub received: u64,
    /// Parcels that arrived once more and were dropped.
    pub duplicates: u64,
    /// Parcels that arrived and that this end has settled.
    pub done: u64,
    /// Of these, parcels of which the peer was told so on this connection.
    pub told: u64,
    /// Connections that have carried the lane.
    pub connections: u64,
}

/// This end of the lane was closed.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the lane is closed")]
pub struct Closed;

/// Why a parcel was not taken.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum LaneSendError {
    /// The peer's window is used up; here is the parcel.
    #[error("the lane is full")]
    Full(Parcel),
    /// No link carries a parcel of this size ([`Parcel::size`]); here it is.
    #[error("the parcel is too large for a link")]
    TooLarge(Parcel),
    /// This end was closed.
    #[error("the lane is closed")]
    Closed,
}

impl Lane {
    /// A lane of a module, in the epoch of one attach. `window` is what the peer may have unsettled towards
    /// this end, and the most that this end keeps for the peer, whatever the peer allows. Zero counts as one.
    #[must_use]
    pub fn new(module: u32, epoch: u32, window: Window) -> Self {
        Self::make(module, epoch, window, true)
    }

    /// A lane as [`Lane::new`] makes it, which goes over the socket also where there are rings.
    #[must_use]
    pub fn on_socket(module: u32, epoch: u32, window: Window) -> Self {
        Self::make(module, epoch, window, false)
    }

    fn make(module: u32, epoch: u32, window: Window, by_rings: bool) -> Self {
        let window = window.at_least_one();
        let state = State {
            outgoing: Outgoing::new(window),
            incoming: Incoming::new(window),
            segments: Segments::default(),
            connection: None,
            ring: None,
            held_back: false,
            all_sent: false,
            stopped_short: false,
            writes_on: false,
            broken: None,
            announced: false,
            closed: false,
            resumed: 0,
            producer: None,
            consumer: None,
        };
        let connected = watch::channel(false).0;
        let state = Mutex::new(state);
        Self { shared: Arc::new(Shared { module, epoch, window, by_rings, state, connected }) }
    }

    /// The module's number on the link.
    #[must_use]
    pub fn module(&self) -> u32 {
        self.shared.module
    }

    /// Which attach of the module.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.shared.epoch
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave the state half-changed.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a parcel, numbers it, and keeps it until the peer settles it. It is sent as soon as a connection
    /// carries the lane and the peer has room.
    ///
    /// # Errors
    /// [`LaneSendError::Full`] when the peer's window is used up, or this end's own where that is smaller or
    /// the peer has not told its one yet. [`LaneSendError::TooLarge`], which no waiting mends, and
    /// [`LaneSendError::Closed`].
    pub fn try_send(&self, parcel: Parcel) -> Result<u64, LaneSendError> {
        let Ok(size) = parcel.size() else { return Err(LaneSendError::TooLarge(parcel)) };
        let mut state = self.lock();
        if state.closed {
            return Err(LaneSendError::Closed);
        }
        if state.outgoing.is_full() {
            state.note_settled();
        }
        if state.outgoing.is_full() {
            let after = state.after();
            drop(state);
            after.run();
            return Err(LaneSendError::Full(parcel));
        }
        let sequence = state.outgoing.push(parcel, size);
        self.send_on(state);
        Ok(sequence)
    }

    /// Waits for room. Who waits is woken when half of the peer's window is free.
    ///
    /// # Errors
    /// [`Closed`] when this end was closed.
    pub fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let mut state = self.lock();
        if state.closed {
            return Poll::Ready(Err(Closed));
        }
        if state.outgoing.is_full() {
            state.look_for_room();
        }
        let full = state.outgoing.is_full();
        // Otherwise it is for others.
        let goes_on = full && state.goes_on();
        let after = state.after_for_the_producer();
        if full {
            remember(&mut state.producer, context);
        }
        drop(state);
        after.run();
        if goes_on {
            context.waker().wake_by_ref();
        }
        if full { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// Sends a parcel, waiting for room.
    ///
    /// # Errors
    /// Those of [`Lane::try_send`], but never `Full`.
    pub async fn send(&self, mut parcel: Parcel) -> Result<u64, LaneSendError> {
        loop {
            match self.try_send(parcel) {
                Err(LaneSendError::Full(back)) => parcel = back,
                other => return other,
            }
            poll_fn(|context| self.poll_ready(context)).await.map_err(|Closed| LaneSendError::Closed)?;
        }
    }

    /// Waits until the peer has settled everything that was taken. It is for the sending task, as
    /// [`Lane::poll_ready`] is.
    ///
    /// # Errors
    /// [`Closed`] when this end was closed.
    pub async fn all_settled(&self) -> Result<(), Closed> {
        poll_fn(|context| {
            let mut state = self.lock();
            if state.closed {
                return Poll::Ready(Err(Closed));
            }
            if state.outgoing.kept() > 0 {
                state.look_for_room();
            }
            let settled = state.outgoing.kept() == 0;
            let goes_on = !settled && state.goes_on();
            let after = state.after_for_the_producer();
            if !settled {
                // Woken when half of the window is free, so once more at the latest when all of it is.
                remember(&mut state.producer, context);
            }
            drop(state);
            after.run();
            if goes_on {
                context.waker().wake_by_ref();
            }
            if settled { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }

    /// Says that every parcel that arrived up to this one is done with; only the newest of several may be
    /// told. A gateway learns it behind every parcel that [`Lane::try_send`] has taken before: so it vouches
    /// for them. A host learns it as soon as may be. A closed lane tells nothing more.
    pub fn settle(&self, sequence: u64) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        let after = state.outgoing.taken();
        state.incoming.settle(sequence, after);
        self.send_on(state);
    }

    /// Takes the oldest arrival. What arrived before this end was closed can still be taken.
    ///
    /// # Errors
    /// [`Closed`] when this end was closed and nothing is left.
    pub fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Result<Arrival, Closed>> {
        let mut state = self.lock();
        state.take_some_in();
        let arrival = match state.incoming.next() {
            Some(arrival) => {
                // It does not wait any more, and may not ask again for long.
                state.consumer = None;
                Poll::Ready(Ok(arrival))
            }
            None if state.closed => Poll::Ready(Err(Closed)),
            None => {
                remember(&mut state.consumer, context);
                Poll::Pending
            }
        };
        // Otherwise it is for who waits for room.
        let goes_on = arrival.is_pending() && state.goes_on();
        let after = state.after();
        drop(state);
        after.run();
        if goes_on {
            // Other tasks have a turn, and then this.
            context.waker().wake_by_ref();
        }
        arrival
    }

    /// Whether there is something in the rings that is no arrival yet: more of a large parcel, or what lies behind it. Who
    /// takes arrivals has to come back for it.
    #[must_use]
    pub fn has_more(&self) -> bool {
        let mut state = self.lock();
        // What is wrong with it is found out by who takes it.
        state.ring.as_mut().is_some_and(|ring| ring.has_more().unwrap_or(true))
    }

    /// Waits for the next arrival.
    ///
    /// # Errors
    /// [`Closed`] when this end was closed and nothing is left.
    pub async fn recv(&self) -> Result<Arrival, Closed> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// Whether a connection carries the lane now.
    #[must_use]
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.shared.connected.subscribe()
    }

    /// How many parcels are kept because the peer has not settled them.
    #[must_use]
    pub fn unsettled(&self) -> u64 {
        self.noted().outgoing.kept() as u64
    }

    /// What happened so far.
    #[must_use]
    pub fn statistics(&self) -> LaneStatistics {
        let state = self.noted();
        LaneStatistics {
            sent: state.outgoing.sent(),
            resent: state.outgoing.resent(),
            settled: state.outgoing.settled(),
            unsettled: state.outgoing.kept() as u64,
            unsettled_bytes: state.outgoing.kept_bytes(),
            received: state.incoming.received(),
            duplicates: state.incoming.duplicates(),
            done: state.incoming.settled(),
            told: state.incoming.told_here(),
            connections: state.resumed,
        }
    }

    /// Ends this end and gives back, in order, what the peer has not settled.
    ///
    /// What has arrived stays and is to be taken to its end: a parcel that the peer has settled is not given
    /// back, and what it made of it may be among the arrivals. Nothing arrives any more. A gateway's end gives the
    /// module's segments back. A second call gives nothing.
    #[must_use = "what the peer has not settled is lost with it"]
    pub fn close(&self) -> Vec<Unsettled> {
        let mut state = self.lock();
        state.leave_rings();
        state.closed = true;
        let connection = state.connection.take();
        let was_held_back = std::mem::take(&mut state.held_back);
        let unsettled = state.outgoing.drain();
        let segments = state.segments.close();
        let wakers = [state.producer.take(), state.consumer.take()];
        drop(state);
        wakers.into_iter().for_each(wake);
        segments.wake();
        // A Bye may have waited for what is not sent any more.
        connection.iter().filter(|_| was_held_back).for_each(Connection::wake_writer);
        self.show_connected();
        unsettled
    }

    /// The state, in which at a host note is taken of everything that the gateway has settled.
    fn noted(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.note_settled();
        let after = state.after();
        drop(state);
        after.run();
        self.lock()
    }

    /// Sends what was just taken, or has the connection's writer do it.
    fn send_on(&self, mut state: MutexGuard<'_, State>) {
        state.send_through_rings();
        let after = state.after();
        let connection = state.announce();
        drop(state);
        after.run();
        self.tell(connection);
    }

    /// Tells a connection's writer that there is something to send.
    fn tell(&self, connection: Option<Connection>) {
        if let Some(connection) = connection {
            connection.announce(self.clone());
        }
    }

    /// Shows watchers whether a connection carries the lane, and what it has left in the end to who waits. What
    /// watchers see is looked up under their lock, so that of two changes at once the newer one is seen last.
    pub(super) fn show_connected(&self) {
        let mut state = self.lock();
        let consumer = if state.incoming.is_empty() { None } else { state.consumer.take() };
        let producer = state.producer_to_wake();
        drop(state);
        wake(consumer);
        wake(producer);
        self.shared.connected.send_if_modified(|shown| {
            let now = self.lock().connection.is_some();
            std::mem::replace(shown, now) != now
        });
    }
}

impl State {
    fn has_something_to_send(&self) -> bool {
        let by_socket = self.ring.is_none();
        (by_socket && (self.outgoing.has_next() || self.incoming.is_due(self.vouched_for())))
            || self.segments.has_due()
    }

    /// Up to here outgoing parcels are in front of a settling that is told now. Only what a host tells has to
    /// wait for any. If both ends waited, each could wait for the other to make room.
    fn vouched_for(&self) -> u64 {
        let written = self.outgoing.written();
        self.connection.as_ref().map_or(written, |connection| connection.side().vouched_for(written))
    }

    /// The connection whose writer is to be told that there is something to send, once no lock is held.
    fn announce(&mut self) -> Option<Connection> {
        if self.announced || !self.has_something_to_send() {
            return None;
        }
        let connection = self.connection.clone()?;
        self.announced = true;
        Some(connection)
    }
}

fn remember(slot: &mut Option<Waker>, context: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(context.waker()),
        None => *slot = Some(context.waker().clone()),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
