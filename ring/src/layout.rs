//! What is where in an arena, in words of eight bytes.
//!
//! ```text
//! header       magic, version, slots, bytes of a ring
//! doorbells    for each side: whether it sleeps, and which slots have something for it
//! lines        for each slot: what the gateway writes, what the host writes; a cache line each
//! rings        for each slot: the gateway's ring, the host's ring (named by who writes)
//! ```
//!
//! What is written by different processes is in different cache lines. The rings are apart from the rest, so that
//! slots that nothing happens in touch 128 bytes each.

use std::ops::Range;

use crate::arena::ArenaError;

/// How many slots an arena can have.
pub const MOST_SLOTS: u32 = 16_384;
/// How many bytes a ring has at least.
pub const SMALLEST_RING: u32 = 4096;
/// How many bytes a ring can have.
pub const LARGEST_RING: u32 = 1 << 20;

/// What an arena begins with, and the version of its layout.
const MAGIC: u64 = u64::from_le_bytes(*b"sgring\r\n");
const VERSION: u64 = 2;

/// Words in a cache line.
const LINE: usize = 8;
/// Words in a page.
pub(crate) const PAGE: usize = 512;
/// Bytes in a word.
pub(crate) const WORD: usize = 8;
/// Words that are read of the header.
pub(crate) const HEADER: usize = 4;

// In a line, by who writes it.
/// The word up to which it has published.
pub(crate) const TAIL: usize = 0;
/// The word that lies at the start of its ring.
pub(crate) const ORIGIN: usize = 1;
/// The word up to which it has read the other's ring.
pub(crate) const HEAD: usize = 2;
/// The number up to which it has settled what came.
pub(crate) const ACKNOWLEDGED: usize = 3;
/// What it wants to be woken for.
pub(crate) const WANTS: usize = 4;
/// The life of the slot that it has left last.
pub(crate) const LEFT: usize = 5;

/// One of the two processes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The gateway, which makes the arena.
    Gateway,
    /// The module host, which opens it.
    Host,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Gateway => Self::Host,
            Self::Host => Self::Gateway,
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Gateway => 0,
            Self::Host => 1,
        }
    }
}

/// Where a side's doorbell is.
#[derive(Clone, Debug)]
pub(crate) struct DoorbellAt {
    pub(crate) asleep: usize,
    /// A bit for each word of `ready`.
    pub(crate) summary: Range<usize>,
    /// A bit for each slot.
    pub(crate) ready: Range<usize>,
}

/// An arena's layout, computed from its two numbers.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) slots: u32,
    /// Words in a ring: a power of two.
    pub(crate) ring: usize,
    /// All words.
    pub(crate) words: usize,
    doorbells: [DoorbellAt; 2],
    lines: usize,
    rings: usize,
}

impl Layout {
    /// For so many slots with rings of so many bytes.
    pub(crate) fn new(slots: u64, ring_bytes: u64) -> Result<Self, ArenaError> {
        let ring_fits = (SMALLEST_RING.into()..=LARGEST_RING.into()).contains(&ring_bytes);
        if !(1..=MOST_SLOTS.into()).contains(&slots) || !ring_fits || !ring_bytes.is_power_of_two() {
            return Err(ArenaError::Limits { slots, ring_bytes });
        }
        // Both are small now.
        Ok(Self::of(slots as u32, ring_bytes as usize / WORD))
    }

    /// For so many slots with rings of so many words, which is a power of two.
    pub(crate) fn of(slots: u32, ring: usize) -> Self {
        let mut words = 0;
        let mut take = |count: usize| {
            let start = words;
            words += count.next_multiple_of(LINE);
            start..start + count
        };
        take(HEADER);
        let ready_words = (slots as usize).div_ceil(64);
        let mut doorbell = || DoorbellAt {
            asleep: take(1).start,
            summary: take(ready_words.div_ceil(64)),
            ready: take(ready_words),
        };
        let doorbells = [doorbell(), doorbell()];
        let lines = take(slots as usize * 2 * LINE).start;
        let rings = words.next_multiple_of(ring.min(PAGE));
        Self { slots, ring, words: rings + slots as usize * 2 * ring, doorbells, lines, rings }
    }

    /// All bytes.
    pub(crate) fn bytes(&self) -> u64 {
        (self.words * WORD) as u64
    }

    /// What the first words say.
    pub(crate) fn header(&self) -> [u64; HEADER] {
        [MAGIC, VERSION, self.slots.into(), (self.ring * WORD) as u64]
    }

    /// What a header says, which a peer has written.
    pub(crate) fn read([magic, version, slots, ring_bytes]: [u64; HEADER]) -> Result<Self, ArenaError> {
        if magic != MAGIC || version != VERSION {
            return Err(ArenaError::Header);
        }
        Self::new(slots, ring_bytes)
    }

    /// The doorbell that wakes this side.
    pub(crate) fn doorbell(&self, side: Side) -> &DoorbellAt {
        &self.doorbells[side.index()]
    }

    /// The line of a slot that this side writes.
    pub(crate) fn line(&self, slot: u32, side: Side) -> Range<usize> {
        let start = self.lines + (slot as usize * 2 + side.index()) * LINE;
        start..start + LINE
    }

    /// The ring of a slot that this side writes.
    pub(crate) fn ring_of(&self, slot: u32, side: Side) -> Range<usize> {
        let start = self.rings + (slot as usize * 2 + side.index()) * self.ring;
        start..start + self.ring
    }

    /// The words at a ring's start that one that is nearly empty keeps to: a power of two.
    pub(crate) fn rest(&self) -> usize {
        PAGE.min(self.ring / 4)
    }
}

#[cfg(test)]
mod tests {
    use super::{LARGEST_RING, Layout, MOST_SLOTS, SMALLEST_RING, Side};

    #[test]
    fn nothing_overlaps_and_all_is_within() {
        for (slots, ring) in [(1, SMALLEST_RING), (64, SMALLEST_RING), (65, 8192), (MOST_SLOTS, LARGEST_RING)]
        {
            let layout = Layout::new(slots.into(), ring.into()).unwrap();
            let mut parts = Vec::from([const { 0..super::HEADER }]);
            for side in [Side::Gateway, Side::Host] {
                let bell = layout.doorbell(side);
                parts.extend([bell.asleep..bell.asleep + 1, bell.summary.clone(), bell.ready.clone()]);
                for slot in [0, 1, slots / 2, slots - 1].into_iter().filter(|slot| *slot < slots) {
                    parts.extend([layout.line(slot, side), layout.ring_of(slot, side)]);
                }
                assert!(bell.ready.len() * 64 >= slots as usize);
                assert!(bell.summary.len() * 64 >= bell.ready.len());
            }
            parts.sort_by_key(|part| (part.start, part.end));
            parts.dedup();
            for pair in parts.windows(2) {
                assert!(pair[0].end <= pair[1].start, "{pair:?}");
            }
            assert!(parts.last().unwrap().end <= layout.words);
            assert_eq!(layout.ring_of(0, Side::Gateway).start % super::PAGE, 0);
        }
    }

    #[test]
    fn a_header_says_what_it_was_made_of() {
        let layout = Layout::new(3, 8192).unwrap();
        assert_eq!(Layout::read(layout.header()).unwrap().words, layout.words);
        for spoilt in 0..super::HEADER {
            let mut header = layout.header();
            header[spoilt] = u64::MAX;
            assert!(Layout::read(header).is_err());
        }
        for (slots, ring) in
            [(0, 4096), (1, 0), (1, 2048), (1, 4097), (1, 12288), (1, 1 << 21), (16_385, 4096)]
        {
            assert!(Layout::new(slots, ring).is_err(), "{slots} {ring}");
        }
    }
}
