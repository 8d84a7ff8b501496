//! When a host that exits is not started again.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::config::RestartConfig;

/// The exits of a host within the time that counts.
pub(super) struct CrashLoop {
    config: RestartConfig,
    exits: VecDeque<Instant>,
}

impl CrashLoop {
    pub(super) fn new(config: RestartConfig) -> Self {
        Self { config, exits: VecDeque::new() }
    }

    /// Counts an exit, and says whether it is one too many.
    pub(super) fn exit(&mut self) -> bool {
        let now = Instant::now();
        self.exits.push_back(now);
        while self.exits.front().is_some_and(|exit| now.duration_since(*exit) > self.config.window) {
            self.exits.pop_front();
        }
        let too_many = self.exits.len() > self.config.max as usize;
        if too_many {
            self.exits.clear();
        }
        too_many
    }

    /// What was one too many, in words.
    pub(super) fn explain(&self) -> String {
        let RestartConfig { max, window, .. } = self.config;
        format!("more than {max} exits within {} s", window.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn exits_count_for_a_time() {
        let mut crashes = CrashLoop::new(RestartConfig {
            max: 2,
            window: Duration::from_secs(10),
            ..RestartConfig::default()
        });
        let mut exits = Vec::new();
        for wait in [0, 5, 6, 4, 1, 1, 1] {
            tokio::time::advance(Duration::from_secs(wait)).await;
            exits.push(crashes.exit());
        }
        // At 0, 5, 11, 15 (which is one too many), and then from the beginning.
        assert_eq!(exits, [false, false, false, true, false, false, true]);
        assert_eq!(crashes.explain(), "more than 2 exits within 10 s");
        assert!(
            CrashLoop::new(RestartConfig {
                max: 0,
                window: Duration::from_secs(1),
                ..RestartConfig::default()
            })
            .exit()
        );
    }
}
