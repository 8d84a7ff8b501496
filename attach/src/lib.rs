//! A module host's end of an attach, as `wasm-host` and the programs with `sandgate-remote` have it: how the process was
//! launched, V1's sockets, the host link, the way of a module's messages over one of them, and which module it is where
//! the gateway says so.
//!
//! What is done with an attach, by which threads, is each host's own. So nothing here waits by itself but
//! [`LinkServer`], which is served by a tokio runtime; everything else only needs a waker.

#![forbid(unsafe_code)]

mod arguments;
mod burst;
mod farewell;
mod launcher;
mod link;
mod port;
mod reunion;
mod transport;

pub use arguments::{LoaderType, ModuleArguments, ModuleArgumentsError};
pub use burst::Burst;
pub use farewell::{FAREWELL, LOOK, has_last_words};
pub use launcher::{Launcher, LauncherError};
pub use link::{Figures, LinkEvent, LinkServer, Linked, Seat, left_over, refuse};
pub use port::{Incoming, Port};
pub use reunion::{REUNION, Reunion};
pub use transport::{LinkTransport, PairTransport, Transport, TransportError};
