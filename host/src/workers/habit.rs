//! What is known of a task before it runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Who runs for longer keeps others waiting.
const LONG: Duration = Duration::from_micros(300);

/// How long a task has run when it ran, lately, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Habit(AtomicU64);

impl Habit {
    /// Whether it runs for long, now and then.
    pub(super) fn is_long(&self) -> bool {
        u128::from(self.0.load(Ordering::Relaxed)) > LONG.as_nanos()
    }

    /// It has run for so long. A long run is remembered for some runs more. One task never runs twice at a time.
    pub(super) fn note(&self, taken: Duration) {
        let taken = u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX);
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(taken.max(before - before / 8), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_is_remembered_for_some_runs() {
        let habit = Habit::default();
        habit.note(LONG);
        assert!(!habit.is_long());
        habit.note(2 * LONG);
        for _ in 0..3 {
            assert!(habit.is_long());
            habit.note(Duration::from_micros(1));
        }
        for _ in 0..10 {
            habit.note(Duration::from_micros(1));
        }
        assert!(!habit.is_long());
    }
}
