//! Shared memory segments: the gateway makes them, knows who holds them, and lets nobody in without a grant.
//!
//! A segment belongs to a pool, which is a name. A module creates segments of the pools that its configuration
//! grants it, and opens those that others have created in them, by the token that came in a message. A segment
//! is there while somebody holds it; with its last holder go its token and its memory. A holder is one attach
//! of a module ([`Holder`]), so that whatever ends the attach gives back what it held.

#[cfg(unix)]
mod holder;
#[cfg(unix)]
mod local;
#[cfg(unix)]
mod registry;
mod rights;

#[cfg(unix)]
pub use holder::Holder;
#[cfg(unix)]
pub use local::{LocalSegment, LocalSegments};
#[cfg(unix)]
pub use registry::{ModuleSegments, Segments};
pub use rights::SegmentRights;

#[cfg(all(test, unix))]
mod tests;
