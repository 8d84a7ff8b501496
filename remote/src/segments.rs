//! Shared memory segments: asked for at the gateway, which keeps them and says who may have them.

use std::time::Duration;

pub use sandgate_wire::link::Segment;
use sandgate_wire::link::{Lane, SegmentRequest};
pub use sandgate_wire::segments::{Grant as SegmentGrant, SegmentError, Token};

use crate::Broker;
use crate::park::block_on_within;

/// How long the gateway is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

impl Broker {
    /// A new segment of a pool that the module's entry grants it, of so many bytes, all zero. The module holds it until it
    /// drops it. Its [`Segment::token`], as text, may travel in a message; [`Segment::memory`] reads and writes.
    ///
    /// # Errors
    /// The gateway's refusal. [`SegmentError::Unavailable`] before `start` and after the attach, with a V1 gateway, and
    /// when the gateway does not answer for 5 seconds.
    pub fn create_segment(&self, pool: &str, size: u64) -> Result<Segment, SegmentError> {
        self.ask(|lane| lane.create_segment(pool, size))
    }

    /// The segment of a token that has come in a message. The module holds it until it drops it.
    ///
    /// # Errors
    /// As [`Broker::create_segment`].
    pub fn open_segment(&self, token: Token) -> Result<Segment, SegmentError> {
        self.ask(|lane| lane.open_segment(token))
    }

    fn ask(&self, ask: impl FnOnce(&Lane) -> SegmentRequest) -> Result<Segment, SegmentError> {
        let lane = self.outlet.segments().ok_or(SegmentError::Unavailable)?;
        // One that is not answered in time is taken back.
        block_on_within(PATIENCE, ask(&lane)).unwrap_or(Err(SegmentError::Unavailable))
    }
}
