//! Bytes into words and out of them: whole words at a time, which another process may change meanwhile.

use crate::layout::WORD;
use crate::sync::{AtomicU64, Ordering};

/// The words of a ring from one of them on, once around.
pub(crate) struct Words<'a> {
    now: &'a [AtomicU64],
    then: &'a [AtomicU64],
}

impl<'a> Words<'a> {
    /// From the `at`th on, which is one of them.
    pub(crate) fn new(ring: &'a [AtomicU64], at: usize) -> Self {
        let (then, now) = ring.split_at(at);
        Self { now, then }
    }

    /// The next ones that lie together, `most` of them at most. None when all around is taken.
    fn run(&mut self, most: usize) -> &'a [AtomicU64] {
        if self.now.is_empty() {
            self.now = std::mem::take(&mut self.then);
        }
        let (run, rest) = self.now.split_at(most.min(self.now.len()));
        self.now = rest;
        run
    }

    pub(crate) fn store(&mut self, value: u64) {
        if let [word] = self.run(1) {
            word.store(value, Ordering::Relaxed);
        }
    }

    pub(crate) fn load(&mut self) -> u64 {
        if let [word] = self.run(1) { word.load(Ordering::Relaxed) } else { 0 }
    }

    /// Stores all parts one after the other. What is left of the last word is zero.
    pub(crate) fn put(&mut self, parts: &[&[u8]]) {
        // The bytes that are no whole word yet, and how many bits they are.
        let (mut pending, mut bits) = (0, 0);
        for part in parts {
            let (chunks, rest) = part.as_chunks::<WORD>();
            if bits == 0 {
                self.put_chunks(chunks, u64::from_le_bytes);
            } else {
                self.put_chunks(chunks, |chunk| {
                    let word = u64::from_le_bytes(chunk);
                    let whole = pending | word << bits;
                    pending = word >> (64 - bits);
                    whole
                });
            }
            if rest.is_empty() {
                continue;
            }
            let mut last = [0; WORD];
            last[..rest.len()].copy_from_slice(rest);
            let last = u64::from_le_bytes(last);
            pending |= last << bits;
            let filled = bits + rest.len() * 8;
            if filled >= 64 {
                self.store(pending);
                pending = if filled > 64 { last >> (64 - bits) } else { 0 };
            }
            bits = filled % 64;
        }
        if bits > 0 {
            self.store(pending);
        }
    }

    fn put_chunks(&mut self, mut chunks: &[[u8; WORD]], mut word: impl FnMut([u8; WORD]) -> u64) {
        while !chunks.is_empty() {
            let run = self.run(chunks.len());
            if run.is_empty() {
                return;
            }
            let (these, others) = chunks.split_at(run.len());
            for (to, chunk) in run.iter().zip(these) {
                to.store(word(*chunk), Ordering::Relaxed);
            }
            chunks = others;
        }
    }

    /// Fills all of it.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        let (mut chunks, rest) = bytes.as_chunks_mut::<WORD>();
        while !chunks.is_empty() {
            let run = self.run(chunks.len());
            if run.is_empty() {
                return;
            }
            let (these, others) = chunks.split_at_mut(run.len());
            for (chunk, from) in these.iter_mut().zip(run) {
                *chunk = from.load(Ordering::Relaxed).to_le_bytes();
            }
            chunks = others;
        }
        if !rest.is_empty() {
            rest.copy_from_slice(&self.load().to_le_bytes()[..rest.len()]);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::Words;
    use crate::sync::AtomicU64;

    proptest! {
        #[test]
        fn parts_come_out_as_one(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            at in 0_usize..32,
        ) {
            let ring: Vec<AtomicU64> = (0..32).map(|_| AtomicU64::new(u64::MAX)).collect();
            let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let whole = parts.concat();
            Words::new(&ring, at).put(&slices);
            let mut out = vec![0; whole.len()];
            Words::new(&ring, at).fill(&mut out);
            prop_assert_eq!(&out, &whole);
            let mut padded = vec![0xaa; whole.len().next_multiple_of(8)];
            Words::new(&ring, at).fill(&mut padded);
            prop_assert!(padded[whole.len()..].iter().all(|byte| *byte == 0));
        }
    }
}
