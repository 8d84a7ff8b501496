//! The library `libsandgate_native`: everything of V1's core that a native module calls, under V1's names.
//!
//! Messages (`message`) and brokers (`broker`) are known to modules as numbers only, which stand in a table
//! (`handles`): a number that stands for nothing, or for nothing any more, is told from a good one, and nothing
//! is read because of it.
//!
//! Maps, constant maps, constant buffers and strings (`map`, `constmap`, `constbuffer`, `strings`) are V1's
//! own value types, with V1's layout in memory of C's allocator. A module that brings V1's utility library with it
//! may therefore make, read and free them with its own functions or with these, as in V1.
//!
//! Shared memory segments (`segment`) are Sandgate's own, and known to modules as messages are.
//!
//! No function panics, for a panic cannot pass through C.

#![deny(unsafe_code)]

mod broker;
mod complaint;
mod constbuffer;
mod constmap;
mod frame;
mod handles;
mod map;
mod memory;
mod message;
mod names;
mod program;
mod segment;
mod strings;
