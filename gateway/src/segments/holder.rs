//! One attach of a module as a holder of segments, within its module's rights.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sandgate_wire::segments::{Grant, SegmentAuthority, SegmentError, Token};
use serde_json::json;

use super::ModuleSegments;

/// The figure of a module's status that tells what it holds.
const FIGURE: &str = "segments";

/// What one attach holds. Dropping it gives everything back.
pub struct Holder {
    module: ModuleSegments,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// By the number of the request.
    holds: BTreeMap<u64, Grant>,
    bytes: u64,
}

impl Holder {
    pub(super) fn new(module: ModuleSegments) -> Self {
        Self { module, held: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // A panic while the lock is held cannot leave the map half-changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is room for one more, of so many bytes.
    fn check(&self, held: &Held, size: u64) -> Result<(), SegmentError> {
        let rights = &self.module.rights;
        if held.holds.len() as u64 >= rights.count_max {
            return Err(SegmentError::TooMany(rights.count_max));
        }
        if held.bytes.saturating_add(size) > rights.total_max {
            return Err(SegmentError::TooMuch(rights.total_max));
        }
        Ok(())
    }

    fn add(&self, mut held: MutexGuard<'_, Held>, request: u64, grant: Grant) -> Grant {
        held.bytes += grant.memory.size();
        held.holds.insert(request, grant.clone());
        self.show(&held);
        grant
    }

    fn give_back(&self, mut held: MutexGuard<'_, Held>, is_over: impl Fn(u64) -> bool) {
        let over: Vec<_> = held.holds.extract_if(.., |request, _| is_over(*request)).collect();
        if over.is_empty() {
            return;
        }
        held.bytes -= over.iter().map(|(_, grant)| grant.memory.size()).sum::<u64>();
        self.show(&held);
        drop(held);
        for (_, Grant { token, memory }) in over {
            drop(memory);
            self.module.segments.release(token);
        }
    }

    /// Under the lock, so that of two changes the newer one is shown last.
    fn show(&self, held: &Held) {
        let figure = json!({"held": held.holds.len(), "bytes": held.bytes});
        self.module.status.set_figure(FIGURE, figure);
    }
}

impl SegmentAuthority for Holder {
    fn create(&self, request: u64, pool: &str, size: u64) -> Result<Grant, SegmentError> {
        let held = self.lock();
        if let Some(grant) = held.holds.get(&request) {
            return Ok(grant.clone());
        }
        let rights = &self.module.rights;
        if !rights.pools.contains(pool) {
            return Err(SegmentError::NotGranted);
        }
        if size == 0 {
            return Err(SegmentError::Empty);
        }
        if size > rights.size_max {
            return Err(SegmentError::TooLarge(rights.size_max));
        }
        self.check(&held, size)?;
        let grant = self.module.segments.create(pool, size)?;
        Ok(self.add(held, request, grant))
    }

    fn open(&self, request: u64, token: Token) -> Result<Grant, SegmentError> {
        let held = self.lock();
        if let Some(grant) = held.holds.get(&request) {
            return Ok(grant.clone());
        }
        let segments = &self.module.segments;
        let grant = segments.find(token, &self.module.rights.pools)?;
        self.check(&held, grant.memory.size())?;
        segments.hold(token)?;
        Ok(self.add(held, request, grant))
    }

    fn close(&self, request: u64) {
        let held = self.lock();
        self.give_back(held, |held| held == request);
    }

    fn retain(&self, requests: &[u64]) {
        let kept: std::collections::BTreeSet<u64> = requests.iter().copied().collect();
        let held = self.lock();
        self.give_back(held, |held| !kept.contains(&held));
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let held = self.lock();
        self.give_back(held, |_| true);
    }
}
