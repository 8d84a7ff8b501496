//! Segments for what runs in the gateway itself: native modules, and modules of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sandgate_wire::segments::{Grant, SegmentAuthority, SegmentError, Token};

use super::{Holder, ModuleSegments};

/// The segments of one life of a module in this process. Clones are of the same.
#[derive(Clone)]
pub struct LocalSegments {
    shared: Arc<Shared>,
}

struct Shared {
    holder: Holder,
    newest: AtomicU64,
}

/// A segment that a module in this process holds. Dropping it gives it back.
pub struct LocalSegment {
    shared: Arc<Shared>,
    number: u64,
    grant: Grant,
}

impl LocalSegments {
    /// Those of a module, within its rights.
    #[must_use]
    pub fn new(module: &ModuleSegments) -> Self {
        Self { shared: Arc::new(Shared { holder: module.holder(), newest: AtomicU64::new(0) }) }
    }

    /// Makes a segment of a pool, of so many bytes, all zero.
    ///
    /// # Errors
    /// No grant, or a limit.
    pub fn create(&self, pool: &str, size: u64) -> Result<LocalSegment, SegmentError> {
        self.hold(|holder, number| holder.create(number, pool, size))
    }

    /// Opens the segment of a token.
    ///
    /// # Errors
    /// There is none, no grant, or a limit.
    pub fn open(&self, token: Token) -> Result<LocalSegment, SegmentError> {
        self.hold(|holder, number| holder.open(number, token))
    }

    /// Gives everything back, whoever still has it. What is in hand reads as zeros then, if no other module holds it.
    pub fn give_back(&self) {
        self.shared.holder.retain(&[]);
    }

    fn hold(
        &self,
        ask: impl FnOnce(&Holder, u64) -> Result<Grant, SegmentError>,
    ) -> Result<LocalSegment, SegmentError> {
        let number = self.shared.newest.fetch_add(1, Ordering::Relaxed);
        let grant = ask(&self.shared.holder, number)?;
        Ok(LocalSegment { shared: self.shared.clone(), number, grant })
    }
}

impl LocalSegment {
    /// Its token and its memory.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }
}

impl Drop for LocalSegment {
    fn drop(&mut self) {
        self.shared.holder.close(self.number);
    }
}
