//! Values behind numbers. A number that is stale, foreign or invented is found out without reading through it.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The lower bits of a handle, which say where its value stands. The others count how often the place was used.
const INDEX_BITS: u32 = usize::BITS / 8 * 5;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;

/// Values with a count of references each. Clones of what a value shares are what callers work with, so no lock is
/// held while anything else happens.
pub(crate) struct Handles<T> {
    slots: Mutex<Slots<T>>,
}

struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<usize>,
}

struct Slot<T> {
    /// How often this place was emptied.
    generation: usize,
    held: Option<Held<T>>,
}

struct Held<T> {
    value: T,
    references: usize,
}

impl<T: Clone> Handles<T> {
    pub(crate) const fn new() -> Self {
        Self { slots: Mutex::new(Slots { slots: Vec::new(), free: Vec::new() }) }
    }

    /// Takes a value in, with one reference. `None` when there is no number left.
    pub(crate) fn insert(&self, value: T) -> Option<NonZeroUsize> {
        let mut table = self.lock();
        let held = Some(Held { value, references: 1 });
        let index = match table.free.pop() {
            Some(index) => index,
            // Zero would make a handle that is NULL.
            None if table.slots.len() < INDEX_MASK => {
                table.slots.push(Slot { generation: 0, held: None });
                table.slots.len() - 1
            }
            None => return None,
        };
        let slot = table.slots.get_mut(index)?;
        slot.held = held;
        NonZeroUsize::new(slot.generation << INDEX_BITS | (index + 1))
    }

    /// The value of a handle.
    pub(crate) fn get(&self, handle: usize) -> Option<T> {
        self.lock().held(handle)?.as_ref().map(|held| held.value.clone())
    }

    /// Counts one reference more. False for a handle that stands for nothing.
    pub(crate) fn retain(&self, handle: usize) -> bool {
        let mut table = self.lock();
        let Some(Some(held)) = table.held(handle) else { return false };
        held.references = held.references.saturating_add(1);
        true
    }

    /// Counts one reference less; with the last one the value goes. False for a handle that stands for nothing.
    pub(crate) fn release(&self, handle: usize) -> bool {
        let mut table = self.lock();
        let Some(place) = table.held(handle) else { return false };
        let Some(held) = place else { return false };
        held.references -= 1;
        if held.references == 0 {
            let value = place.take();
            table.empty(handle);
            drop(table);
            // Outside of the lock: what goes with a value is the value's own affair.
            drop(value);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Slots<T>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Slots<T> {
    fn held(&mut self, handle: usize) -> Option<&mut Option<Held<T>>> {
        let slot = self.slots.get_mut((handle & INDEX_MASK).checked_sub(1)?)?;
        (slot.generation == handle >> INDEX_BITS).then_some(&mut slot.held)
    }

    /// Makes a place free for another value, unless its numbers are used up.
    fn empty(&mut self, handle: usize) {
        let Some(index) = (handle & INDEX_MASK).checked_sub(1) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.generation += 1;
        if slot.generation <= usize::MAX >> INDEX_BITS {
            self.free.push(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_value_lives_as_long_as_it_is_referenced() {
        let (handles, value) = (Handles::new(), Arc::new(1));
        let handle = handles.insert(value.clone()).unwrap().get();
        assert!(handles.retain(handle));
        assert!(handles.release(handle));
        assert_eq!(handles.get(handle).as_deref(), Some(&1));
        assert!(handles.release(handle));
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn stale_and_invented_handles_stand_for_nothing() {
        let handles = Handles::new();
        let old = handles.insert('a').unwrap().get();
        assert!(handles.release(old));
        let new = handles.insert('b').unwrap().get();
        assert_ne!(old, new, "the place is used again, the number is not");
        for handle in [old, 0, 7, usize::MAX, INDEX_MASK] {
            assert_eq!(handles.get(handle), None);
            assert!(!handles.retain(handle));
            assert!(!handles.release(handle));
        }
        assert_eq!(handles.get(new), Some('b'));
    }

    #[test]
    fn a_place_whose_numbers_are_used_up_is_given_up() {
        let handles = Handles::new();
        handles.lock().slots.push(Slot { generation: usize::MAX >> INDEX_BITS, held: None });
        handles.lock().free.push(0);
        let last = handles.insert('a').unwrap().get();
        assert!(handles.release(last));
        assert!(!handles.release(last));
        assert_ne!(handles.insert('b').unwrap().get() & INDEX_MASK, last & INDEX_MASK);
    }
}
