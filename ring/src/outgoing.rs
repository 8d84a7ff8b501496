//! The ring that an end writes.

use std::ops::Range;

use crate::copy::Words;
use crate::layout::{HEAD, ORIGIN, TAIL, WORD};
use crate::sync::{AtomicU64, Ordering};
use crate::violation::Violation;

/// The upper bytes of a record's head, so that nothing else is taken for one.
pub(crate) const MARK: u64 = 0x73_67_72;

/// What came of pushing a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a record that was not pushed is lost"]
pub enum Push {
    /// It is in the ring; the peer sees it when it is published.
    Done,
    /// There is no room for it now.
    Full,
    /// There never is: it is longer than [`End::longest`](crate::End::longest).
    TooLong,
}

/// Where the writer is. Places are counted in words from the beginning of time, and are never counted back.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Which words of the arena the ring is: a power of two.
    ring: Range<usize>,
    /// Words at the ring's start that it keeps to while it is nearly empty: a power of two.
    rest: usize,
    /// Where the next record begins.
    tail: u64,
    /// Up to where all is published.
    published: u64,
    /// The place that lies at the ring's start.
    origin: u64,
    /// Up to where the peer has read, as far as is known.
    head: u64,
}

impl Outgoing {
    pub(crate) fn new(ring: Range<usize>, rest: usize) -> Self {
        Self { ring, rest, tail: 0, published: 0, origin: 0, head: 0 }
    }

    pub(crate) fn longest(&self) -> usize {
        self.ring.len() * WORD / 2
    }

    /// Writes a record if there is room.
    pub(crate) fn push(
        &mut self,
        words: &[AtomicU64],
        theirs: &[AtomicU64],
        parts: &[&[u8]],
        kind: u8,
    ) -> Result<Push, Violation> {
        let Some(length) = parts.iter().try_fold(0_usize, |sum, part| sum.checked_add(part.len())) else {
            return Ok(Push::TooLong);
        };
        if length > self.longest() {
            return Ok(Push::TooLong);
        }
        let needed = 1 + length.div_ceil(WORD);
        if !self.has_room(theirs, needed)? {
            return Ok(Push::Full);
        }
        let mut at = self.place();
        // A ring that is empty is used from its start again: one that never holds much touches few pages, and those
        // stay in the processor's cache. Looked at only where a stretch ends.
        let next_stretch = (at ^ (at + needed - 1)) & !(self.rest - 1) != 0;
        if at != 0 && next_stretch && self.rewind(theirs)? {
            at = 0;
        }
        let mut to = Words::new(&words[self.ring.clone()], at);
        // At most half of a megabyte, so this loses nothing.
        to.store(MARK << 40 | u64::from(kind) << 32 | length as u64);
        to.put(parts);
        self.tail += needed as u64;
        Ok(Push::Done)
    }

    /// Whether a record of so many bytes has room.
    pub(crate) fn fits(&mut self, theirs: &[AtomicU64], bytes: usize) -> Result<bool, Violation> {
        self.has_room(theirs, 1 + bytes.min(self.longest()).div_ceil(WORD))
    }

    fn has_room(&mut self, theirs: &[AtomicU64], needed: usize) -> Result<bool, Violation> {
        let limit = (self.ring.len() - needed) as u64;
        Ok(self.tail - self.head <= limit || self.tail - self.look(theirs)? <= limit)
    }

    /// Whether the peer has read everything.
    pub(crate) fn is_read(&mut self, theirs: &[AtomicU64]) -> Result<bool, Violation> {
        Ok(self.look(theirs)? == self.tail)
    }

    /// Looks up to where the peer has read.
    fn look(&mut self, theirs: &[AtomicU64]) -> Result<u64, Violation> {
        // With it, what the peer has read there: it may be overwritten.
        let head = theirs[HEAD].load(Ordering::Acquire);
        if head < self.head || head > self.published {
            return Err(Violation::Consumed { consumed: head, published: self.published });
        }
        self.head = head;
        Ok(head)
    }

    /// Begins at the ring's start, if the peer has read all there is. It sees that when it reads on, and not before.
    fn rewind(&mut self, theirs: &[AtomicU64]) -> Result<bool, Violation> {
        let is_empty = self.is_read(theirs)?;
        if is_empty {
            self.origin = self.tail;
        }
        Ok(is_empty)
    }

    /// Which word of the ring the next record begins at.
    fn place(&self) -> usize {
        // Less than the ring's length.
        ((self.tail - self.origin) & (self.ring.len() as u64 - 1)) as usize
    }

    /// Lets the peer see everything. Whether there was something.
    pub(crate) fn publish(&mut self, mine: &[AtomicU64]) -> bool {
        let pending = self.tail != self.published;
        if pending {
            mine[ORIGIN].store(self.origin, Ordering::Relaxed);
            mine[TAIL].store(self.tail, Ordering::Release);
            self.published = self.tail;
        }
        pending
    }
}
