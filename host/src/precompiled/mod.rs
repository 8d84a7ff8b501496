//! Ahead-of-time code: what `wasm-host compile` writes, and the folder that a host takes it from.
//!
//! It is native code, and runs as it is: no check of a file can tell whether it was made of the component that it
//! names. So what counts is who can have put it there. A host takes code only from a folder that it cannot write
//! itself, for then no module can have written there through it, and an intruder would need another user's rights.
//! The checks of engine and digest are against mistakes.

mod file;
mod folder;
mod guard;
mod load;

pub use file::{FileError, write};
pub use folder::{FolderError, Precompiled};
pub use guard::Untrusted;

pub(crate) use file::MAGIC;
pub(crate) use load::load;
