//! Modules in other processes, over V1's protocol.
//!
//! A [`Proxy`] stands for one remote module: it attaches to the module's host, carries messages both
//! ways, and attaches anew when the host goes. Each attach has a fresh pair of channels, so nothing that
//! was meant for a dead host reaches its successor. Plain V1 delivers at most once: what was handed to a
//! host that dies is lost, and what never left this process is counted as lost.
//!
//! While no host is attached the module's inbox keeps messages up to its capacity. A full inbox then
//! makes nobody wait, not even on a `block` link: the link's oldest message gives way and is counted.

mod attach;
mod backoff;
mod connector;
mod launcher;
mod proxy;
mod traffic;

pub use connector::{Connector, PairConnector};
pub use proxy::Proxy;

pub(crate) use attach::MADE_UP_NAME_LENGTH;

#[cfg(test)]
mod tests;
