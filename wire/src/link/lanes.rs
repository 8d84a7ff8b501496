//! The lanes of one link: who is there, what is to be said, and which connection carries them.
//!
//! It outlives connections. Of two connections the newer one carries the lanes: a host may see the gateway come
//! back before it sees the old connection end.

mod registry;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tokio::sync::watch;

use super::rings::{RingWatch, Rings};
use super::{Features, Lane, STATISTICS_MAX, Side, Signal, Violation};
use crate::limits::CONTROL_MAX;
use registry::Registry;

pub(super) use registry::{Answer, Begun, Key};

/// Signals that wait to be sent: so many, and for each lane some small ones more, for all modules may have something to say
/// at once.
const SIGNALS_MAX: usize = 1024;
const SIGNALS_OF_LANE: usize = 2;

/// The lanes of one link. Clones are handles of the same.
///
/// A module has one lane at a time, the one with the greatest epoch; a lane belongs to one `Lanes`. On a
/// gateway they are the lanes of one host process, which is what makes resuming them right.
#[derive(Clone)]
pub struct Lanes {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    registry: Mutex<Registry>,
    /// The number of the newest connection.
    newest: watch::Sender<u64>,
    counters: Counters,
    /// Who looks after rings, if that is not the runtime.
    watch: Option<Arc<dyn RingWatch>>,
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) frames_sent: AtomicU64,
    pub(super) frames_received: AtomicU64,
    pub(super) unknown: AtomicU64,
    pub(super) strays: AtomicU64,
}

/// Counters of one end of a link, since its [`Lanes`] were made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LinkStatistics {
    /// Connections that carried the lanes.
    pub connections: u64,
    /// Frames given to a connection.
    pub frames_sent: u64,
    /// Frames that arrived.
    pub frames_received: u64,
    /// Frames of kinds that this version does not know, which were ignored.
    pub unknown: u64,
    /// Frames for lanes that had just been closed or removed, and answers that nobody waited for any more, which were
    /// dropped, with their descriptors.
    pub strays: u64,
}

/// Why a signal is not sent.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SignalError {
    /// Too many signals wait, because nobody is connected or the peer does not read.
    #[error("too many signals wait to be sent")]
    Full,
    /// Statistics over [`STATISTICS_MAX`], or a control message over [`CONTROL_MAX`].
    #[error("a payload of {0} bytes, more than the limit")]
    TooLong(usize),
}

impl Lanes {
    /// No lanes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::make(None)
    }

    /// No lanes yet; this looks after the rings that carry them.
    #[must_use]
    pub fn watched_by(watch: Arc<dyn RingWatch>) -> Self {
        Self::make(Some(watch))
    }

    fn make(watch: Option<Arc<dyn RingWatch>>) -> Self {
        let (registry, newest, counters) = (Mutex::default(), watch::channel(0).0, Counters::default());
        let shared = Shared { registry, newest, counters, watch };
        Self { shared: Arc::new(shared) }
    }

    /// Adds a lane. A gateway's is opened now, if there is a connection, and on every connection to come,
    /// unless a lane of the module with a greater epoch has been opened on it. A host's is opened if the
    /// gateway has asked for it, and from then on whenever it asks. One with the same module and epoch is
    /// replaced; so a gateway gives no epoch twice, for the answer to the first lane would be taken for the second's.
    pub fn add(&self, lane: &Lane) {
        let mut registry = self.shared.lock();
        let replaced = registry.add(lane);
        let writer = registry.writer.take();
        drop(registry);
        if let Some(replaced) = replaced {
            replaced.show_connected();
        }
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// Takes a lane out, which is not carried any more. It is neither closed nor does the peer hear of it:
    /// that is for [`Lane::close`] and [`Signal::Close`].
    pub fn remove(&self, module: u32, epoch: u32) -> Option<Lane> {
        let mut registry = self.shared.lock();
        let removed = registry.remove((module, epoch));
        // A Bye may have waited for what it had to send.
        let writer = removed.as_ref().and_then(|_| registry.writer.take());
        drop(registry);
        let removed = removed?;
        if let Some(writer) = writer {
            writer.wake();
        }
        removed.show_connected();
        Some(removed)
    }

    /// The lane of a module and epoch.
    #[must_use]
    pub fn get(&self, module: u32, epoch: u32) -> Option<Lane> {
        self.shared.lock().lanes.get(&(module, epoch)).cloned()
    }

    /// How many lanes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.lock().lanes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says something to the peer, in front of the parcels that wait, and behind the opening of lanes that
    /// were added before. It waits while nobody is connected. What was given to a connection that breaks is
    /// lost. A reason or detail is cut at 1 KiB.
    ///
    /// [`Signal::Open`] and [`Signal::Opened`] are not for callers: [`Lanes::add`] brings them about.
    /// [`Signal::Bye`] goes behind everything that can be sent, and ends the connection.
    ///
    /// # Errors
    /// Too many signals wait already, or statistics or a control message that are too long.
    pub fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        if let Signal::Statistics { json, .. } = &signal
            && json.len() > STATISTICS_MAX
        {
            return Err(SignalError::TooLong(json.len()));
        }
        if let Signal::Control { frame, .. } = &signal
            && frame.len() > CONTROL_MAX
        {
            return Err(SignalError::TooLong(frame.len()));
        }
        let mut registry = self.shared.lock();
        let more = if signal.is_small() { SIGNALS_OF_LANE * registry.lanes.len() } else { 0 };
        if registry.signals.len() >= SIGNALS_MAX + more {
            return Err(SignalError::Full);
        }
        registry.signals.push_back(signal);
        let writer = registry.writer.take();
        drop(registry);
        if let Some(writer) = writer {
            writer.wake();
        }
        Ok(())
    }

    /// What happened so far.
    #[must_use]
    pub fn statistics(&self) -> LinkStatistics {
        let counters = &self.shared.counters;
        LinkStatistics {
            connections: self.shared.lock().connections,
            frames_sent: counters.frames_sent.load(Ordering::Relaxed),
            frames_received: counters.frames_received.load(Ordering::Relaxed),
            unknown: counters.unknown.load(Ordering::Relaxed),
            strays: counters.strays.load(Ordering::Relaxed),
        }
    }
}

impl Default for Lanes {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes").field("lanes", &self.len()).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Registry> {
        // A panic while the lock is held cannot leave the registry half-changed.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(super) fn watch(&self) -> Option<&Arc<dyn RingWatch>> {
        self.watch.as_ref()
    }
}

/// The connection that carries a lane, as the lane knows it.
#[derive(Clone)]
pub(super) struct Connection {
    shared: Arc<Shared>,
    number: u64,
    side: Side,
    features: Features,
    rings: Option<Arc<Rings>>,
}

impl Connection {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn side(&self) -> Side {
        self.side
    }

    /// Whether the peer knows of shared memory segments.
    pub(super) fn knows_segments(&self) -> bool {
        self.features.contains(Features::SEGMENTS)
    }

    /// What carries parcels beside the socket.
    pub(super) fn rings(&self) -> Option<&Arc<Rings>> {
        self.rings.as_ref()
    }

    /// The peer has broken the rules past the socket, so the connection ends. To be called without a lock.
    pub(super) fn break_off(self, violation: Violation) {
        let writer = self.shared.lock().break_off(self.number, violation);
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// Has the writer look again what there is to do. To be called without a lock.
    pub(super) fn wake_writer(&self) {
        let writer = self.shared.lock().take_writer(self.number);
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// The lane has something to send. To be called without a lock.
    pub(super) fn announce(self, lane: Lane) {
        let writer = self.shared.lock().announce(self.number, lane);
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}
