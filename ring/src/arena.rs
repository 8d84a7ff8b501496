//! The memory that a gateway and a host share.

use std::fmt;
use std::io;
#[cfg(not(loom))]
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, PoisonError};

#[cfg(not(loom))]
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create};

use crate::doorbell::Doorbell;
use crate::end::End;
#[cfg(not(loom))]
use crate::layout::{HEADER, LARGEST_RING, MOST_SLOTS};
use crate::layout::{LEFT, Layout, Side, WORD};
use crate::mapping::Mapping;
use crate::slots::{Allocator, Slot, Slots, Taken};
use crate::sync::{AtomicU64, Mutex, Ordering};

/// What `/proc/PID/fd` shows of an arena.
#[cfg(not(loom))]
const LABEL: &str = "sandgate-rings";

/// Its size never changes, so that nobody's access can fall off its end; and none of this can be undone.
#[cfg(not(loom))]
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// Why there is no arena.
#[derive(Debug, thiserror::Error)]
pub enum ArenaError {
    /// So many slots, or rings of so many bytes, are not allowed.
    #[error(
        "{slots} slots with rings of {ring_bytes} bytes: 1 to 16384 slots are allowed, and powers of two from 4096 to \
         1048576"
    )]
    Limits {
        /// How many slots.
        slots: u64,
        /// How many bytes a ring would have.
        ring_bytes: u64,
    },
    /// The descriptor is not one of memory whose size is sealed.
    #[error("the descriptor is not one of sealed memory")]
    NotSealed,
    /// The memory is not an arena's, or one of another version.
    #[error("the memory does not begin as an arena of this version does")]
    Header,
    /// The memory is not as large as it says.
    #[error("the memory has {actual} bytes and says {said}")]
    Size {
        /// The bytes that there are.
        actual: u64,
        /// The bytes that an arena has of which the header tells.
        said: u64,
    },
    /// The system gives no memory or no descriptor, or has no room for the mapping.
    #[error("the system has no memory for it")]
    System(#[from] io::Error),
}

/// One side's view of the memory that it shares with the other. Clones are the same view.
#[derive(Clone)]
pub struct Arena(Arc<Shared>);

/// What the arena and its ends have in common.
pub(crate) struct Shared {
    pub(crate) words: Mapping,
    pub(crate) layout: Layout,
    pub(crate) side: Side,
    slots: Mutex<Slots>,
}

#[cfg(not(loom))]
impl Arena {
    /// Makes an arena, as the gateway; the descriptor is for the host. The system gives memory for what is used.
    ///
    /// # Errors
    /// The numbers are beyond the limits; or the system has no descriptor, or no room.
    pub fn create(slots: u32, ring_bytes: u32) -> Result<(Self, OwnedFd), ArenaError> {
        let layout = Layout::new(slots.into(), ring_bytes.into())?;
        let file =
            memfd_create(LABEL, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).map_err(io::Error::from)?;
        ftruncate(&file, layout.bytes()).map_err(io::Error::from)?;
        fcntl_add_seals(&file, SEALS).map_err(io::Error::from)?;
        let descriptor = file.try_clone()?;
        let words = Mapping::new(file, layout.words)?;
        for (word, value) in words.iter().zip(layout.header()) {
            word.store(value, Ordering::Relaxed);
        }
        let slots = Slots::Gateway(Allocator::new(layout.slots));
        Ok((Self::new(words, layout, Side::Gateway, slots), descriptor))
    }

    /// Opens an arena that a gateway has made, as its host.
    ///
    /// # Errors
    /// It is not what a gateway makes; or the system has no room.
    pub fn open(descriptor: OwnedFd) -> Result<Self, ArenaError> {
        // Only memory files have seals.
        if !fcntl_get_seals(descriptor.as_fd()).is_ok_and(|seals| seals.contains(SEALS)) {
            return Err(ArenaError::NotSealed);
        }
        let size = fstat(&descriptor).map_err(io::Error::from)?.st_size;
        let actual = u64::try_from(size).unwrap_or_default();
        let most = Layout::new(MOST_SLOTS.into(), LARGEST_RING.into())?.bytes();
        if actual > most || actual < (HEADER * WORD) as u64 || !actual.is_multiple_of(WORD as u64) {
            return Err(ArenaError::Header);
        }
        // No more than the largest arena has, which is mapped only where it can be addressed.
        let words = usize::try_from(actual / WORD as u64).map_err(|_| ArenaError::Header)?;
        let words = Mapping::new(descriptor, words)?;
        // Read once; what it says later does not matter.
        let mut header = [0; HEADER];
        for (value, word) in header.iter_mut().zip(words.iter()) {
            *value = word.load(Ordering::Relaxed);
        }
        let layout = Layout::read(header)?;
        if layout.bytes() != actual {
            return Err(ArenaError::Size { actual, said: layout.bytes() });
        }
        let slots = Slots::Host(Taken::new(layout.slots));
        Ok(Self::new(words, layout, Side::Host, slots))
    }

    /// The bytes of memory that the system has given to the arena. The peer can make them grow up to the arena's size, as
    /// it could use memory of its own; who must bound that looks here.
    ///
    /// # Errors
    /// Those of the system.
    pub fn resident(&self) -> io::Result<u64> {
        self.0.words.resident()
    }
}

#[cfg(loom)]
impl Arena {
    /// Both sides of an arena of a model, with rings of so many words.
    pub fn pair(slots: u32, ring: usize) -> (Self, Self) {
        let layout = Layout::of(slots, ring);
        let words = Mapping::new(layout.words);
        let gateway = Slots::Gateway(Allocator::new(slots));
        let host = Slots::Host(Taken::new(slots));
        let gateway = Self::new(words.clone(), layout.clone(), Side::Gateway, gateway);
        (gateway, Self::new(words, layout, Side::Host, host))
    }
}

impl Arena {
    fn new(words: Mapping, layout: Layout, side: Side, slots: Slots) -> Self {
        Self(Arc::new(Shared { words, layout, side, slots: Mutex::new(slots) }))
    }

    /// Whose view it is.
    #[must_use]
    pub fn side(&self) -> Side {
        self.0.side
    }

    /// How many slots it has.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.0.layout.slots
    }

    /// The bytes that a record can have: half of a ring's.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.0.layout.ring * WORD / 2
    }

    /// The gateway's end of a slot that nobody has; the host is told of [`End::slot`] and takes its end. `None` when all
    /// are in use, and always for a host.
    ///
    /// A slot is free again when both ends have left it: one of which the host is never told stays in use.
    #[must_use]
    pub fn allocate(&self) -> Option<End> {
        let shared = &self.0;
        let slot = shared.with_slots(|slots| match slots {
            Slots::Gateway(slots) => {
                let slot = slots.allocate(|slot| shared.left(slot))?;
                for side in [Side::Gateway, Side::Host] {
                    shared.line(slot.number, side).iter().for_each(|word| word.store(0, Ordering::Relaxed));
                }
                Some(slot)
            }
            Slots::Host(_) => None,
        })?;
        Some(End::new(shared.clone(), slot))
    }

    /// The host's end of a slot of which the gateway has told. `None` if there is no such slot, or it was taken before,
    /// in this life or a later one, or its end of the life before is still there; and always for a gateway.
    #[must_use]
    pub fn end(&self, slot: Slot) -> Option<End> {
        let taken = self.0.with_slots(|slots| match slots {
            Slots::Host(taken) => taken.take(slot),
            Slots::Gateway(_) => false,
        });
        taken.then(|| End::new(self.0.clone(), slot))
    }

    /// Takes this side's marks: calls for the number of each slot that may have something, once. How many there were. Marks
    /// of slots that nobody has are passed on as well: they are left from a life before, or the peer's invention.
    pub fn take_ready(&self, each: impl FnMut(u32)) -> usize {
        self.0.doorbell(self.0.side).take(self.0.layout.slots, each)
    }

    /// Says that this side sleeps from now on until it is woken, unless a slot has a mark: then it does not, and this is
    /// `false`. A peer that sets marks all the time never lets it sleep, as one that sends all the time would not.
    #[must_use = "where there is a mark, nobody will wake it"]
    pub fn fall_asleep(&self) -> bool {
        self.0.doorbell(self.0.side).fall_asleep()
    }

    /// Says that this side is awake, where it was not the peer that woke it.
    pub fn awake(&self) {
        self.0.doorbell(self.0.side).awake();
    }
}

impl Shared {
    /// What a side writes of a slot.
    pub(crate) fn line(&self, slot: u32, side: Side) -> &[AtomicU64] {
        &self.words[self.layout.line(slot, side)]
    }

    /// What wakes a side.
    pub(crate) fn doorbell(&self, side: Side) -> Doorbell<'_> {
        Doorbell { words: &self.words, at: self.layout.doorbell(side) }
    }

    /// Which life of a slot the host has left last; with it, that it does nothing with it any more.
    fn left(&self, slot: u32) -> u64 {
        self.line(slot, Side::Host)[LEFT].load(Ordering::Acquire)
    }

    /// An end has gone.
    pub(crate) fn leave(&self, slot: Slot) {
        self.with_slots(|slots| match slots {
            Slots::Gateway(slots) => slots.leave(slot),
            Slots::Host(taken) => taken.leave(slot),
        });
        // After it is given up here: the gateway may give it again at once.
        if self.side == Side::Host {
            self.line(slot.number, Side::Host)[LEFT].store(slot.life.into(), Ordering::Release);
        }
    }

    fn with_slots<T>(&self, work: impl FnOnce(&mut Slots) -> T) -> T {
        work(&mut self.slots.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (side, slots, words) = (self.side, self.layout.slots, self.layout.words);
        f.debug_struct("Arena")
            .field("side", &side)
            .field("slots", &slots)
            .field("words", &words)
            .finish_non_exhaustive()
    }
}
