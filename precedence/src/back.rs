//! A thread that computes for long steps back: it gets a smaller share of a processor while others compute, too.
//!
//! The system gives a thread that has slept its turn at once only if the one that runs is of less weight, or has had
//! its share. So beside a guest that never sleeps each wake-up on a message's way may wait for milliseconds, in every
//! process of the machine; beside one of less weight it does not.

use std::cell::Cell;

use rustix::process::{getpriority_process, setpriority_process};

/// How much nicer a thread gets: a tenth of the weight. It still has a whole processor when nobody else computes.
const STEP: i32 = 10;
/// As nice as a thread can be.
const NICEST: i32 = 19;

/// This thread lets others go first as long as it lives: what it does can wait. It stays as it is if the system refuses.
pub fn stay_back() {
    Precedence::new().step_back();
}

/// The precedence of the thread that it belongs to.
#[derive(Debug, Default)]
pub struct Precedence {
    /// How nice the thread was before it stepped back.
    before: Cell<Option<i32>>,
}

impl Precedence {
    /// Of a thread that has not stepped back.
    #[must_use]
    pub const fn new() -> Self {
        Self { before: Cell::new(None) }
    }

    /// Whether it has stepped back.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.before.get().is_some()
    }

    /// Lets others go first. False: the thread had stepped back already, or the system refuses.
    pub fn step_back(&self) -> bool {
        if self.is_behind() {
            return false;
        }
        // On Linux both calls are about the calling thread alone.
        let Ok(before) = getpriority_process(None) else { return false };
        let is_done = setpriority_process(None, (before + STEP).min(NICEST)).is_ok();
        if is_done {
            self.before.set(Some(before));
        }
        is_done
    }

    /// Undoes that. False: this process may not, for it is not privileged.
    pub fn step_forward(&self) -> bool {
        let Some(before) = self.before.get() else { return true };
        let is_done = setpriority_process(None, before).is_ok();
        if is_done {
            self.before.set(None);
        }
        is_done
    }
}
