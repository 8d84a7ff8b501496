//! The places in the source where a module has failed. They are kept, for one that fails mostly fails again, and in
//! the same place; its file is read for new ones alone.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use super::cut;
use super::symbols::{Location, Symbols};

/// Places of one component that are kept.
const PLACES_MAX: usize = 1024;

/// By the offset of the instruction in a component; none where nothing is known of it.
type Found = HashMap<usize, Option<Location>>;

/// The known places of one component.
#[derive(Debug, Default)]
pub(crate) struct Places {
    known: Mutex<Found>,
}

impl Places {
    /// Looks places up. `read` gives the component's binary, or none if that is not to be had any more.
    pub(super) fn find(
        &self,
        offsets: impl Iterator<Item = usize>,
        read: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Found {
        // What changes it below cannot panic half-way.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Found::new();
        let mut unknown = Vec::new();
        for offset in offsets {
            match known.get(&offset) {
                Some(place) => drop(found.insert(offset, place.clone())),
                None => unknown.push(offset),
            }
        }
        if unknown.is_empty() {
            return found;
        }
        let Some(binary) = read() else { return found };
        let symbols = unless_it_panics(|| Symbols::parse(&binary));
        for offset in unknown {
            let place = unless_it_panics(|| symbols.as_ref()?.locate(offset));
            found.insert(offset, place.map(|place| Location { file: cut(place.file), ..place }));
        }
        if known.len() + found.len() > PLACES_MAX {
            known.clear();
        }
        known.extend(found.iter().map(|(offset, place)| (*offset, place.clone())));
        found
    }
}

/// What reads a stranger's line tables may stumble over them; the verdict is made all the same.
fn unless_it_panics<T>(read: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(read)).ok().flatten()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_file_is_read_for_new_places_alone_and_few_are_kept() {
        let (places, reads) = (Places::default(), Cell::new(0));
        let read = || {
            reads.set(reads.get() + 1);
            Some(b"\0asm\x0d\0\x01\0".to_vec())
        };
        for (offsets, reads_by_then) in [(vec![1, 2], 1), (vec![2, 1], 1), (vec![2, 3], 2), (vec![], 2)] {
            let found = places.find(offsets.iter().copied(), read);
            assert_eq!((found.len(), reads.get()), (offsets.len(), reads_by_then));
        }
        for offset in 0..3 * PLACES_MAX {
            places.find([offset].into_iter(), read);
        }
        assert!(places.known.lock().unwrap().len() <= PLACES_MAX);
        assert!(places.find([PLACES_MAX * 9].into_iter(), || None).is_empty(), "and then it is asked again");
    }
}
