//! Which thread of the machine goes first when several want a processor, in this process or in others.
//!
//! The system lets a thread run on for some milliseconds, even if one wakes meanwhile that has hardly run. A message goes
//! through several threads and needs each of them for some microseconds, so beside threads that never sleep it would wait
//! that long again and again. Four things help, and none needs a privilege:
//!
//! - A thread on the way of messages has [turns](Turns) of its own: short ones if it runs for microseconds at a time, so that
//!   when it wakes it goes before those that run on. Everybody gets as much of the processor as before.
//! - The system looks whose turn it is when somebody wakes, and else only every few milliseconds. So a thread that goes on
//!   and on [gives way](Turns::give_way) by itself now and then.
//! - A thread that runs somebody else's code cannot do that. It gives way to a [beat](Beat), wherever it is.
//! - A thread that computes for long [steps back](Precedence::step_back): it gets a smaller share while others compute, too.
//!
//! Where the system knows one of them not, it does not do that one: Linux before 6.12 has no turns of a thread's own, other
//! systems have no threads that step back. A thread that is not scheduled as ordinary ones are keeps its turns. Threads and
//! processes that a thread starts have the system's turns.

#![deny(unsafe_code)]

#[cfg(unix)]
mod back;
mod beat;
#[cfg(target_os = "linux")]
mod system;
#[cfg(target_os = "linux")]
mod timer;
mod turns;

#[cfg(unix)]
pub use back::{Precedence, stay_back};
pub use beat::Beat;
pub use turns::{Turns, take_shortest_turns};
