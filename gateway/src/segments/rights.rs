//! What a configuration says of a module's segments.

use std::collections::BTreeSet;

/// Which pools a module may use, and how much it may hold (`segments`). By default none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SegmentRights {
    /// The pools (`grant`).
    pub pools: BTreeSet<String>,
    /// The largest segment that it may create, in bytes (`size.max`).
    pub size_max: u64,
    /// How many it may hold at a time (`count.max`).
    pub count_max: u64,
    /// How many bytes these may have together (`total.max`).
    pub total_max: u64,
}

impl Default for SegmentRights {
    fn default() -> Self {
        Self { pools: BTreeSet::new(), size_max: 32 << 20, count_max: 16, total_max: 128 << 20 }
    }
}
