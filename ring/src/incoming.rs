//! The ring that an end reads. What it finds there a hostile process may have written.

use std::ops::Range;

use crate::copy::Words;
use crate::layout::{HEAD, ORIGIN, TAIL, WORD};
use crate::outgoing::MARK;
use crate::sync::{AtomicU64, Ordering};
use crate::violation::Violation;

/// Where the reader is, in the same places as the writer.
#[derive(Debug)]
pub(crate) struct Incoming {
    ring: Range<usize>,
    /// Where the next record begins.
    head: u64,
    /// Up to where the peer has been shown that all is read.
    shown: u64,
    /// Up to where it has been told so: it may have waited for that.
    told: u64,
    /// Up to where the peer has published, as far as is known, and what lies at the ring's start for that.
    tail: u64,
    origin: u64,
}

/// A record that is published, and checked.
pub(crate) struct Next<'a> {
    pub(crate) kind: u8,
    pub(crate) length: usize,
    /// Where its bytes are.
    pub(crate) words: Words<'a>,
}

impl Incoming {
    pub(crate) fn new(ring: Range<usize>) -> Self {
        Self { ring, head: 0, shown: 0, told: 0, tail: 0, origin: 0 }
    }

    /// The next record, of which is known; it counts as read when [`Incoming::consume`] is called.
    pub(crate) fn next<'a>(&mut self, words: &'a [AtomicU64]) -> Result<Next<'a>, Violation> {
        let capacity = self.ring.len() as u64;
        // Whatever the origin is, this is a word of the ring.
        let at = (self.head.wrapping_sub(self.origin) & (capacity - 1)) as usize;
        let mut words = Words::new(&words[self.ring.clone()], at);
        let (header, published) = (words.load(), self.tail - self.head);
        let length = (header & u64::from(u32::MAX)) as usize;
        let fits = length <= self.ring.len() * WORD / 2 && (length.div_ceil(WORD) as u64) < published;
        if header >> 40 != MARK || !fits {
            return Err(Violation::Record { header, words: published });
        }
        Ok(Next { kind: (header >> 32) as u8, length, words })
    }

    /// Whether there is a record that is known of.
    pub(crate) fn is_loaded(&self) -> bool {
        self.head != self.tail
    }

    /// Looks for records, if none is known of. Whether there is one.
    pub(crate) fn load(&mut self, theirs: &[AtomicU64]) -> Result<bool, Violation> {
        Ok(self.is_loaded() || self.look(theirs)?)
    }

    /// Looks up to where the peer has published. Whether there is more than was known.
    fn look(&mut self, theirs: &[AtomicU64]) -> Result<bool, Violation> {
        // With it, what has been written up to there.
        let tail = theirs[TAIL].load(Ordering::Acquire);
        // All that was known is read.
        if tail == self.tail {
            return Ok(false);
        }
        if tail < self.tail || tail - self.tail > self.ring.len() as u64 {
            return Err(Violation::Published { published: tail, consumed: self.head });
        }
        self.tail = tail;
        // It changes only when all that is published is read: so it holds for all of this.
        self.origin = theirs[ORIGIN].load(Ordering::Relaxed);
        Ok(true)
    }

    /// Counts a record of so many bytes as read. From time to time the peer is shown, without being told.
    pub(crate) fn consume(&mut self, length: usize, mine: &[AtomicU64]) {
        self.head += 1 + length.div_ceil(WORD) as u64;
        if self.head - self.shown >= self.ring.len() as u64 / 4 {
            self.show(mine);
        }
    }

    fn show(&mut self, mine: &[AtomicU64]) {
        mine[HEAD].store(self.head, Ordering::Release);
        self.shown = self.head;
    }

    /// Shows the peer what is read. Whether it must be told, if it waits for room.
    pub(crate) fn publish(&mut self, mine: &[AtomicU64]) -> bool {
        if self.head != self.shown {
            self.show(mine);
        }
        let news = self.told != self.head;
        self.told = self.head;
        news
    }
}
