//! The calls that a host makes into a module.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A call into a module.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// Making the instance; only a module's own start functions run.
    Instantiate,
    /// `create`, with the arguments.
    Create,
    /// `start`.
    Start,
    /// `receive`, with a message.
    Receive,
    /// `on-timer`, with a timer.
    OnTimer,
    /// `destroy`.
    Destroy,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instantiate => "instantiate",
            Self::Create => "create",
            Self::Start => "start",
            Self::Receive => "receive",
            Self::OnTimer => "on-timer",
            Self::Destroy => "destroy",
        })
    }
}
