//! Who is at the other end of a pair socket, told by nng's pipe events, and the channel's counters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use nng::{Pipe, PipeEvent};
use tokio::sync::watch;

use super::{Peer, Statistics};

/// What the socket's pipe callback uses. The socket holds the callback, so this must not hold the socket.
pub(super) struct Presence {
    peer: watch::Sender<Peer>,
    /// The pipes that have been announced and have not left. A peer that was refused leaves too, and a
    /// late farewell may come behind the successor's greeting, so "a pipe has gone" alone does not mean
    /// that nobody is there.
    pipes: Mutex<HashMap<Pipe, Stage>>,
    /// The pipe that the last frame came through.
    last_heard: Mutex<Option<Pipe>>,
    /// This end is being closed: what ends from now on is not lost.
    pub(super) closing: AtomicBool,
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) oversized: AtomicU64,
    dropped: AtomicU64,
    lost_connections: AtomicU64,
}

/// How far a pipe has come. nng reports from several threads, so its reports come in any order, and
/// behind the first frames.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Stage {
    /// It may yet be refused.
    Announced,
    /// A frame came through it, so it is in use, which is to be reported yet.
    Heard,
    InUse,
    /// It has left, and that it was in use is to be reported yet.
    Left,
}

impl Stage {
    fn is_in_use(self) -> bool {
        matches!(self, Self::Heard | Self::InUse)
    }
}

impl Presence {
    pub(super) fn new() -> Self {
        Self {
            peer: watch::channel(Peer::default()).0,
            pipes: Mutex::default(),
            last_heard: Mutex::default(),
            closing: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            oversized: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            lost_connections: AtomicU64::new(0),
        }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Peer> {
        self.peer.subscribe()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// The counters; `waiting` is for the caller to add.
    pub(super) fn statistics(&self) -> Statistics {
        Statistics {
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            waiting: 0,
            oversized: self.oversized.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            lost_connections: self.lost_connections.load(Ordering::Relaxed),
        }
    }

    pub(super) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether messages go through this pipe: one that nng refused is announced and leaves as well.
    pub(super) fn is_in_use(&self, pipe: Pipe) -> bool {
        let pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        pipes.get(&pipe).is_some_and(|stage| stage.is_in_use())
    }

    /// Takes note of a frame: who has been heard is there, even if nng has not said so yet. Otherwise an
    /// answer to the frame might be withheld because nobody is there. Watchers are not woken by this, for
    /// the caller holds a lock, but by nng's report.
    pub(super) fn hear(&self, pipe: Pipe) {
        let mut last = self.last_heard.lock().unwrap_or_else(PoisonError::into_inner);
        if last.replace(pipe) == Some(pipe) {
            return;
        }
        drop(last);
        self.peer.send_if_modified(|peer| {
            let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(stage @ Stage::Announced) = pipes.get_mut(&pipe) {
                *stage = Stage::Heard;
                peer.connections += 1;
                peer.connected = true;
            }
            false
        });
    }

    /// Takes note of a pipe event. Watchers are woken when no lock is held any more: a waker may run
    /// anything.
    pub(super) fn notice(&self, pipe: Pipe, event: PipeEvent) {
        self.peer.send_if_modified(|peer| {
            let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                PipeEvent::AddPre => {
                    pipes.insert(pipe, Stage::Announced);
                    return false;
                }
                PipeEvent::AddPost => match pipes.get(&pipe) {
                    Some(Stage::Announced) => {
                        peer.connections += 1;
                        pipes.insert(pipe, Stage::InUse);
                    }
                    // Counted when it was heard.
                    Some(Stage::Heard | Stage::InUse) => drop(pipes.insert(pipe, Stage::InUse)),
                    Some(Stage::Left) => {
                        pipes.remove(&pipe);
                        return false;
                    }
                    // A peer that leaves at once is seen leaving before it is seen coming.
                    None => {
                        peer.connections += 1;
                        self.lost();
                    }
                },
                PipeEvent::RemovePost => match pipes.remove(&pipe) {
                    Some(Stage::InUse) => self.lost(),
                    Some(Stage::Heard) => {
                        pipes.insert(pipe, Stage::Left);
                        self.lost();
                    }
                    _ => return false,
                },
                _ => return false,
            }
            peer.connected = pipes.values().any(|stage| stage.is_in_use());
            true
        });
    }

    fn lost(&self) {
        if !self.is_closing() {
            self.lost_connections.fetch_add(1, Ordering::Relaxed);
        }
    }
}
