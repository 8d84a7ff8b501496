//! How long a side that has nothing to do looks again before it sleeps.
//!
//! Waking a process takes longer than what a peer does between two messages of a conversation. So it is worth
//! looking on for as long as that, where the last messages came so soon, and for nobody else.

use std::time::{Duration, Instant};

/// The longest that is looked on without anything.
const LONGEST: Duration = Duration::from_micros(50);
/// Shorter is not worth the looking.
const SHORTEST: Duration = Duration::from_micros(5);

/// Decides when to sleep.
pub struct Spin {
    /// How long it looks on at present; zero is not at all.
    patience: Duration,
    /// When it found something last, or began to look.
    since: Instant,
}

impl Spin {
    /// One that sleeps at once, until it learns better.
    #[must_use]
    pub fn new() -> Self {
        Self { patience: Duration::ZERO, since: Instant::now() }
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
        self.patience = match idle {
            soon if soon < LONGEST => LONGEST,
            // In vain.
            _ if self.patience > 2 * SHORTEST => self.patience / 2,
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
