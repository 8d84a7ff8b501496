//! Shared memory segments: what the gateway, which grants them, and the processes that hold them agree on.
//!
//! A segment is memory of a fixed size without a name ([`Memory`]). Its [`Token`] may travel in a message; the
//! memory itself goes by descriptor over the host link, to whom the gateway has granted the segment's pool.

#[cfg(unix)]
mod authority;
mod error;
#[cfg(unix)]
mod memory;
mod token;

#[cfg(unix)]
pub use authority::{Grant, SegmentAuthority};
pub use error::SegmentError;
#[cfg(unix)]
pub use memory::Memory;
pub use token::{Token, TokenError};

/// The longest name of a pool, in bytes.
pub const POOL_MAX: usize = 64;
