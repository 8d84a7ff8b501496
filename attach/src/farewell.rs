//! How long what was said last may take to leave. Closing a socket drops what it has not sent.

use std::time::Duration;

use sandgate_wire::Channel;

/// The longest that anybody waits for it: a gateway that does not read keeps nobody here.
pub const FAREWELL: Duration = Duration::from_millis(500);
/// How often it is looked whether it has left.
pub const LOOK: Duration = Duration::from_millis(5);

/// Whether something still waits in a channel for a peer that is there.
#[must_use]
pub fn has_last_words(channel: &dyn Channel) -> bool {
    channel.peer().borrow().connected && channel.statistics().waiting > 0
}
