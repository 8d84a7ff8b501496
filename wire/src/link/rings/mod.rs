//! The rings of one connection: shared memory through which the parcels of its lanes go, past the socket.
//!
//! A [`Lane`] is what it is without them: it numbers, keeps, resends and settles. Only what the socket's frames of
//! kind Parcel and Settle would say goes another way. The socket still carries signals, heartbeats and segments, and
//! its end is the end of the rings.

mod bell;
mod handshake;
mod serving;
mod spin;
mod watch;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sandgate_ring::{Arena, End};
use tokio::sync::Notify;

use super::Lane;
use super::frame::Slot;
use bell::Bell;

pub(super) use handshake::establish;
pub(super) use serving::Serving;
pub use spin::Spin;
pub use watch::{RingWatch, WatchedRings};

/// Lanes that rings carry at a time. Further ones go over the socket.
const SLOTS: u32 = 1 << 14;

/// What a ring holds, in bytes. Pages are the system's until they are used, so that idle modules cost nothing.
pub(super) const RING_BYTES: u32 = 256 << 10;

/// The rings of one connection, at one end.
pub(super) struct Rings {
    arena: Arena,
    bell: Bell,
    /// Who is told when there is something at a slot. This lock may be taken while a lane's is held, never the other way
    /// round.
    lanes: Mutex<HashMap<u32, Lane>>,
    /// Slots of which the peer tells nothing more, and that are to be looked at all the same.
    again: Mutex<BTreeSet<u32>>,
    /// There are some now.
    has_again: Notify,
}

impl Rings {
    fn new(arena: Arena, bell: Bell) -> Self {
        Self { arena, bell, lanes: Mutex::default(), again: Mutex::default(), has_again: Notify::new() }
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<u32, Lane>> {
        // A panic while the lock is held cannot leave the table half-changed.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// At a gateway: rings for another lane, if there are any left.
    pub(super) fn allocate(&self) -> Option<End> {
        self.arena.allocate()
    }

    /// At a host: the rings that the gateway has chosen for a lane. `None`: there are none such, or they are in use.
    pub(super) fn take(&self, slot: Slot) -> Option<End> {
        let Slot { number, life } = slot;
        self.arena.end(sandgate_ring::Slot { number, life })
    }

    /// The lane is told from now on when there is something at its slot.
    pub(super) fn enter(&self, slot: u32, lane: Lane) {
        let before = self.lanes().insert(slot, lane);
        // May be the last of its lane: not under this lock.
        drop(before);
    }

    /// The lane is not told any more.
    pub(super) fn leave(&self, slot: u32) {
        let before = self.lanes().remove(&slot);
        drop(before);
    }

    /// Wakes the peer, which sleeps.
    pub(super) fn ring(&self) {
        self.bell.ring();
    }

    fn again(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        // As above.
        self.again.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lane of this slot has something to do, and others have their turn before. A gateway does not sleep before it is
    /// done; at a host whoever is there for the lane comes back in any case.
    pub(super) fn look_again(&self, slot: u32) {
        self.again().insert(slot);
        self.has_again.notify_one();
    }

    /// Tells the lanes at whose slots there is something. Says whether there was anything.
    pub(super) fn look(&self) -> bool {
        let again = std::mem::take(&mut *self.again());
        let once_more = again.len();
        again.into_iter().for_each(|slot| self.tell(slot));
        let found = self.arena.take_ready(|slot| self.tell(slot));
        once_more + found > 0
    }

    fn tell(&self, slot: u32) {
        let lane = self.lanes().get(&slot).cloned();
        // A peer may say what it likes of others.
        if let Some(lane) = lane {
            lane.on_ready();
        }
    }
}
