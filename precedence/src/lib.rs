//! Which thread of the machine goes first when several want a processor, in this process or in others.
//!
//! The system lets a thread run on for some milliseconds, even if one wakes meanwhile that has hardly run. A message goes
//! through several threads and needs each of them for some microseconds, so beside threads that never sleep it would wait
//! that long again and again. Two things help, and both need no privilege:
//!
//! - a thread on the way of messages takes [short turns](take_short_turns): it goes before those that take longer ones, and
//!   others go before it soon. Everybody gets as much of the processor as before.
//! - a thread that computes for long [steps back](Precedence::step_back): it gets a smaller share while others compute, too.
//!
//! Where the system knows one of the two not, it does not do that one: Linux before 6.12 has no turns of a thread's own, other
//! systems have neither.

#![deny(unsafe_code)]

#[cfg(unix)]
mod back;
#[cfg(target_os = "linux")]
mod turns;

use std::time::Duration;

#[cfg(unix)]
pub use back::{Precedence, stay_back};

/// The turns of a thread that has a message in its hands for some microseconds at a time: a guest's, or a host's. The
/// shortest that Linux knows.
pub const SHORTEST: Duration = Duration::from_micros(100);
/// The turns of a thread through which all messages go, one after the other: a gateway's. Longer than a guest's, so that one
/// that has its message goes on with it at once; shorter than those of threads that compute.
pub const SHORT: Duration = Duration::from_micros(200);

/// This thread takes turns of this length, from 0.1 to 100 ms, as long as it lives. Threads and processes that it starts do
/// not. It stays as it is if it is not scheduled as ordinary threads are, or if the system refuses.
pub fn take_short_turns(turn: Duration) {
    #[cfg(target_os = "linux")]
    // What it is for is only speed, and without it everything works.
    let _ = turns::set(turn);
    #[cfg(not(target_os = "linux"))]
    let _ = turn;
}
