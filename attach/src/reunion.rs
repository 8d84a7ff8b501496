//! A gateway whose message channel is closed and made anew.
//!
//! V1's gateway dials the message channel before it sends Create. One that comes after another gateway, or again
//! after a failure, has found the channel of the instance before; that is closed for the new instance, and what the
//! gateway sends until it has noticed would be lost. So its Reply waits until it is on the new channel.

use std::time::Duration;

use sandgate_wire::Channel;

/// The longest that anybody waits for it: V1's gateway repeats its Create after a second. It dials again within a
/// tenth of one.
pub const REUNION: Duration = Duration::from_secs(1);

/// Whether a gateway has been cut off.
#[derive(Debug, Default)]
pub struct Reunion {
    cut_off: bool,
}

impl Reunion {
    /// To be called before a message channel is closed.
    pub fn part(&mut self, channel: &dyn Channel) {
        self.cut_off |= channel.peer().borrow().connected;
    }

    /// Whether a gateway that was cut off has still to come to the channel that takes the closed one's place.
    #[must_use]
    pub fn is_due(&self, channel: &dyn Channel) -> bool {
        self.cut_off && !channel.peer().borrow().connected
    }

    /// It has come, or was waited for long enough.
    pub fn end(&mut self) {
        self.cut_off = false;
    }
}
