//! Whether a host takes a module's messages, as its inbox is told. A host that has just gone is waited for;
//! one that stays away makes nobody wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::broker::Attendance;

/// How long sources wait at a `block` link for a host that was there: a host that is started anew is back
/// long before that, and nothing needs to be given up.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tells an inbox of its host's comings and goings.
pub(super) struct Presence {
    attendance: Attendance,
    here: bool,
    leaving: Option<AbortHandle>,
    /// How often the inbox was told something; held while it is told. A departure that was overtaken by a
    /// return is not told.
    turns: Arc<Mutex<u64>>,
}

impl Presence {
    /// Nobody has come yet: until somebody does, nobody is waited for.
    pub(super) fn new(attendance: Attendance) -> Self {
        attendance.set(false);
        Self { attendance, here: false, leaving: None, turns: Arc::default() }
    }

    /// A host takes messages.
    pub(super) fn come(&mut self) {
        self.stop_leaving();
        if !std::mem::replace(&mut self.here, true) {
            self.tell(true);
        }
    }

    /// The host has gone and is expected back.
    pub(super) fn go(&mut self) {
        if std::mem::replace(&mut self.here, false) {
            let (attendance, turns) = (self.attendance.clone(), self.turns.clone());
            let turn = *lock(&turns);
            let leaving = tokio::spawn(async move {
                sleep(PATIENCE).await;
                let newest = lock(&turns);
                if *newest == turn {
                    attendance.set(false);
                }
            });
            self.leaving = Some(leaving.abort_handle());
        }
    }

    /// The module will take no messages until somebody sees to it.
    pub(super) fn leave(&mut self) {
        self.stop_leaving();
        self.here = false;
        self.tell(false);
    }

    fn tell(&self, attended: bool) {
        let mut turns = lock(&self.turns);
        *turns += 1;
        self.attendance.set(attended);
    }

    fn stop_leaving(&mut self) {
        self.leaving.take().iter().for_each(AbortHandle::abort);
    }
}

fn lock(turns: &Mutex<u64>) -> MutexGuard<'_, u64> {
    // A number cannot be left half-changed.
    turns.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.leave();
    }
}
