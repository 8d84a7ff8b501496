//! How long a side that has nothing to do looks again before it sleeps.
//!
//! Waking a process takes longer than what a peer does between two messages of a conversation. So it is worth
//! looking on for as long as that, where the last messages came so soon, and for nobody else.

use std::thread;
use std::time::{Duration, Instant};

/// The longest that is looked on without anything.
const LONGEST: Duration = Duration::from_micros(50);
/// Shorter is not worth the looking.
const SHORTEST: Duration = Duration::from_micros(5);
/// Who was woken after so short a time might have had it sooner: without two processes that wake each other, what is
/// waited for takes half as long.
const NEAR: Duration = Duration::from_micros(100);
/// Who gives way and does not get the processor back for so long has given it to one that goes on and on. Who sleeps is
/// woken on a processor that is free.
const KEPT_WAITING: Duration = Duration::from_micros(100);
/// After that it sleeps at once for so long.
const WARY: Duration = Duration::from_secs(1);

/// Decides when to sleep.
#[derive(Clone, Copy, Debug)]
pub struct Spin {
    /// How long it looks on at present; zero is not at all.
    patience: Duration,
    /// When it found something last, or began to look.
    since: Instant,
    /// Until when it is not looked on at all.
    wary_until: Option<Instant>,
}

impl Spin {
    /// One that sleeps at once, until it learns better.
    #[must_use]
    pub fn new() -> Self {
        Self { patience: Duration::ZERO, since: Instant::now(), wary_until: None }
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

    /// Lets another go first that waits for this processor.
    pub fn give_way(&mut self) {
        let before = Instant::now();
        thread::yield_now();
        if before.elapsed() > KEPT_WAITING {
            self.patience = Duration::ZERO;
            self.wary_until = Some(before + WARY);
        }
    }

    /// It has slept and was woken: had it looked on for longer, would it have been there?
    pub fn woken(&mut self) {
        let now = Instant::now();
        let idle = now.saturating_duration_since(self.since);
        self.since = now;
        if self.wary_until.is_some_and(|until| now < until) {
            return;
        }
        let near = if self.patience.is_zero() { NEAR } else { LONGEST };
        self.patience = match self.patience / 2 {
            _ if idle < near => LONGEST,
            // In vain.
            half if half >= SHORTEST => half,
            _ => Duration::ZERO,
        };
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
        assert_eq!(woken_after(&mut spin, NEAR / 2), LONGEST);
        let mut before = LONGEST;
        while !before.is_zero() {
            let now = woken_after(&mut spin, Duration::from_millis(1));
            assert!(now < before);
            before = now;
        }
        assert_eq!(woken_after(&mut spin, NEAR * 2), Duration::ZERO);
    }
}
