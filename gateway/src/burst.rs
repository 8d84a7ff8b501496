//! Logging what may happen a thousand times a second: the first one at once, then at most one line a
//! second, which says how many were left out.

use std::time::Duration;

use tokio::time::Instant;

const INTERVAL: Duration = Duration::from_secs(1);

/// Decides which of many like events are logged.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    last: Option<Instant>,
    suppressed: u64,
}

impl Burst {
    /// Counts an event. If it is to be logged, gives how many before it were not.
    pub(crate) fn event(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_logged_and_then_one_a_second_with_the_number_left_out() {
        let mut burst = Burst::default();
        assert_eq!(burst.event(), Some(0));
        assert_eq!([burst.event(), burst.event()], [None, None]);
        tokio::time::advance(INTERVAL).await;
        assert_eq!(burst.event(), Some(2));
        assert_eq!(burst.event(), None);
    }
}
