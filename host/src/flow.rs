//! What passed through a module, and what did not.

use std::sync::atomic::{AtomicU64, Ordering};

use sandgate_attach::Figures;

/// Declares the counters with their names, so that none is left out where all are told.
macro_rules! counters {
    ($($(#[$about:meta])* $name:ident,)*) => {
        /// Counters of one control id, over all instances that it had.
        #[derive(Debug, Default)]
        pub(crate) struct Flow {
            $($(#[$about])* pub(crate) $name: Counter,)*
        }

        impl Flow {
            /// All counters with their names.
            pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name.get()),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Messages that the module was given, each once for every attempt.
    received,
    malformed,
    /// Frames over the limit; each ended its connection.
    oversized,
    /// Connections that peers ended, or that a frame far over the limit ended.
    lost_connections,
    /// Frames that had arrived when their peer left, and found no room.
    unread,
    /// Messages to which the module answered with an error.
    failed,
    published,
    /// Messages that the module was told not to publish so.
    refused,
    /// Messages that were published and did not reach the gateway.
    dropped,
    /// Calls that ended an instance.
    faults,
    /// Instances that took the place of one that had failed.
    restarts,
    /// Instances that were replaced although they worked.
    recycled,
    quarantines,
    /// Messages that were given up, because they ended too many instances.
    dead,
    /// Verdicts that were not made, because too many waited, or that the gateway had no room for.
    verdicts_dropped,
}

impl Figures for Flow {
    fn figures(&self) -> Vec<(&'static str, u64)> {
        self.counts().collect()
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.add_all(1);
    }

    pub(crate) fn add_all(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
