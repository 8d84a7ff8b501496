//! Rings in shared memory that carry messages between the gateway and one module host.
//!
//! An [`Arena`] is the memory that the two share: a sealed memory file, mapped by both. In it every module has a slot
//! with two rings, one each way, each with one writer and one reader. An [`End`] is one side's end of a slot: it pushes
//! records into the one ring and takes them out of the other. Nothing of it calls the system: who must be woken is told
//! by a [`Bell`], and how that is done is the caller's.
//!
//! **The other process is hostile.** It may write anything anywhere in the arena at any time. So nothing in there is
//! ever seen as a Rust value but as atomic words: each is loaded once, checked, and used from the copy. What a side knows
//! of itself (what it has written, what it has read) it keeps to itself, and never reads back. What is wrong is a
//! [`Violation`]; what is only untrue costs the liar its own messages and wake-ups, or the reader a look in vain.

#![cfg(unix)]
// But where the memory is mapped: `mapping.rs`.
#![deny(unsafe_code)]
#![cfg_attr(loom, allow(dead_code, reason = "a model opens no memory file"))]

mod arena;
mod copy;
mod doorbell;
mod end;
mod incoming;
mod layout;
#[cfg(not(loom))]
mod mapping;
#[cfg(loom)]
#[path = "modelled.rs"]
mod mapping;
mod outgoing;
mod slots;
mod sync;
mod violation;

pub use arena::{Arena, ArenaError};
pub use doorbell::Bell;
pub use end::{End, Record};
pub use layout::{LARGEST_RING, MOST_SLOTS, SMALLEST_RING, Side};
pub use outgoing::Push;
pub use slots::Slot;
pub use violation::Violation;
