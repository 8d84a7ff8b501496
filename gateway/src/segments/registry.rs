//! All segments of a gateway, and what each module holds of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;

use sandgate_wire::segments::{Grant, Memory, SegmentError, Token};

use super::{Holder, SegmentRights};
use crate::status::ModuleStatus;
use tracing::warn;

/// All segments of a gateway. Clones share them.
#[derive(Clone, Default)]
pub struct Segments {
    known: Arc<Mutex<HashMap<Token, Known>>>,
    /// The way to the thread that lets go of memory, from the first time on.
    reclaimer: Arc<OnceLock<mpsc::Sender<Memory>>>,
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
    pub(super) fn create(&self, pool: &str, size: u64) -> Result<Grant, SegmentError> {
        let memory = Memory::create(size).map_err(|error| {
            warn!(pool, size, %error, "no segment can be made; if it is for want of descriptors, raise `ulimit -n`");
            SegmentError::OutOfMemory
        })?;
        let (token, pool) = (Token::random(), pool.to_owned());
        self.lock().insert(token, Known { pool, memory: memory.clone(), holds: 1 });
        Ok(Grant { token, memory })
    }

    /// The segment of a token, for one who may use these pools.
    pub(super) fn find(&self, token: Token, pools: &BTreeSet<String>) -> Result<Grant, SegmentError> {
        let known = self.lock();
        let Known { pool, memory, .. } = known.get(&token).ok_or(SegmentError::NoSuch)?;
        if !pools.contains(pool) {
            return Err(SegmentError::Foreign);
        }
        Ok(Grant { token, memory: memory.clone() })
    }

    /// Somebody holds it once more. It may have gone since it was found.
    pub(super) fn hold(&self, token: Token) -> Result<(), SegmentError> {
        let mut known = self.lock();
        let entry = known.get_mut(&token).ok_or(SegmentError::NoSuch)?;
        entry.holds += 1;
        Ok(())
    }

    /// Lets go of memory. With the last descriptor the system takes it apart, which takes milliseconds for large memory and
    /// is not to be waited for where frames are read.
    fn reclaim(&self, memory: Memory) {
        let reclaimer = self.reclaimer.get_or_init(|| {
            let (sender, memories) = mpsc::channel::<Memory>();
            let work = move || memories.into_iter().for_each(drop);
            if let Err(error) = thread::Builder::new().name("segments".into()).spawn(work) {
                warn!(%error, "no thread to let go of segments; it is done in place");
            }
            sender
        });
        // Without the thread it comes back, and is dropped here.
        let _ = reclaimer.send(memory);
    }

    /// Somebody holds it no more.
    pub(super) fn release(&self, token: Token) {
        let mut known = self.lock();
        let Some(entry) = known.get_mut(&token) else { return };
        entry.holds -= 1;
        if entry.holds > 0 {
            return;
        }
        let gone = known.remove(&token);
        drop(known);
        gone.into_iter().for_each(|known| self.reclaim(known.memory));
    }
}

/// A module's part in the segments of its gateway. Clones share it.
#[derive(Clone)]
pub struct ModuleSegments {
    pub(super) segments: Segments,
    pub(super) rights: Arc<SegmentRights>,
    pub(super) status: ModuleStatus,
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
