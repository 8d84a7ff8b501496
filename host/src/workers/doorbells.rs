//! The rings of the gateways, which the worker threads look after: who has a message for a module here.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use sandgate_wire::link::WatchedRings;

/// Events that are taken at a time.
const EVENTS: usize = 16;

/// Whose an event is.
const INTERRUPT: u64 = 0;
const GATEWAY: u64 = 1;

/// The rings of all connections, and what a thread sleeps on that waits for them.
pub(super) struct Doorbells {
    /// Copied to be gone through: what looking brings about takes the pool's lock, under which this one is taken too.
    watched: RwLock<Arc<[WatchedRings]>>,
    /// Whether there are any.
    any: AtomicBool,
    /// Becomes ready when a gateway rings, or [`Doorbells::interrupt`] is called.
    epoll: OwnedFd,
    interrupts: OwnedFd,
}

impl Doorbells {
    pub(super) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let interrupts = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &interrupts, EventData::new_u64(INTERRUPT), EventFlags::IN | EventFlags::ET)?;
        Ok(Self { watched: RwLock::new(Arc::from([])), any: AtomicBool::new(false), epoll, interrupts })
    }

    /// Whether any gateway has rings.
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, rings: &WatchedRings) {
        // Not added, it is heard when somebody looks for another reason.
        if let Err(error) =
            epoll::add(&self.epoll, rings, EventData::new_u64(GATEWAY), EventFlags::IN | EventFlags::ET)
        {
            tracing::error!(%error, "a gateway's bell cannot be waited for");
        }
        self.change(|watched| watched.push(rings.clone()));
    }

    pub(super) fn remove(&self, rings: &WatchedRings) {
        // It is closed with the last of its clones at the latest, and goes from there then.
        let _ = epoll::delete(&self.epoll, rings);
        self.change(|watched| watched.retain(|other| other != rings));
    }

    fn change(&self, change: impl FnOnce(&mut Vec<WatchedRings>)) {
        let mut watched = self.watched.write().unwrap_or_else(PoisonError::into_inner);
        let mut all = watched.to_vec();
        change(&mut all);
        self.any.store(!all.is_empty(), Ordering::Relaxed);
        *watched = all.into();
    }

    fn all(&self, mut of: impl FnMut(&WatchedRings) -> bool) -> bool {
        let watched = self.watched.read().unwrap_or_else(PoisonError::into_inner).clone();
        watched.iter().fold(false, |any, rings| any | of(rings))
    }

    /// Tells the modules for which there is something. Says whether there was anything.
    pub(super) fn look(&self) -> bool {
        self.any() && self.all(WatchedRings::look)
    }

    /// Has the gateways ring from now on, unless there is something already: then it is false.
    pub(super) fn fall_asleep(&self) -> bool {
        let is_something = self.all(|rings| !rings.fall_asleep());
        if is_something {
            self.awake();
        }
        !is_something
    }

    /// The gateways need not ring.
    pub(super) fn awake(&self) {
        self.all(|rings| {
            rings.awake();
            false
        });
    }

    /// Sleeps until a gateway rings, or somebody interrupts. Says whether it was a gateway.
    pub(super) fn wait(&self) -> bool {
        let mut events = Vec::with_capacity(EVENTS);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => tracing::error!(%error, "cannot wait for the gateways' bells"),
        }
        self.all(|rings| {
            rings.silence();
            false
        });
        // Whoever interrupts again does it behind this.
        let _ = rustix::io::read(&self.interrupts, &mut [0; 8]);
        events.iter().any(|event| event.data.u64() == GATEWAY)
    }

    /// Wakes the thread that waits, or that is about to.
    pub(super) fn interrupt(&self) {
        // Full means that it will wake anyway.
        let _ = rustix::io::write(&self.interrupts, &1_u64.to_ne_bytes());
    }
}
