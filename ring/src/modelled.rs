//! What stands for the memory of an arena where loom tries every order of what threads do.

use std::ops::Deref;
use std::sync::Arc;

use crate::sync::AtomicU64;

/// Words that loom watches.
#[derive(Clone, Debug)]
pub(crate) struct Mapping(Arc<Vec<AtomicU64>>);

impl Mapping {
    pub(crate) fn new(words: usize) -> Self {
        Self(Arc::new((0..words).map(|_| AtomicU64::new(0)).collect()))
    }
}

impl Deref for Mapping {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        &self.0
    }
}
