//! The keys of one message, of which none may stand there twice.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};

/// Up to this many keys are compared with each other; more go through a hash set.
const FEW: usize = 16;

/// The keys so far. Linear in their number when there are many of them, so that a hostile message cannot buy quadratic
/// work.
pub(super) struct Keys<'a> {
    few: [&'a [u8]; FEW],
    count: usize,
    /// Present when more are expected than there is room for.
    many: Option<HashSet<&'a [u8]>>,
    /// Those that came in pieces.
    long: Option<Box<Long<'a>>>,
}

/// Keys with their digests: long ones that differ are not compared to their ends, nor looked through once more.
#[derive(Default)]
struct Long<'a> {
    /// What a digest is cannot be foreseen.
    digests: RandomState,
    /// In order, so that what follows a digest is looked at only where two are the same.
    keys: BTreeSet<(u64, &'a [u8])>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(expected: usize) -> Self {
        let many = (expected > FEW).then(|| HashSet::with_capacity(expected));
        Self { few: [&[]; FEW], count: 0, many, long: None }
    }

    /// False: it is there already.
    #[inline]
    pub(super) fn insert(&mut self, key: &'a [u8]) -> bool {
        if let Some(many) = &mut self.many {
            return many.insert(key);
        }
        let is_new = !self.few[..self.count].contains(&key);
        // There are no more than were expected.
        if let Some(place) = self.few.get_mut(self.count).filter(|_| is_new) {
            *place = key;
            self.count += 1;
        }
        is_new
    }

    /// For the digest of a key that comes in pieces.
    pub(super) fn digest(&mut self) -> DefaultHasher {
        self.long.get_or_insert_default().digests.build_hasher()
    }

    /// As [`Keys::insert`], for one that came in pieces: then every other of its length does, and in the same ones if it is
    /// the same.
    pub(super) fn insert_long(&mut self, key: &'a [u8], digest: &DefaultHasher) -> bool {
        self.long.get_or_insert_default().keys.insert((digest.finish(), key))
    }
}
