//! A clock that goes forward by itself and can be turned forward by hand, for modules that are tried out.
//!
//! A module's timers see only what it was turned by, so that nothing depends on how fast this machine is. The clocks
//! that WASI gives to the module run on between the turns as well: a language's runtime that waits for one to move
//! must not wait for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// The clock. Cloning shares it.
#[derive(Clone)]
pub(crate) struct HandClock {
    begun: Instant,
    /// By how much it was turned, in nanoseconds.
    turned: Arc<AtomicU64>,
}

impl HandClock {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), turned: Arc::default() }
    }

    fn turned(&self) -> Duration {
        Duration::from_nanos(self.turned.load(Ordering::Acquire))
    }

    /// The time that it was turned to last.
    pub(crate) fn now(&self) -> Instant {
        self.begun + self.turned()
    }

    /// Turns it forward. A time that is over changes nothing.
    pub(crate) fn turn_to(&self, time: Instant) {
        let turned = time.saturating_duration_since(self.begun).as_nanos();
        self.turned.fetch_max(u64::try_from(turned).unwrap_or(u64::MAX), Ordering::AcqRel);
    }
}

impl HostMonotonicClock for HandClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        let now = self.begun.elapsed() + self.turned();
        u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl HostWallClock for HandClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + self.turned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn it_is_turned_forward_and_never_back() {
        let clock = HandClock::new();
        let begun = clock.now();
        assert_eq!(clock.now(), begun, "it does not go by itself");
        clock.turn_to(begun + HOUR);
        clock.turn_to(begun);
        assert_eq!(clock.now(), begun + HOUR);
    }

    #[test]
    fn what_a_module_sees_is_turned_with_it() {
        let clock = HandClock::new();
        let (monotonic, wall) = (HostMonotonicClock::now(&clock), HostWallClock::now(&clock));
        clock.turn_to(clock.now() + HOUR);
        assert!(HostMonotonicClock::now(&clock) - monotonic >= HOUR.as_nanos() as u64);
        assert!(HostWallClock::now(&clock) - wall >= HOUR);
    }
}
