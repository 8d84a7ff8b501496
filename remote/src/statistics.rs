//! What passed through a module, and what did not.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandgate_attach::Figures;
use sandgate_wire::Channel;

/// Declares the counters with their names, so that none is left out where all are told.
macro_rules! counters {
    ($($(#[$about:meta])* $name:ident,)*) => {
        /// Counters over all attaches since the [`ProxyGateway`](crate::ProxyGateway) was made. They only grow. Shown
        /// as `name=number` for each.
        #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
        #[non_exhaustive]
        pub struct Statistics {
            $($(#[$about])* pub $name: u64,)*
        }

        impl Statistics {
            /// All counters with their names.
            fn counts(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }

        impl fmt::Display for Statistics {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let counts: Vec<_> =
                    self.counts().iter().map(|(name, count)| format!("{name}={count}")).collect();
                f.write_str(&counts.join(" "))
            }
        }
    };
}

counters! {
    /// Instances that were created.
    created,
    /// Instances that failed: refused to be created or started, or panicked.
    failures,
    /// Messages that an instance was given.
    received,
    /// Of these, those that it answered with an error.
    failed,
    /// Frames of the gateway that made no sense.
    malformed,
    /// Frames over the limit; each ended its connection.
    oversized,
    /// Connections that ended while this end was open.
    lost_connections,
    /// Messages that had arrived over V1's channel when their attach ended, and were given to no instance.
    unread,
    /// Messages that were taken for publishing.
    published,
    /// Calls of [`Broker::publish_message`](crate::Broker::publish_message) before Start or after the end.
    refused,
    /// Messages that did not reach the gateway: nobody was there, or it did not read.
    dropped,
    /// Messages that were given up, because they ended too many instances.
    dead,
}

/// The counters as they are kept, and the channels whose own are to be added.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Books>);

#[derive(Default)]
struct Books {
    counted: Statistics,
    open: Vec<Arc<dyn Channel>>,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Books> {
        // Counting does not panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut Statistics)) {
        count(&mut self.lock().counted);
    }

    /// From here on a channel's own counters are part of all.
    pub(crate) fn open(&self, channel: &Arc<dyn Channel>) {
        self.lock().open.push(channel.clone());
    }

    /// Keeps the account of a channel that is about to be closed.
    pub(crate) fn close(&self, channel: &Arc<dyn Channel>) {
        let mut books = self.lock();
        let before = books.open.len();
        books.open.retain(|open| !Arc::ptr_eq(open, channel));
        if books.open.len() < before {
            books.counted.add(&**channel);
        }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let books = self.lock();
        let mut all = books.counted;
        books.open.iter().for_each(|channel| all.add(&**channel));
        all
    }
}

/// What a Sandgate gateway is told over the host link.
impl Figures for Ledger {
    fn figures(&self) -> Vec<(&'static str, u64)> {
        self.statistics().counts()
    }
}

impl Statistics {
    fn add(&mut self, channel: &dyn Channel) {
        let own = channel.statistics();
        self.oversized += own.oversized;
        self.lost_connections += own.lost_connections;
    }
}
