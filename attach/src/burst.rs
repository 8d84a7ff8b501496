//! Keeps a complaint that may come with every message to one line a second.

use std::time::{Duration, Instant};

/// How often a repeated complaint is repeated in the log.
const REPEAT: Duration = Duration::from_secs(1);

/// Decides which of many like complaints are told.
#[derive(Debug, Default)]
pub struct Burst {
    last: Option<Instant>,
    silent: u64,
}

impl Burst {
    /// Whether to speak now, and of how many occurrences, this one included.
    pub fn note(&mut self) -> Option<u64> {
        self.silent += 1;
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) < REPEAT) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.silent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_told_once() {
        let mut burst = Burst::default();
        assert_eq!(burst.note(), Some(1));
        burst.last = Some(Instant::now() + REPEAT);
        assert_eq!([burst.note(), burst.note()], [None, None]);
        burst.last = None;
        assert_eq!(burst.note(), Some(3));
    }
}
