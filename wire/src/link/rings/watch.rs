//! Rings that are looked after by threads of the process's own, which need no runtime in between.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::Rings;

/// Looks after the rings of connections.
pub trait RingWatch: Send + Sync {
    /// A connection has rings. Whoever has something to do in them is told by [`WatchedRings::look`].
    fn begin(&self, rings: &WatchedRings);

    /// The connection has ended.
    fn end(&self, rings: &WatchedRings);
}

/// The rings of one connection. Clones are the same; its descriptor is readable when the peer has rung.
#[derive(Clone)]
pub struct WatchedRings(Arc<Rings>);

impl WatchedRings {
    pub(super) fn new(rings: Arc<Rings>) -> Self {
        Self(rings)
    }

    /// Tells the lanes for which there is something. Says whether there was anything.
    #[must_use = "if there was something, there may be more"]
    pub fn look(&self) -> bool {
        self.0.look()
    }

    /// Says that nobody looks from now on, unless there is something: then it is false. The peer rings when there is.
    #[must_use = "where there is something, nobody rings"]
    pub fn fall_asleep(&self) -> bool {
        self.0.arena.fall_asleep()
    }

    /// Somebody looks again.
    pub fn awake(&self) {
        self.0.arena.awake();
    }

    /// Takes what was rung, so that the descriptor is readable when the peer rings again.
    pub fn silence(&self) {
        // What a peer rings meanwhile is heard anew, however much of it there is.
        for _ in 0..16 {
            if self.0.bell.take().is_err() {
                return;
            }
        }
    }
}

impl PartialEq for WatchedRings {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for WatchedRings {}

impl AsFd for WatchedRings {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.bell.as_fd()
    }
}

impl fmt::Debug for WatchedRings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedRings").finish_non_exhaustive()
    }
}
