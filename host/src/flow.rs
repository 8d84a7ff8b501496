//! What passed through a module, and what did not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a repeated complaint is repeated in the log.
const REPEAT: Duration = Duration::from_secs(1);

/// Counters of one control id, over all instances that it had.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    pub(crate) received: Counter,
    pub(crate) malformed: Counter,
    /// Frames over the limit; each ended its connection.
    pub(crate) oversized: Counter,
    /// Connections that peers ended, or that a frame far over the limit ended.
    pub(crate) lost_connections: Counter,
    /// Frames that had arrived when their peer left, and found no room.
    pub(crate) unread: Counter,
    pub(crate) failed: Counter,
    pub(crate) published: Counter,
    pub(crate) refused: Counter,
    pub(crate) dropped: Counter,
    pub(crate) faults: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.add_all(1);
    }

    pub(crate) fn add_all(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Keeps a complaint that may come with every message to one line a second.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    last: Option<Instant>,
    silent: u64,
}

impl Burst {
    /// Whether to speak now, and of how many occurrences, this one included.
    pub(crate) fn note(&mut self) -> Option<u64> {
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
        assert_eq!(burst.note(), None);
        assert_eq!(burst.note(), None);
        burst.last = None;
        assert_eq!(burst.note(), Some(3));
    }
}
