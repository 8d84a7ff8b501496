//! Medians and percentiles.

use std::time::Duration;

/// What one measurement of a path gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Messages a second that came back while many were under way.
    pub(crate) throughput: f64,
    /// Round trip with one message under way, in microseconds: half took no longer, 99 % took no longer.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Figures {
    /// From the time that so many messages took, and single round trips.
    pub(crate) fn new(messages: usize, taken: Duration, mut round_trips: Vec<Duration>) -> Self {
        round_trips.sort_unstable();
        let at = |share: f64| {
            let index =
                ((round_trips.len() as f64 * share) as usize).min(round_trips.len().saturating_sub(1));
            round_trips.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
        };
        Self { throughput: messages as f64 / taken.as_secs_f64(), p50: at(0.50), p99: at(0.99) }
    }
}

/// The middle value.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
