//! Who grants segments.

use super::{Memory, SegmentError, Token};

/// A segment that was granted.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its handle.
    pub token: Token,
    /// The memory.
    pub memory: Memory,
}

/// Who keeps the segments for one holder: the gateway does, for each attach of a module.
///
/// A hold is known by the number of the request that it came from, which its holder chooses. Asking once more
/// with the number of a hold gives the same segment again: an answer may have been lost with a connection.
/// What is held when the authority is dropped is given back.
///
/// It is called where frames are read, so it must not wait.
pub trait SegmentAuthority: Send + Sync {
    /// A new segment of a pool, of so many bytes, all zero.
    ///
    /// # Errors
    /// Why there is none.
    fn create(&self, request: u64, pool: &str, size: u64) -> Result<Grant, SegmentError>;

    /// The segment of this token.
    ///
    /// # Errors
    /// Why it is not to be had.
    fn open(&self, request: u64, token: Token) -> Result<Grant, SegmentError>;

    /// Gives a hold back. One that is unknown is ignored.
    fn close(&self, request: u64);

    /// Gives all holds back but these.
    fn retain(&self, requests: &[u64]);
}
