//! How many modules of a launched host are attached: it ends when the last of them is destroyed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A count that a host's sessions share. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Residents {
    count: Arc<AtomicUsize>,
}

impl Residents {
    pub(crate) fn enter(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }
}
