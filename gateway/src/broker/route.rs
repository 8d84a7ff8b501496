//! One way from a source to a sink, with its policy and its counters.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::queue::Queue;

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

/// What a link says about its messages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Terms {
    /// What happens when the sink's inbox is full.
    pub on_full: OnFull,
    /// How old a message may become and still be delivered (`time.to.live.ms`).
    pub time_to_live: Option<Duration>,
    /// How many times a message may kill the sink before it is given up (`redelivery.max`); from 1 on.
    pub redelivery_max: u8,
    /// The module that gets the messages which were given up so (`dead.letter`); a file, if there is none.
    pub dead_letter: Option<String>,
}

impl Terms {
    /// How many times a message may kill its module unless the link says otherwise.
    pub const REDELIVERY_MAX: u8 = 3;
}

impl Default for Terms {
    fn default() -> Self {
        let redelivery_max = Self::REDELIVERY_MAX;
        Self { on_full: OnFull::default(), time_to_live: None, redelivery_max, dead_letter: None }
    }
}

impl From<OnFull> for Terms {
    /// The defaults with this policy.
    fn from(on_full: OnFull) -> Self {
        Self { on_full, ..Self::default() }
    }
}

/// A link between one source and one sink.
pub struct Route {
    source: Arc<str>,
    sink: Arc<str>,
    terms: Terms,
    dead_letters: bool,
    pub(super) queue: Arc<Queue>,
    made: Instant,
    offered: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    expired: AtomicU64,
    dead: AtomicU64,
    redelivered: AtomicU64,
    /// Messages that a sink has taken, and has not said what became of them.
    out: AtomicU64,
    /// See [`Route::none_before`].
    none_before: AtomicU64,
}

/// What happened to a route's messages since it was made: `offered = delivered + dropped + expired + dead +
/// waiting`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Messages that the source published here. One that still waits for room is not yet offered.
    pub offered: u64,
    /// Messages that the sink has handled; for a sink that does not say when it has, those that it has taken
    /// from its inbox.
    pub delivered: u64,
    /// Messages that were given up: no room, or the sink was gone.
    pub dropped: u64,
    /// Messages that became older than the link's time-to-live.
    pub expired: u64,
    /// Messages that killed the sink too often; they are with the link's dead letters.
    pub dead: u64,
    /// Messages in flight: in the sink's inbox, or taken and not settled. It is what is left of those that
    /// were offered; [`Route::in_flight`] counts them.
    pub waiting: u64,
    /// How many times a message was sent again. Outside the sum.
    pub redelivered: u64,
}

impl Route {
    pub(super) fn new(source: Arc<str>, sink: &str, terms: Terms, queue: Arc<Queue>) -> Self {
        Self {
            source,
            sink: sink.into(),
            terms,
            dead_letters: false,
            queue,
            made: Instant::now(),
            offered: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            dead: AtomicU64::new(0),
            redelivered: AtomicU64::new(0),
            out: AtomicU64::new(0),
            none_before: AtomicU64::new(0),
        }
    }

    /// A place in the queue before which none of this route's messages waits. For the queue, under its lock.
    pub(super) fn none_before(&self) -> u64 {
        self.none_before.load(Ordering::Relaxed)
    }

    pub(super) fn note_none_before(&self, place: u64) {
        self.none_before.store(place, Ordering::Relaxed);
    }

    /// The way of what killed the module `source`.
    pub(super) fn of_dead_letters(source: Arc<str>, sink: &str, queue: Arc<Queue>) -> Self {
        Self { dead_letters: true, ..Self::new(source, sink, OnFull::DropNewest.into(), queue) }
    }

    /// Whether this is no link but the way of dead letters: of messages that killed the module that is named
    /// as the source.
    #[must_use]
    pub fn is_of_dead_letters(&self) -> bool {
        self.dead_letters
    }

    /// Whether this is the way into that inbox on these terms.
    pub(super) fn is(&self, terms: &Terms, queue: &Arc<Queue>) -> bool {
        self.terms == *terms && Arc::ptr_eq(&self.queue, queue)
    }

    /// The name of the module that publishes.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The same, shared, for who keeps it.
    #[must_use]
    pub fn shared_source(&self) -> Arc<str> {
        self.source.clone()
    }

    /// The name of the module that receives.
    #[must_use]
    pub fn sink(&self) -> &str {
        &self.sink
    }

    /// What happens when the sink's inbox is full.
    #[must_use]
    pub fn on_full(&self) -> OnFull {
        self.terms.on_full
    }

    /// How old a message may become and still be delivered.
    #[must_use]
    pub fn time_to_live(&self) -> Option<Duration> {
        self.terms.time_to_live
    }

    /// How many times a message may kill the sink before it is given up.
    #[must_use]
    pub fn redelivery_max(&self) -> u8 {
        self.terms.redelivery_max
    }

    /// The module that gets the messages which were given up so; a file, if there is none.
    #[must_use]
    pub fn dead_letter(&self) -> Option<&str> {
        self.terms.dead_letter.as_deref()
    }

    /// The counters now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        // What became of messages before what was offered, so that a message on its way cannot be counted as
        // settled and not as offered.
        let delivered = self.delivered.load(Ordering::Acquire);
        let dropped = self.dropped.load(Ordering::Acquire);
        let expired = self.expired.load(Ordering::Acquire);
        let dead = self.dead.load(Ordering::Acquire);
        let offered = self.offered.load(Ordering::Acquire);
        let waiting = offered.saturating_sub(delivered + dropped + expired + dead);
        let redelivered = self.redelivered.load(Ordering::Relaxed);
        Counters { offered, delivered, dropped, expired, dead, waiting, redelivered }
    }

    /// The messages in flight, counted where they are. When nothing moves they are as many as
    /// [`Counters::waiting`]: a message that got lost, or was settled twice, makes a difference. It looks at
    /// everything that waits in the inbox.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.queue.count(self) + self.out.load(Ordering::Acquire)
    }

    /// Counts messages that were sent to the sink once more.
    pub fn count_redelivered(&self, messages: u64) {
        self.redelivered.fetch_add(messages, Ordering::Relaxed);
    }

    /// When a message that is offered now becomes too old, in this route's time.
    pub(super) fn expiry(&self) -> Option<NonZeroU64> {
        let time_to_live = nanoseconds(self.terms.time_to_live?);
        NonZeroU64::new(self.time(Instant::now()).saturating_add(time_to_live).max(1))
    }

    /// The route's own time, which half as many bytes hold: nanoseconds since it was made.
    pub(super) fn time(&self, now: Instant) -> u64 {
        nanoseconds(now.saturating_duration_since(self.made))
    }

    pub(super) fn count_offered(&self) {
        self.offered.fetch_add(1, Ordering::Release);
    }

    pub(super) fn count_delivered(&self, messages: u64) {
        self.delivered.fetch_add(messages, Ordering::Release);
    }

    pub(super) fn count_out(&self, messages: u64) {
        self.out.fetch_add(messages, Ordering::Release);
    }

    pub(super) fn count_in(&self) {
        self.out.fetch_sub(1, Ordering::Release);
    }

    pub(super) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Release);
    }

    pub(super) fn count_expired(&self) {
        self.expired.fetch_add(1, Ordering::Release);
    }

    pub(super) fn count_dead(&self) {
        self.dead.fetch_add(1, Ordering::Release);
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, sink, counters) = (self.source(), self.sink(), self.counters());
        f.debug_struct("Route").field("source", &source).field("sink", &sink).field("is", &counters).finish()
    }
}

/// Five hundred years and more are as long as that.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
