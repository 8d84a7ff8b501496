//! Shared memory segments: the gateway makes them, knows who holds them, and lets nobody in without a grant.
//!
//! A segment belongs to a pool, which is a name. A module creates segments of the pools that its configuration
//! grants it, and opens those that others have created in them, by the token that came in a message. A segment
//! is there while somebody holds it; with its last holder go its token and its memory. A holder is one attach
//! of a module ([`Holder`]), so that whatever ends the attach gives back what it held.

mod holder;
mod local;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandgate_wire::segments::{Grant, Memory, SegmentError, Token};

pub use crate::config::SegmentRights;
use crate::status::ModuleStatus;
pub use holder::Holder;
pub use local::{LocalSegment, LocalSegments};

/// All segments of a gateway. Clones share them.
#[derive(Clone, Default)]
pub struct Segments {
    known: Arc<Mutex<HashMap<Token, Known>>>,
}

struct Known {
    pool: String,
    memory: Memory,
    holds: u64,
}

impl Segments {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What a module may do with them. What it holds is shown in its status, as `segments`.
    #[must_use]
    pub fn of_module(&self, rights: SegmentRights, status: ModuleStatus) -> ModuleSegments {
        ModuleSegments { segments: self.clone(), rights: Arc::new(rights), status }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Token, Known>> {
        // A panic while the lock is held cannot leave the map half-changed.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new segment, held once.
    fn create(&self, pool: &str, size: u64) -> Result<Grant, SegmentError> {
        let memory = Memory::create(size).map_err(|_| SegmentError::OutOfMemory)?;
        let (token, pool) = (Token::random(), pool.to_owned());
        self.lock().insert(token, Known { pool, memory: memory.clone(), holds: 1 });
        Ok(Grant { token, memory })
    }

    /// The segment of a token, for one who may use these pools.
    fn find(&self, token: Token, pools: &BTreeSet<String>) -> Result<Grant, SegmentError> {
        let known = self.lock();
        let Known { pool, memory, .. } = known.get(&token).ok_or(SegmentError::NoSuch)?;
        if !pools.contains(pool) {
            return Err(SegmentError::Foreign);
        }
        Ok(Grant { token, memory: memory.clone() })
    }

    /// Somebody holds it once more. It may have gone since it was found.
    fn hold(&self, token: Token) -> Result<(), SegmentError> {
        let mut known = self.lock();
        let entry = known.get_mut(&token).ok_or(SegmentError::NoSuch)?;
        entry.holds += 1;
        Ok(())
    }

    /// Somebody holds it no more.
    fn release(&self, token: Token) {
        let mut known = self.lock();
        let Some(entry) = known.get_mut(&token) else { return };
        entry.holds -= 1;
        if entry.holds > 0 {
            return;
        }
        let gone = known.remove(&token);
        drop(known);
        // A host that has kept its descriptor does not keep the memory.
        gone.iter().for_each(|known| known.memory.give_back());
    }
}

/// A module's part in the segments of its gateway. Clones share it.
#[derive(Clone)]
pub struct ModuleSegments {
    segments: Segments,
    rights: Arc<SegmentRights>,
    status: ModuleStatus,
}

impl ModuleSegments {
    /// Those of a module without any grant and without a place in a gateway.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Segments::new().of_module(SegmentRights::default(), ModuleStatus::new("module", "test"))
    }

    /// Whether the module has any grant.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        !self.rights.pools.is_empty()
    }

    /// A holder, for one attach or one life of the module. Its limits are the holder's own.
    #[must_use]
    pub fn holder(&self) -> Holder {
        Holder::new(self.clone())
    }
}

#[cfg(test)]
mod tests;
