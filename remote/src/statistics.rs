//! What passed through a module, and what did not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandgate_wire::Channel;

/// Counters over all attaches since the [`ProxyGateway`](crate::ProxyGateway) was made. They only grow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Statistics {
    /// Instances that were created.
    pub created: u64,
    /// Instances that failed: refused to be created or started, or panicked.
    pub failures: u64,
    /// Messages that an instance was given.
    pub received: u64,
    /// Of these, those that it answered with an error.
    pub failed: u64,
    /// Frames of the gateway that made no sense.
    pub malformed: u64,
    /// Frames over the limit; each ended its connection.
    pub oversized: u64,
    /// Connections that ended while this end was open.
    pub lost_connections: u64,
    /// Messages that had arrived when their attach ended, and were given to no instance.
    pub unread: u64,
    /// Messages that were taken for publishing.
    pub published: u64,
    /// Calls of [`Broker::publish_message`](crate::Broker::publish_message) before Start or after the end.
    pub refused: u64,
    /// Messages that did not reach the gateway: nobody was there, or it did not read.
    pub dropped: u64,
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

impl Statistics {
    fn add(&mut self, channel: &dyn Channel) {
        let own = channel.statistics();
        self.oversized += own.oversized;
        self.lost_connections += own.lost_connections;
    }
}
