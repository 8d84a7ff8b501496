//! What a module entry says about shared memory segments.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use sandgate_wire::segments::POOL_MAX;

use super::reader::{Node, Object};

const BYTES: RangeInclusive<u64> = 1..=1 << 36;
const COUNT_MAX: u64 = 4096;

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

/// Reads the entry's `segments`; without it the module has no grant.
pub(super) fn read(entry: &Object<'_>) -> Option<SegmentRights> {
    let default = SegmentRights::default();
    let Some(node) = entry.optional("segments") else { return Some(default) };
    let rights = node.object()?;
    let grant =
        rights.required("grant", "name the pools of segments that the module may use, such as [\"frames\"]");
    let size_max = rights.number("size.max", BYTES, default.size_max);
    let count_max = rights.number("count.max", 1..=COUNT_MAX, default.count_max);
    let total_max = rights.number("total.max", BYTES, default.total_max);
    rights.finish();
    let pools = read_pools(&grant?)?;
    Some(SegmentRights { pools, size_max: size_max?, count_max: count_max?, total_max: total_max? })
}

fn read_pools(grant: &Node<'_>) -> Option<BTreeSet<String>> {
    let mut pools = BTreeSet::new();
    for node in grant.array()? {
        let pool = node.text()?;
        if pool.len() > POOL_MAX || pool.chars().any(char::is_control) {
            node.fault(format!("a pool's name has at most {POOL_MAX} bytes and no control characters"));
            return None;
        }
        if !pools.insert(pool.to_owned()) {
            node.fault(format!("the pool `{pool}` stands here twice; remove one"));
        }
    }
    Some(pools)
}
