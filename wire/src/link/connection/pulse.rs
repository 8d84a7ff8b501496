//! Heartbeats: how a gateway finds out that a host hangs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::link::{Beats, LinkError};

/// What a connection's reader, writer and clock tell each other. They are one task, which polls the writer
/// last: what the others put here goes out in the same turn, and nobody needs to be woken.
pub(super) struct Pulse {
    began: Instant,
    /// When something arrived last, in microseconds since it began.
    heard: AtomicU64,
    /// The reader waits for somebody on this side, so what has arrived is not looked at.
    busy: AtomicBool,
    due: Mutex<Due>,
}

/// What is to be said before anything else.
#[derive(Clone, Copy, Default)]
pub(super) struct Due {
    pub(super) ping: Option<u64>,
    pub(super) pong: Option<u64>,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            heard: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            due: Mutex::default(),
        }
    }

    fn due(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has arrived, or there is a reason to wait anew.
    pub(super) fn hear(&self) {
        let since = Instant::now().duration_since(self.began).as_micros();
        self.heard.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn heard(&self) -> Instant {
        self.began + Duration::from_micros(self.heard.load(Ordering::Relaxed))
    }

    /// Between the two calls of this, nothing is read and nobody to blame for it.
    pub(super) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
        self.hear();
    }

    pub(super) fn answer(&self, ping: u64) {
        self.due().pong = Some(ping);
    }

    pub(super) fn take_due(&self) -> Due {
        std::mem::take(&mut *self.due())
    }

    pub(super) fn is_due(&self) -> bool {
        let due = self.due();
        due.ping.is_some() || due.pong.is_some()
    }

    /// Asks for signs of life until none comes.
    pub(super) async fn beat(&self, beats: Beats) -> LinkError {
        let Beats { every, patience } = beats;
        let mut next_ping = self.began;
        let mut number = 0;
        loop {
            let at = next_ping.min(self.heard() + patience);
            sleep_until(at).await;
            let now = Instant::now();
            // Who comes late himself has not listened, and must not blame the other.
            if now.duration_since(at) > patience / 2 || self.busy.load(Ordering::Relaxed) {
                self.hear();
            } else if now >= self.heard() + patience {
                return LinkError::Silent(patience);
            }
            if now >= next_ping {
                number += 1;
                self.due().ping = Some(number);
                next_ping = now + every;
            }
        }
    }
}
