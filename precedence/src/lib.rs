//! Which thread of the machine goes first when several want a processor, in this process or in others.
//!
//! The system lets a thread run on for some milliseconds, even if one wakes meanwhile that has hardly run. A message goes
//! through several threads and needs each of them for some microseconds, so beside threads that never sleep it would wait
//! that long again and again. Three things help, and none needs a privilege:
//!
//! - A thread on the way of messages [takes short turns](take_short_turns): it goes before those that have longer ones, and
//!   when it has had its turn others go before it. Everybody gets as much of the processor as before.
//! - The system looks whose turn it is when somebody wakes, and else every four milliseconds, as it is built in many places.
//!   So a thread that goes on and on [gives way](give_way) by itself now and then.
//! - A thread that computes for long [steps back](Precedence::step_back): it gets a smaller share while others compute, too.
//!
//! Where the system knows one of them not, it does not do that one: Linux before 6.12 has no turns of a thread's own, other
//! systems have no threads that step back. A thread that is not scheduled as ordinary ones are keeps its turns. Threads and
//! processes that a thread starts have the system's turns.

#![deny(unsafe_code)]

#[cfg(unix)]
mod back;
#[cfg(target_os = "linux")]
mod turns;

use std::cell::Cell;
use std::time::{Duration, Instant};

#[cfg(unix)]
pub use back::{Precedence, stay_back};

/// The shortest turn that Linux knows.
const TURN: Duration = Duration::from_micros(100);

thread_local! {
    /// When this thread gave way last.
    static GAVE_WAY: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// This thread takes turns of 0.1 ms as long as it lives.
pub fn take_short_turns() {
    #[cfg(target_os = "linux")]
    // What it is for is only speed, and without it everything works.
    let _ = turns::set(TURN);
}

/// To be called often by a thread that goes on and on: lets another that waits for this processor go first, if this one
/// has not done so for the length of a turn. It costs a look at the clock.
pub fn give_way() {
    let now = Instant::now();
    GAVE_WAY.with(|last| {
        if last.get().is_none_or(|last| now.saturating_duration_since(last) > TURN) {
            std::thread::yield_now();
            last.set(Some(Instant::now()));
        }
    });
}
