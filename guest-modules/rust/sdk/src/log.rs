//! Lines in the host's log, marked with the module's name.

use crate::bindings::sandgate::gateway::log;
pub use log::{Level, log};

/// Writes a line that only someone who looks for a fault in this module wants to see.
pub fn debug(text: &str) {
    log(Level::Debug, text);
}

/// Writes a line that someone who runs the gateway wants to see.
pub fn info(text: &str) {
    log(Level::Info, text);
}

/// Writes a line about something that someone should look at.
pub fn warn(text: &str) {
    log(Level::Warn, text);
}

/// Writes a line about something that went wrong.
pub fn error(text: &str) {
    log(Level::Error, text);
}
