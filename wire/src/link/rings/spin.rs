//! How long a side that has nothing to do looks again before it sleeps.
//!
//! Waking a process takes longer than what a peer does between two messages of a conversation. So it is worth
//! looking on for as long as that, where the last messages came so soon, and for nobody else.

use std::time::{Duration, Instant};

/// The longest that is looked on without anything.
const LONGEST: Duration = Duration::from_micros(50);
/// Shorter is not worth the looking.
const SHORTEST: Duration = Duration::from_micros(5);
/// Who was woken after so short a time might have had it sooner: without two processes that wake each other, what is
/// waited for takes half as long.
const NEAR: Duration = Duration::from_micros(100);
/// So often in a row that has to be so. Messages that come one by one, each with its answer, are not worth it: while this
/// side looks it gives its processor to others again and again, and one that goes on and on keeps it for milliseconds.
/// Who sleeps instead is woken where there is a processor.
const OFTEN: u32 = 3;

/// Decides when to sleep.
#[derive(Clone, Copy, Debug)]
pub struct Spin {
    /// How long it looks on at present; zero is not at all.
    patience: Duration,
    /// When it found something last, or began to look.
    since: Instant,
    /// How often in a row it was woken soon.
    near: u32,
}

impl Spin {
    /// One that sleeps at once, until it learns better.
    #[must_use]
    pub fn new() -> Self {
        Self { patience: Duration::ZERO, since: Instant::now(), near: 0 }
    }

    /// Something was there.
    pub fn found(&mut self) {
        self.since = Instant::now();
    }

    /// Nothing is there. Whether to look again at once.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        !self.patience.is_zero() && self.since.elapsed() < self.patience
    }

    /// It has slept and was woken: had it looked on for longer, would it have been there?
    pub fn woken(&mut self) {
        let idle = self.since.elapsed();
        let near = if self.patience.is_zero() { NEAR } else { LONGEST };
        self.near = if idle < near { self.near.saturating_add(1) } else { 0 };
        self.patience = match self.patience / 2 {
            _ if self.near >= OFTEN => LONGEST,
            _ if self.near > 0 => self.patience,
            // In vain.
            half if half >= SHORTEST => half,
            _ => Duration::ZERO,
        };
        self.since = Instant::now();
    }
}

impl Default for Spin {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn woken_after(spin: &mut Spin, idle: Duration) -> Duration {
        spin.since = Instant::now() - idle;
        spin.woken();
        spin.patience
    }

    #[test]
    fn it_looks_on_where_the_last_came_soon_and_gives_up_by_and_by() {
        let mut spin = Spin::new();
        assert!(!spin.goes_on());
        assert_eq!(woken_after(&mut spin, Duration::from_millis(1)), Duration::ZERO);
        // The clock moves on between the two looks at it.
        for _ in 1..OFTEN {
            assert_eq!(woken_after(&mut spin, NEAR / 2), Duration::ZERO);
        }
        assert_eq!(woken_after(&mut spin, NEAR / 2), LONGEST);
        let mut before = LONGEST;
        while !before.is_zero() {
            let now = woken_after(&mut spin, Duration::from_millis(1));
            assert!(now < before);
            before = now;
        }
        assert_eq!(woken_after(&mut spin, NEAR * 2), Duration::ZERO);
    }

    #[test]
    fn messages_one_by_one_with_their_answers_are_not_looked_for() {
        let mut spin = Spin::new();
        for _ in 0..10 {
            assert_eq!(woken_after(&mut spin, NEAR / 2), Duration::ZERO);
            assert_eq!(woken_after(&mut spin, NEAR * 10), Duration::ZERO);
        }
    }
}
