//! When a module that has failed is created again: at once, later, or not any more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// How a module that fails is treated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RestartPolicy {
    /// With one failure more than this within [`RestartPolicy::window`] the module is quarantined.
    pub max: u32,
    /// The time in which failures are counted together.
    pub window: Duration,
    /// The wait before the second restart in a row; the first one comes at once. Doubles with each, and
    /// gets up to as much again by chance, so that modules which failed together do not return together.
    pub backoff: Duration,
    /// The longest wait.
    pub longest_backoff: Duration,
    /// A module that has run for so long ran fine: its next failure is a first one.
    pub reset: Duration,
}

impl Default for RestartPolicy {
    /// 10 failures a minute; waits from 100 ms to 5 s; 10 s without a failure are fine.
    fn default() -> Self {
        Self {
            max: 10,
            window: Duration::from_secs(60),
            backoff: Duration::from_millis(100),
            longest_backoff: Duration::from_secs(5),
            reset: Duration::from_secs(10),
        }
    }
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Decision {
    /// Create the module again after this time.
    After(Duration),
    /// Leave it until somebody revives it.
    Quarantine {
        /// Failures within the window.
        failures: u32,
    },
}

/// One module's failures.
pub(crate) struct Restarts {
    policy: RestartPolicy,
    /// The failures within the window, oldest first; one more than the policy's number at most.
    failures: VecDeque<Instant>,
    /// The newest, and the newest set-back.
    last: Option<Instant>,
    delays: Option<ExponentialBackoff>,
}

impl Restarts {
    pub(crate) fn new(policy: RestartPolicy) -> Self {
        Self { policy, failures: VecDeque::new(), last: None, delays: None }
    }

    /// Counts a failure and decides.
    pub(crate) fn failed(&mut self, now: Instant) -> Decision {
        let RestartPolicy { max, window, .. } = self.policy;
        self.note(now);
        self.failures.retain(|failure| now.duration_since(*failure) < window);
        self.failures.push_back(now);
        let failures = u32::try_from(self.failures.len()).unwrap_or(u32::MAX);
        if failures > max {
            return Decision::Quarantine { failures };
        }
        Decision::After(self.delay().unwrap_or_default())
    }

    /// The wait after something that is not the module's failure, and not counted as one: the host could not go on with it.
    /// It grows as that after failures does, and is never zero, for the host needs what the module had.
    pub(crate) fn set_back(&mut self, now: Instant) -> Duration {
        self.note(now);
        self.delay().or_else(|| self.delay()).unwrap_or(self.policy.backoff)
    }

    fn note(&mut self, now: Instant) {
        if self.last.is_none_or(|last| now.duration_since(last) >= self.policy.reset) {
            self.delays = None;
        }
        self.last = Some(now);
    }

    /// Forgets what was.
    pub(crate) fn revive(&mut self) {
        self.failures.clear();
        self.delays = None;
    }

    /// The next wait; none where it is the first in a row.
    fn delay(&mut self) -> Option<Duration> {
        let RestartPolicy { backoff, longest_backoff, .. } = self.policy;
        match &mut self.delays {
            Some(delays) => Some(delays.next().unwrap_or(longest_backoff).min(longest_backoff)),
            None => {
                let builder =
                    ExponentialBuilder::new().with_min_delay(backoff).with_max_delay(longest_backoff);
                self.delays = Some(builder.with_jitter().without_max_times().build());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy() -> RestartPolicy {
        RestartPolicy { max: 3, window: 60 * SECOND, ..RestartPolicy::default() }
    }

    #[test]
    fn the_first_restart_comes_at_once_and_the_next_ones_later() {
        let mut restarts = Restarts::new(RestartPolicy { max: 100, ..policy() });
        let now = Instant::now();
        assert_eq!(restarts.failed(now), Decision::After(Duration::ZERO));
        let mut waits = (0..20).map(|_| match restarts.failed(now) {
            Decision::After(wait) => wait,
            other => panic!("{other:?}"),
        });
        assert!((100..=200).contains(&waits.next().unwrap().as_millis()));
        assert_eq!(waits.last().unwrap(), 5 * SECOND);
    }

    #[test]
    fn a_good_run_makes_the_next_failure_a_first_one() {
        let mut restarts = Restarts::new(policy());
        let now = Instant::now();
        restarts.failed(now);
        assert_ne!(restarts.failed(now + SECOND), Decision::After(Duration::ZERO));
        assert_eq!(restarts.failed(now + 12 * SECOND), Decision::After(Duration::ZERO));
    }

    #[test]
    fn too_many_failures_in_the_window_end_in_quarantine_until_revival() {
        let mut restarts = Restarts::new(policy());
        let now = Instant::now();
        for second in 0..3 {
            assert!(matches!(restarts.failed(now + second * SECOND), Decision::After(_)));
        }
        assert_eq!(restarts.failed(now + 3 * SECOND), Decision::Quarantine { failures: 4 });
        restarts.revive();
        assert_eq!(restarts.failed(now + 4 * SECOND), Decision::After(Duration::ZERO));
    }

    #[test]
    fn set_backs_wait_and_are_not_counted() {
        let mut restarts = Restarts::new(policy());
        let now = Instant::now();
        assert!((100..=200).contains(&restarts.set_back(now).as_millis()));
        let last = (0..100).map(|_| restarts.set_back(now)).last().unwrap();
        assert_eq!(last, 5 * SECOND);
        assert_eq!(restarts.failed(now + SECOND), Decision::After(5 * SECOND), "they are in a row");
        assert!(restarts.set_back(now + 12 * SECOND) <= Duration::from_millis(200));
    }

    #[test]
    fn failures_that_are_far_apart_never_add_up() {
        let mut restarts = Restarts::new(policy());
        let now = Instant::now();
        for minute in 0..1000 {
            assert_eq!(restarts.failed(now + minute * 30 * SECOND), Decision::After(Duration::ZERO));
        }
    }
}
