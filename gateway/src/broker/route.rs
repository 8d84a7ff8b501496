//! One way from a source to a sink, with its policy and its counters.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Link;
use super::inbox::Queue;

/// What happens when a message is offered to a full inbox.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum OnFull {
    /// The source waits for room (`block`). While nobody takes the sink's messages, because its host is
    /// absent, it does not: then this is [`OnFull::DropOldest`], so that one absent host cannot stop a
    /// source that feeds others.
    #[default]
    Block,
    /// The oldest waiting message of the same link gives way; if none waits, the new one is dropped
    /// (`drop-oldest`).
    DropOldest,
    /// The new message is dropped (`drop-newest`).
    DropNewest,
}

impl OnFull {
    /// The names that the configuration knows.
    pub const NAMES: [&str; 3] = ["block", "drop-oldest", "drop-newest"];
}

impl FromStr for OnFull {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "block" => Ok(Self::Block),
            "drop-oldest" => Ok(Self::DropOldest),
            "drop-newest" => Ok(Self::DropNewest),
            _ => Err(()),
        }
    }
}

impl fmt::Display for OnFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Block => "block",
            Self::DropOldest => "drop-oldest",
            Self::DropNewest => "drop-newest",
        })
    }
}

/// A link between one source and one sink.
pub struct Route {
    source: Arc<str>,
    sink: String,
    on_full: OnFull,
    pub(super) queue: Arc<Queue>,
    offered: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
}

/// What happened to a route's messages since it was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Messages that the source published here. One that still waits for room is not yet offered.
    pub offered: u64,
    /// Messages that the sink has taken from its inbox.
    pub delivered: u64,
    /// Messages that were given up: no room, or the sink was gone.
    pub dropped: u64,
    /// Messages in the sink's inbox.
    pub waiting: u64,
}

impl Route {
    pub(super) fn new(source: Arc<str>, link: &Link, queue: Arc<Queue>) -> Self {
        Self {
            source,
            sink: link.sink.clone(),
            on_full: link.on_full,
            queue,
            offered: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// Whether this is the link's way into that inbox.
    pub(super) fn is(&self, link: &Link, queue: &Arc<Queue>) -> bool {
        self.sink == link.sink && self.on_full == link.on_full && Arc::ptr_eq(&self.queue, queue)
    }

    /// The name of the module that publishes.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The name of the module that receives.
    #[must_use]
    pub fn sink(&self) -> &str {
        &self.sink
    }

    /// What happens when the sink's inbox is full.
    #[must_use]
    pub fn on_full(&self) -> OnFull {
        self.on_full
    }

    /// The counters now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        // In this order, so that a message on its way cannot be counted as taken and not as offered.
        let delivered = self.delivered.load(Ordering::Acquire);
        let dropped = self.dropped.load(Ordering::Acquire);
        let offered = self.offered.load(Ordering::Acquire);
        let waiting = offered.saturating_sub(delivered).saturating_sub(dropped);
        Counters { offered, delivered, dropped, waiting }
    }

    pub(super) fn count_offered(&self) {
        self.offered.fetch_add(1, Ordering::Release);
    }

    pub(super) fn count_delivered(&self, messages: u64) {
        self.delivered.fetch_add(messages, Ordering::Release);
    }

    pub(super) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Release);
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, sink, counters) = (self.source(), self.sink(), self.counters());
        f.debug_struct("Route").field("source", &source).field("sink", &sink).field("is", &counters).finish()
    }
}
