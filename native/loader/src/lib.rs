//! Loads native modules, which are shared libraries with V1's C interface, and calls them.
//!
//! [`ModuleLibrary::open`] loads a module's library, after `libsandgate_native`, of which it calls functions;
//! [`Instance`] is a module of it, from its creation to its end; an [`Outlet`] takes what it publishes.
//!
//! What a module's code does is beyond all checks: who names a library vouches for it. A module that crashes ends the
//! process. Libraries stay loaded until the process ends, for a module may leave a thread behind that runs in one.

#![deny(unsafe_code)]

mod architecture;
mod complaints;
mod core_library;
mod error;
mod instance;
mod module_library;
mod outlet;
mod search;
mod segments;

pub use error::{CreateError, LoadError, ReceiveError};
pub use instance::Instance;
pub use module_library::ModuleLibrary;
pub use outlet::{Outlet, Refused};
pub use search::VARIABLE;
pub use segments::HeldSegment;
