//! Modules in other processes: V1's protocol, and the host link where the other side is Sandgate's.
//!
//! A [`Proxy`] stands for one remote module: it attaches to the module's host, carries messages both
//! ways, and attaches anew when the host goes. Each attach has a fresh pair of channels, so nothing that
//! was meant for a dead host reaches its successor.
//!
//! Over V1's channels (`over_pair`) a message is delivered at most once: what was handed to a host that
//! dies is lost, and what never left this process is kept for the next. Over a lane of the host link
//! (`linked`, `over_link`) it is delivered at least once: it is kept until the host is done with it.
//!
//! While no host is attached the module's inbox keeps messages up to its capacity. A full inbox then makes
//! sources wait for a short time (`presence`), and after that nobody, not even on a `block` link: the link's
//! oldest message gives way and is counted.

mod attach;
mod backlog;
mod backoff;
mod connecting;
mod connector;
mod host_death;
mod hosted;
mod launched;
mod launcher;
mod linked;
mod links;
mod over_link;
mod over_pair;
mod presence;
mod proxy;
mod quantum;
mod segments_place;
mod suspects;
mod tally;
mod tunnel;

pub use connector::{Connector, PairConnector};
pub use launcher::{Launch, LaunchState, Launcher};
pub use links::Links;
pub use proxy::Proxy;

#[cfg(test)]
mod link_tests;
#[cfg(test)]
mod suspect_tests;
#[cfg(test)]
mod tests;
