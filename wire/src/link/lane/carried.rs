//! A lane as its connection sees it. A connection that another has replaced, or whose lane was taken out of
//! the link or closed, finds that it does not carry the lane any more.

use std::task::Waker;

use sandgate_ring::End;

use super::carrying::After;
use super::ringed::Ringed;
use super::segments::{Due, Over};
use super::{Lane, State, wake};
use crate::link::connection::Batch;
use crate::link::lanes::Connection;
use crate::link::{Parcel, Violation, Window};

/// Frames of one lane in a row before another lane's turn comes.
const TURN: usize = 64;

/// What is to be done after a lane was resumed, when no lock is held.
#[must_use]
pub(in crate::link) struct Resumed {
    /// There is something to send, and the connection's writer does not know it yet.
    pub(in crate::link) is_to_be_announced: bool,
    /// The newest parcel that has arrived.
    pub(in crate::link) received: u64,
    /// Who may find room in the window that the peer has told.
    producer: Option<Waker>,
    /// Who waited for segments that this peer knows nothing of.
    segments: Over,
    after: After,
}

impl Resumed {
    /// To be called when no lock is held.
    pub(in crate::link) fn wake(self) {
        wake(self.producer);
        self.segments.wake();
        self.after.run();
    }
}

impl Lane {
    /// What the peer may have unsettled.
    pub(in crate::link) fn window(&self) -> Window {
        self.shared.window
    }

    /// Whether rings may carry it.
    pub(in crate::link) fn is_for_rings(&self) -> bool {
        self.shared.by_rings
    }

    /// The newest parcel that has arrived.
    pub(in crate::link) fn received(&self) -> u64 {
        self.lock().incoming.received()
    }

    pub(in crate::link) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// From now on this connection carries the lane, by this end of rings if there is one, whose peer has told what it has
    /// received and its window. `None`: the lane is closed. The caller shows it with [`Lane::show_connected`].
    pub(in crate::link) fn resume(
        &self,
        connection: Connection,
        received: u64,
        window: Window,
        end: Option<End>,
    ) -> Result<Option<Resumed>, Violation> {
        let mut state = self.lock();
        if state.closed {
            return Ok(None);
        }
        state.outgoing.resume(received, window)?;
        state.incoming.resume();
        let segments = state.segments.resume(connection.side(), connection.knows_segments());
        state.ring = end.zip(connection.rings()).map(|(end, rings)| {
            rings.enter(end.slot().number, self.clone());
            Ringed::new(rings.clone(), end, connection.side())
        });
        state.connection = Some(connection);
        state.resumed += 1;
        // Something may have come before there was a lane to tell of it.
        let after = state.on_ready();
        let is_to_be_announced = !state.announced && state.has_something_to_send();
        state.announced |= is_to_be_announced;
        let received = state.incoming.received();
        let producer = state.producer_to_wake();
        Ok(Some(Resumed { is_to_be_announced, received, producer, segments, after }))
    }

    /// No connection carries the lane any more. The caller shows it with [`Lane::show_connected`].
    pub(in crate::link) fn detach(&self) {
        let mut state = self.lock();
        state.leave_rings();
        state.connection = None;
        state.announced = false;
        state.segments.detach();
    }

    /// A parcel arrives. A duplicate is dropped and counted. Gives it back if the connection does not carry
    /// the lane.
    pub(in crate::link) fn arrive(
        &self,
        connection: u64,
        sequence: u64,
        size: u32,
        parcel: Parcel,
    ) -> Result<Option<Parcel>, Violation> {
        let mut state = self.lock();
        if !state.is_carried_by(connection) {
            return Ok(Some(parcel));
        }
        if state.incoming.arrive(sequence, size, parcel)? {
            let consumer = state.consumer.take();
            drop(state);
            wake(consumer);
        }
        Ok(None)
    }

    /// The peer settles some of this end's parcels. Says whether the connection carries the lane.
    pub(in crate::link) fn arrive_settled(&self, connection: u64, sequence: u64) -> Result<bool, Violation> {
        let mut state = self.lock();
        if !state.is_carried_by(connection) {
            return Ok(false);
        }
        if state.outgoing.settle(sequence)? {
            state.incoming.arrive_settled(sequence);
            // There may be room now for what was held back.
            let announced = state.announce();
            let wakers = [state.consumer.take(), state.producer_to_wake()];
            drop(state);
            wakers.into_iter().for_each(wake);
            self.tell(announced);
        }
        Ok(true)
    }

    /// Whether something waits for room in the rings.
    pub(in crate::link) fn is_held_back(&self) -> bool {
        let state = self.lock();
        state.ring.is_some() && state.held_back
    }

    /// Puts what there is to send into the batch, as far as this turn goes. Says whether there is more.
    pub(in crate::link) fn fill(&self, connection: u64, batch: &mut Batch) -> bool {
        let mut state = self.lock();
        if !state.is_carried_by(connection) {
            return false;
        }
        let state = &mut *state;
        let (module, epoch) = (self.shared.module, self.shared.epoch);
        while !batch.is_full()
            && let Some(Due { frame, memory }) = state.segments.take_due()
        {
            batch.segment(module, epoch, &frame, memory);
        }
        for _ in 0..TURN {
            if batch.is_full() || state.ring.is_some() {
                break;
            }
            let Some((sequence, size, parcel)) = state.outgoing.next() else { break };
            batch.parcel(module, epoch, sequence, size, parcel);
        }
        let vouched_for = state.vouched_for();
        if state.ring.is_none()
            && let Some(sequence) = state.incoming.take_due(vouched_for)
        {
            batch.settle(module, epoch, sequence);
        }
        state.announced = state.has_something_to_send();
        state.announced
    }
}

impl State {
    pub(super) fn is_carried_by(&self, connection: u64) -> bool {
        self.connection.as_ref().is_some_and(|carrier| carrier.number() == connection)
    }

    /// A waiting producer is woken when half of the window is free, so that it works in batches.
    pub(super) fn producer_to_wake(&mut self) -> Option<Waker> {
        if self.outgoing.is_half_free() { self.producer.take() } else { None }
    }
}
