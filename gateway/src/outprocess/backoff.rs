//! How long to wait before the next try: not at all at first, then longer and longer, with jitter.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Jitter adds up to as much again, so no wait is longer than five seconds.
const LONGEST: Duration = Duration::from_millis(2500);
const SHORTEST: Duration = Duration::from_millis(100);
pub(super) struct Backoff {
    /// What ran for this long ran fine: the next failure is a first one.
    fine: Duration,
    delays: Option<ExponentialBackoff>,
}

impl Backoff {
    pub(super) fn new(fine: Duration) -> Self {
        Self { fine, delays: None }
    }

    /// The wait after something that ran for `lasted` has failed.
    pub(super) fn after(&mut self, lasted: Duration) -> Duration {
        if lasted >= self.fine {
            self.delays = None;
        }
        match &mut self.delays {
            Some(delays) => delays.next().unwrap_or(LONGEST),
            None => {
                let builder = ExponentialBuilder::new().with_min_delay(SHORTEST).with_max_delay(LONGEST);
                self.delays = Some(builder.with_jitter().without_max_times().build());
                Duration::ZERO
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_five_seconds_and_begin_anew_after_a_good_run() {
        const FINE: Duration = Duration::from_secs(10);
        let mut backoff = Backoff::new(FINE);
        assert_eq!(backoff.after(Duration::ZERO), Duration::ZERO);
        let second = backoff.after(Duration::ZERO);
        assert!(second >= SHORTEST && second <= 2 * SHORTEST);
        let later: Vec<_> = (0..100).map(|_| backoff.after(Duration::ZERO)).collect();
        assert!(later.iter().all(|wait| *wait <= 2 * LONGEST));
        assert!(later[50] >= LONGEST);
        assert_eq!(backoff.after(FINE), Duration::ZERO);
    }
}
