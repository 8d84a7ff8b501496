//! One side's end of a slot.

use std::sync::Arc;

use bytes::Bytes;

use crate::arena::Shared;
use crate::doorbell::Bell;
use crate::incoming::{Incoming, Next};
use crate::layout::{ACKNOWLEDGED, WANTS};
use crate::outgoing::{Outgoing, Push};
use crate::slots::Slot;
use crate::sync::{AtomicU64, Ordering, fence};
use crate::violation::Violation;

const WANTS_ROOM: u64 = 1;
const WANTS_ACKNOWLEDGEMENTS: u64 = 2;
const WANTS_RECORDS: u64 = 4;

/// What the peer has pushed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// What it is, which the caller gives a meaning.
    pub kind: u8,
    /// Its bytes.
    pub bytes: Bytes,
}

/// One side's end of a slot: it pushes records, takes those of its peer, and acknowledges them.
///
/// What it does is seen by the peer when [`End::publish`] is called, and the peer finds the slot's mark then
/// ([`Arena::take_ready`](crate::Arena::take_ready)): for records if it has found none when it
/// looked last, for room and acknowledgements if it wants them.
/// A mark says that there may be something, once. Whoever takes it takes records until there are none, or comes back
/// without a mark. A new end is looked at once without a mark, for what was there before it.
///
/// Dropping it leaves the slot.
#[derive(Debug)]
pub struct End {
    arena: Arc<Shared>,
    slot: Slot,
    outgoing: Outgoing,
    incoming: Incoming,
    /// What has been settled, and what of it the peer has been shown.
    settled: u64,
    settled_shown: u64,
    /// What the peer has settled, as far as is known.
    acknowledged: u64,
    wants: u64,
}

impl End {
    pub(crate) fn new(arena: Arc<Shared>, slot: Slot) -> Self {
        let (layout, side) = (&arena.layout, arena.side);
        let outgoing = Outgoing::new(layout.ring_of(slot.number, side), layout.rest());
        let incoming = Incoming::new(layout.ring_of(slot.number, side.other()));
        let (settled, settled_shown, acknowledged) = (0, 0, 0);
        let mut end =
            Self { arena, slot, outgoing, incoming, settled, settled_shown, acknowledged, wants: 0 };
        // Nobody has looked yet.
        end.want(WANTS_RECORDS);
        end
    }

    /// The slot that it is an end of.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// The bytes that a record can have: half of the ring's.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.outgoing.longest()
    }

    /// Writes a record, whose bytes are those of all parts one after the other. The peer sees it when it is published.
    ///
    /// # Errors
    /// The peer says that it has read what it cannot have.
    pub fn push(&mut self, parts: &[&[u8]], kind: u8) -> Result<Push, Violation> {
        let shared = &self.arena;
        let theirs = shared.line(self.slot.number, shared.side.other());
        let pushed = self.outgoing.push(&shared.words, theirs, parts, kind)?;
        if pushed == Push::Done {
            self.want_no_more(WANTS_ROOM);
        }
        Ok(pushed)
    }

    /// Lets the peer see what was pushed, read and acknowledged since the last time, and says whether to wake it.
    pub fn publish(&mut self) -> Bell {
        let shared = &self.arena;
        let mine = shared.line(self.slot.number, shared.side);
        let records = self.outgoing.publish(mine);
        let mut news = if records { WANTS_RECORDS } else { 0 };
        if self.incoming.publish(mine) {
            news |= WANTS_ROOM;
        }
        if self.settled != self.settled_shown {
            mine[ACKNOWLEDGED].store(self.settled, Ordering::Release);
            self.settled_shown = self.settled;
            news |= WANTS_ACKNOWLEDGEMENTS;
        }
        if news == 0 {
            return Bell::Silent;
        }
        // Between what is shown, and what the peer waits for or has taken the mark of.
        fence(Ordering::SeqCst);
        let peer = shared.side.other();
        if shared.line(self.slot.number, peer)[WANTS].load(Ordering::Relaxed) & news != 0 {
            return shared.doorbell(peer).mark(self.slot.number);
        }
        Bell::Silent
    }

    /// Whether there are records that the peer had published when this end looked last.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.incoming.is_loaded()
    }

    /// Looks what the peer has published, once all that was known of is taken. Whether there is something; if not, the
    /// slot is marked when there is.
    ///
    /// # Errors
    /// It says what cannot be.
    pub fn load(&mut self) -> Result<bool, Violation> {
        if self.look()? {
            return Ok(true);
        }
        if self.wants & WANTS_RECORDS != 0 {
            return Ok(false);
        }
        self.want(WANTS_RECORDS);
        self.look()
    }

    fn look(&mut self) -> Result<bool, Violation> {
        let shared = &self.arena;
        let is_there = self.incoming.load(shared.line(self.slot.number, shared.side.other()))?;
        if is_there {
            self.want_no_more(WANTS_RECORDS);
        }
        Ok(is_there)
    }

    /// The peer's next record.
    ///
    /// # Errors
    /// What is published is no record.
    pub fn pop(&mut self) -> Result<Option<Record>, Violation> {
        let mut bytes = Vec::new();
        let kind = self.pop_into(&mut bytes)?;
        Ok(kind.map(|kind| Record { kind, bytes: Bytes::from(bytes) }))
    }

    /// The peer's next record: its kind, and its bytes instead of what the buffer has held. Without one the buffer
    /// stays as it is. It never grows beyond [`End::longest`].
    ///
    /// # Errors
    /// What is published is no record.
    pub fn pop_into(&mut self, buffer: &mut Vec<u8>) -> Result<Option<u8>, Violation> {
        if !self.load()? {
            return Ok(None);
        }
        let shared = &self.arena;
        let Next { kind, length, mut words } = self.incoming.next(&shared.words)?;
        // What it holds already need not be made zero.
        buffer.resize(length, 0);
        words.fill(buffer);
        self.incoming.consume(length, shared.line(self.slot.number, shared.side));
        Ok(Some(kind))
    }

    /// Says that what came is settled up to this number, which the caller gives a meaning. A smaller one than before says
    /// nothing. The peer sees it when it is published.
    pub fn acknowledge(&mut self, number: u64) {
        self.settled = self.settled.max(number);
    }

    /// Up to which number the peer has settled what it got, `most` at most.
    ///
    /// # Errors
    /// It says less than before, or more than that.
    pub fn acknowledged(&mut self, most: u64) -> Result<u64, Violation> {
        let acknowledged = self.their_acknowledgement();
        let least = self.acknowledged;
        if acknowledged < least || acknowledged > most {
            return Err(Violation::Acknowledged { acknowledged, least, most });
        }
        if acknowledged > least {
            self.acknowledged = acknowledged;
            self.want_no_more(WANTS_ACKNOWLEDGEMENTS);
        }
        Ok(acknowledged)
    }

    fn their_acknowledgement(&self) -> u64 {
        let shared = &self.arena;
        shared.line(self.slot.number, shared.side.other())[ACKNOWLEDGED].load(Ordering::Acquire)
    }

    /// Wants the slot's mark when the peer has made room, until something is pushed. Whether there is room already for
    /// a record of so many bytes: then there is nothing to wait for. Only what is published can be read and make room, so
    /// whatever is pushed is published first.
    ///
    /// # Errors
    /// The peer says that it has read what it cannot have.
    pub fn want_room(&mut self, bytes: usize) -> Result<bool, Violation> {
        self.want(WANTS_ROOM);
        let shared = &self.arena;
        let theirs = shared.line(self.slot.number, shared.side.other());
        let fits = self.outgoing.fits(theirs, bytes)?;
        if fits {
            self.want_no_more(WANTS_ROOM);
        }
        Ok(fits)
    }

    /// Wants the slot's mark when the peer has read on, until something is pushed, whether there is room or not: for who
    /// has pushed enough for now. False when it has read everything: then it does not read on, and there is nothing to wait
    /// for. As with [`End::want_room`], whatever is pushed is published first.
    ///
    /// # Errors
    /// The peer says that it has read what it cannot have.
    pub fn want_reading(&mut self) -> Result<bool, Violation> {
        self.want(WANTS_ROOM);
        let shared = &self.arena;
        let theirs = shared.line(self.slot.number, shared.side.other());
        let is_read = self.outgoing.is_read(theirs)?;
        if is_read {
            self.want_no_more(WANTS_ROOM);
        }
        Ok(!is_read)
    }

    /// Wants the slot's mark when the peer acknowledges, until [`End::acknowledged`] finds something new. Whether there is
    /// something new already: then there is nothing to wait for.
    pub fn want_acknowledgements(&mut self) -> bool {
        self.want(WANTS_ACKNOWLEDGEMENTS);
        self.their_acknowledgement() != self.acknowledged
    }

    fn want(&mut self, what: u64) {
        self.wants |= what;
        self.mine()[WANTS].store(self.wants, Ordering::Relaxed);
        // Between this and the look whether it is there.
        fence(Ordering::SeqCst);
    }

    fn want_no_more(&mut self, what: u64) {
        if self.wants & what != 0 {
            self.wants &= !what;
            self.mine()[WANTS].store(self.wants, Ordering::Relaxed);
        }
    }

    fn mine(&self) -> &[AtomicU64] {
        self.arena.line(self.slot.number, self.arena.side)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.arena.leave(self.slot);
    }
}
