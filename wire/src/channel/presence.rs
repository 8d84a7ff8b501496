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
    /// The pipes that have been announced and have not left, and whether each is in use. A peer that
    /// was refused leaves too, and a late farewell may come behind the successor's greeting, so "a
    /// pipe has gone" alone does not mean that nobody is there.
    pipes: Mutex<HashMap<Pipe, bool>>,
    /// This end is being closed: what ends from now on is not lost.
    pub(super) closing: AtomicBool,
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) oversized: AtomicU64,
    dropped: AtomicU64,
    lost_connections: AtomicU64,
}

impl Presence {
    pub(super) fn new() -> Self {
        Self {
            peer: watch::channel(Peer::default()).0,
            pipes: Mutex::default(),
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
        pipes.get(&pipe) == Some(&true)
    }

    /// Takes note of a pipe event. Watchers are woken when no lock is held any more: a waker may run
    /// anything.
    pub(super) fn notice(&self, pipe: Pipe, event: PipeEvent) {
        self.peer.send_if_modified(|peer| {
            let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                PipeEvent::AddPre => {
                    pipes.insert(pipe, false);
                    return false;
                }
                PipeEvent::AddPost => {
                    peer.connections += 1;
                    match pipes.get_mut(&pipe) {
                        Some(in_use) => *in_use = true,
                        // nng reports from several threads: a peer that leaves at once is seen
                        // leaving before it is seen coming.
                        None => self.lost(),
                    }
                }
                PipeEvent::RemovePost if pipes.remove(&pipe) == Some(true) => self.lost(),
                _ => return false,
            }
            peer.connected = pipes.values().any(|in_use| *in_use);
            true
        });
    }

    fn lost(&self) {
        if !self.is_closing() {
            self.lost_connections.fetch_add(1, Ordering::Relaxed);
        }
    }
}
