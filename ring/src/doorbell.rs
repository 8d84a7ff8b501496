//! Which slots have something for a side, and whether it must be woken for that.
//!
//! A side that sets a bit first makes what it is for visible. A side that clears one then looks at what it is for. Each
//! puts a fence between the two, so that one of them sees what the other has done, and nothing is left lying; the same
//! once more between bits and summary, and between the summary and sleep.

use std::ops::ControlFlow;

use crate::layout::DoorbellAt;
use crate::sync::{AtomicU64, Ordering, fence};

/// Whether the other side must be woken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a peer that is asleep does not wake by itself"]
pub enum Bell {
    /// It sleeps: wake it. Nobody else has been told to.
    Ring,
    /// It is awake, or somebody has been told to wake it.
    Silent,
}

impl Bell {
    /// Whether it is to be woken.
    #[must_use]
    pub fn rings(self) -> bool {
        self == Self::Ring
    }

    /// One wake-up for two.
    pub fn or(self, other: Self) -> Self {
        if self.rings() { self } else { other }
    }
}

/// A side's doorbell in the arena's memory.
#[derive(Clone, Copy)]
pub(crate) struct Doorbell<'a> {
    pub(crate) words: &'a [AtomicU64],
    pub(crate) at: &'a DoorbellAt,
}

impl Doorbell<'_> {
    /// Says that a slot has something. What that is has been stored, and a sequentially consistent fence is behind it.
    pub(crate) fn mark(self, slot: u32) -> Bell {
        let (word, bit) = (slot as usize / 64, 1 << (slot % 64));
        let ready = &self.words[self.at.ready.clone()][word];
        // Whoever set it has told of it, and it has not been looked after since.
        if ready.load(Ordering::Relaxed) & bit != 0 {
            return Bell::Silent;
        }
        ready.fetch_or(bit, Ordering::Release);
        fence(Ordering::SeqCst);
        let (word, bit) = (word / 64, 1 << (word % 64));
        let summary = &self.words[self.at.summary.clone()][word];
        if summary.load(Ordering::Relaxed) & bit != 0 {
            return Bell::Silent;
        }
        summary.fetch_or(bit, Ordering::Release);
        fence(Ordering::SeqCst);
        let asleep = &self.words[self.at.asleep];
        // Of several that find it asleep one rings.
        if asleep.load(Ordering::Relaxed) != 0 && asleep.swap(0, Ordering::Relaxed) != 0 {
            return Bell::Ring;
        }
        Bell::Silent
    }

    /// Clears all marks and hands over each slot that had one; how many there were.
    pub(crate) fn take(self, slots: u32, mut each: impl FnMut(u32)) -> usize {
        let mut count = 0;
        let ready = &self.words[self.at.ready.clone()];
        for (at, summary) in self.words[self.at.summary.clone()].iter().enumerate() {
            let _ = take_bits(summary, |bit| {
                let at = at * 64 + bit;
                // A peer may have set bits for which there is nothing.
                let Some(word) = ready.get(at) else { return ControlFlow::Break(()) };
                take_bits(word, |bit| {
                    let slot = (at * 64 + bit) as u32;
                    if slot >= slots {
                        return ControlFlow::Break(());
                    }
                    count += 1;
                    each(slot);
                    ControlFlow::Continue(())
                })
            });
        }
        count
    }

    /// Says that the side sleeps, unless there is a mark.
    pub(crate) fn fall_asleep(self) -> bool {
        // Swapped, here and below: loom does not know that a store comes after the swap of what was stored before it.
        self.words[self.at.asleep].swap(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let summary = &self.words[self.at.summary.clone()];
        if summary.iter().any(|word| word.load(Ordering::Relaxed) != 0) {
            self.awake();
            return false;
        }
        true
    }

    pub(crate) fn awake(self) {
        self.words[self.at.asleep].swap(0, Ordering::Relaxed);
    }
}

/// Clears a word, and hands over the number of each bit that was set, in order.
fn take_bits(word: &AtomicU64, mut each: impl FnMut(usize) -> ControlFlow<()>) -> ControlFlow<()> {
    if word.load(Ordering::Relaxed) == 0 {
        return ControlFlow::Continue(());
    }
    let mut bits = word.swap(0, Ordering::Acquire);
    fence(Ordering::SeqCst);
    while bits != 0 {
        each(bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
    }
    ControlFlow::Continue(())
}
