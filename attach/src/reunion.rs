//! A gateway whose message channel is closed and made anew.
//!
//! V1's gateway dials the message channel before it sends Create. One that comes after another gateway, or again
//! after a failure, has found the channel of the instance before; that is closed for the new instance, and what the
//! gateway sends until it has noticed would be lost. So its Reply waits until it is on the new channel.

use std::time::Duration;

use sandgate_wire::Channel;

/// The longest that anybody waits for it: V1's gateway repeats its Create after a second. It dials again within a
/// tenth of one, unless it takes the closing for that of its own end; then what it sends waits for it.
pub const REUNION: Duration = Duration::from_millis(500);

/// The gateway that has been cut off, if any.
#[derive(Debug, Default)]
pub struct Reunion {
    /// Where it was. One that is to come to another address dials that, and what it sends waits for it.
    address: Option<String>,
}

impl Reunion {
    /// To be called before the message channel with this address is closed.
    pub fn part(&mut self, channel: &dyn Channel, address: &str) {
        if channel.peer().borrow().connected {
            self.address = Some(address.to_owned());
        }
    }

    /// Whether a gateway that was cut off has still to come to the channel that takes the closed one's place.
    #[must_use]
    pub fn is_due(&self, channel: &dyn Channel, address: &str) -> bool {
        self.address.as_deref() == Some(address) && !channel.peer().borrow().connected
    }

    /// It has come, or was waited for long enough.
    pub fn end(&mut self) {
        self.address = None;
    }
}
