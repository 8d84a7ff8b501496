//! Which rings carry which lane.

use std::sync::Arc;

use sandgate_ring::End;

use super::{Key, Registry};
use crate::link::frame::Slot;
use crate::link::lanes::Shared;
use crate::link::rings::Rings;
use crate::link::{Lane, Violation};

/// By the epoch of a lane, this process's end of its rings.
pub(super) struct Chosen {
    epoch: u32,
    end: End,
}

impl Registry {
    /// At a gateway: chooses the rings of a lane that is to be opened.
    pub(super) fn choose(&mut self, (module, epoch): Key) -> Option<Slot> {
        let end = self.current.as_ref()?.rings.as_ref()?.allocate()?;
        let sandgate_ring::Slot { number, life } = end.slot();
        self.chosen.insert(module, Chosen { epoch, end });
        Some(Slot { number, life })
    }

    /// The rings of a lane that were chosen and are not in use yet.
    pub(super) fn take_chosen(&mut self, (module, epoch): Key) -> Option<End> {
        let chosen = self.chosen.remove(&module)?;
        if chosen.epoch == epoch {
            return Some(chosen.end);
        }
        self.chosen.insert(module, chosen);
        None
    }
}

impl Shared {
    /// The connection has rings, which carry the lanes that are opened from now on.
    pub(in crate::link) fn share(&self, connection: u64, rings: Arc<Rings>) {
        let mut registry = self.lock();
        let current = registry.current.as_mut().filter(|current| current.number == connection);
        if let Some(current) = current {
            current.rings = Some(rings);
        }
    }

    /// Whether lanes have something to send for which there is no room in the rings yet.
    pub(in crate::link) fn is_held_back(&self) -> bool {
        self.lock().lanes.values().any(Lane::is_held_back)
    }

    /// At a host: the gateway has chosen rings for a lane that it opens next.
    pub(in crate::link) fn on_slot(
        &self,
        connection: u64,
        (module, epoch): Key,
        slot: Slot,
    ) -> Result<(), Violation> {
        let mut registry = self.lock();
        let Some(current) = registry.current.as_ref().filter(|current| current.number == connection) else {
            return Ok(());
        };
        let end = current.rings.as_ref().and_then(|rings| rings.take(slot));
        let end = end.ok_or(Violation::Slot { module, slot: slot.number })?;
        // No peer can make this grow beyond what the arena has.
        registry.chosen.insert(module, Chosen { epoch, end });
        Ok(())
    }
}
