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
    pub(crate) fn new(messages: usize, taken: Duration, round_trips: Vec<Duration>) -> Self {
        let [p50, p99] = percentiles(round_trips);
        Self { throughput: messages as f64 / taken.as_secs_f64(), p50, p99 }
    }
}

/// In microseconds: half of the times are no longer, and 99 of 100 are no longer.
pub(crate) fn percentiles(mut times: Vec<Duration>) -> [f64; 2] {
    times.sort_unstable();
    [0.50, 0.99].map(|share| {
        let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    })
}

/// The middle value.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
