//! Why a connection of a link ended.

use std::io;
use std::time::Duration;

use thiserror::Error;

use super::negotiation::{Instance, Versions};
use crate::DecodeError;

/// Why a connection was not made, or ended. None of these ends a [`Lane`](super::Lane): the next connection
/// goes on with it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The peer has closed the connection, or is dead.
    #[error("the peer has closed the connection")]
    Closed,
    /// The connection cannot be used any more.
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    /// Gateway only: nothing has come for so long.
    #[error("the host has not been heard for {} ms", .0.as_millis())]
    Silent(Duration),
    /// The peer did what no honest peer does. It was told with a Bye, as far as it reads.
    #[error("the peer breaks the rules of the link: {0}")]
    Violation(#[from] Violation),
    /// There is no version that both speak.
    #[error("the peer speaks versions {theirs} of the link, this process {ours}")]
    Versions {
        /// Ours.
        ours: Versions,
        /// The peer's.
        theirs: Versions,
    },
    /// The peer has said Bye.
    #[error("the peer has left: {0}")]
    Left(String),
    /// This side has said Bye, and everything before it has been sent.
    #[error("this side has left")]
    Leaving,
    /// A newer connection has taken the lanes.
    #[error("a newer connection has taken its place")]
    Replaced,
    /// Gateway only: the lanes belong to another host process. Its successor knows nothing of them.
    #[error("the lanes belong to the host {known}, not to {found}")]
    OtherHost {
        /// Whom the lanes belong to.
        known: Instance,
        /// Who is at the other end.
        found: Instance,
    },
    /// Nobody takes the signals any more.
    #[error("nobody takes the signals")]
    Abandoned,
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
                Self::Closed
            }
            _ => Self::Broken(error),
        }
    }
}

/// What no honest peer does. It ends the connection and nothing more.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum Violation {
    /// A frame that departs from its layout.
    #[error("malformed frame: {0}")]
    Malformed(#[from] DecodeError),
    /// A frame other than Hello at the beginning, or Hello later.
    #[error("a frame of kind {0} is out of place")]
    OutOfPlace(u8),
    /// A frame for a lane that was never opened on this connection.
    #[error("module {module} has no lane of epoch {epoch}")]
    UnknownLane {
        /// The module's number on the link.
        module: u32,
        /// The epoch.
        epoch: u32,
    },
    /// A host opens a lane that it was not asked for, or a second time.
    #[error("the lane of module {module} and epoch {epoch} is opened without being asked for")]
    Unasked {
        /// The module's number on the link.
        module: u32,
        /// The epoch.
        epoch: u32,
    },
    /// A parcel whose predecessor has not come.
    #[error("parcel {found} came where {expected} was due")]
    Gap {
        /// The number that was due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// More unsettled parcels than the window allows.
    #[error("parcel {0} is beyond the window")]
    Window(u64),
    /// Parcels are settled that were not sent.
    #[error("parcel {found} is settled, {sent} is the newest that was sent")]
    SettledUnsent {
        /// The number that came.
        found: u64,
        /// The newest that was sent on this connection.
        sent: u64,
    },
    /// A lane is resumed where it cannot be.
    #[error("{found} is said to be the newest parcel received, which must be from {settled} to {sent}")]
    Resumed {
        /// The number that came.
        found: u64,
        /// What the peer has settled.
        settled: u64,
        /// The newest that was ever sent.
        sent: u64,
    },
    /// A host asks for segments and does not read the answers.
    #[error("more than {0} answers about segments wait to be read")]
    TooManyRequests(usize),
    /// Rings that are not there, or that are in use.
    #[error("module {module} is to have the rings {slot}, which it cannot")]
    Slot {
        /// The module's number on the link.
        module: u32,
        /// Which rings.
        slot: u32,
    },
    /// What is in the memory of rings, or what it says of itself, cannot come from an honest peer.
    #[cfg(unix)]
    #[error("in the rings {0}")]
    Rings(#[from] sandgate_ring::Violation),
    /// Descriptors that no frame speaks of, or a frame without the descriptor that it speaks of.
    #[error("descriptors and the frames that speak of them do not agree")]
    Descriptors,
    /// More modules than a link carries.
    #[error("more than {0} modules")]
    TooManyModules(usize),
}
