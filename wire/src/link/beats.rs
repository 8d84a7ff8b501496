//! Heartbeats, as a configuration has them.

use std::time::Duration;

/// How often a gateway asks its host for a sign of life, and how long it waits for one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Beats {
    /// The time between two questions.
    pub every: Duration,
    /// When nothing at all has arrived for so long, the connection is over. At least twice `every`, so that a
    /// host which answers is not given up.
    pub patience: Duration,
}
