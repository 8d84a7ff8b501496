//! What two Sandgate processes must agree on byte for byte, and nothing else.
//!
//! The codecs ([`Control`], [`Message`]) turn bytes into checked values and back; they know neither
//! an async runtime nor a transport. A [`Channel`] carries the encoded frames: [`PairChannel`] over
//! nng for V1 peers, [`MemoryChannel`] within a process, for tests. The host [`link`] is what two Sandgate
//! processes use once each knows that the other is one; shared memory [`segments`] go over it by descriptor.
//!
//! What carries bytes (channels, and the link's connections and lanes) is for Unix alone; the codecs are not.
//!
//! Layouts and numbers are those of the Azure IoT Edge V1 gateway and its module hosts, recorded from
//! the running programs (see `tests/golden`).

#![forbid(unsafe_code)]

mod address;
#[cfg(unix)]
pub mod channel;
mod control;
#[cfg(unix)]
mod discard;
mod error;
pub mod limits;
pub mod link;
mod message;
mod reader;
pub mod segments;

pub use address::{Address, AddressError};
#[cfg(unix)]
pub use channel::{Channel, MemoryChannel, PairChannel};
pub use control::{Control, Create, Reply, Status};
#[cfg(unix)]
pub use discard::discard;
pub use error::{DecodeError, EncodeError};
pub use message::{Message, Properties};
