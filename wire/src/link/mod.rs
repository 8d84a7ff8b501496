//! The host link: what carries the traffic of all modules between a Sandgate gateway and a Sandgate host.
//!
//! A [`Lane`] is the traffic of one module for the life of one attach; it numbers, keeps, resends and settles.
//! [`Lanes`] are those of one link. A lane also carries what is said about shared memory segments. [`greet`] and
//! [`carry`] serve one connection after another below them. How the two processes find each other is told by an
//! [`Offer`]. The protocol is described in `docs/host-link.md`.

#![cfg_attr(not(unix), allow(dead_code, reason = "what connections and lanes use of the codecs"))]

mod beats;
#[cfg(unix)]
mod connection;
mod error;
pub mod frame;
mod hello;
#[cfg(unix)]
mod lane;
#[cfg(unix)]
mod lanes;
mod negotiation;
mod offer;
mod parcel;
#[cfg(unix)]
mod rings;
mod segments;
mod signal;

pub use beats::Beats;
#[cfg(unix)]
pub use connection::{Side, carry, greet};
pub use error::{LinkError, Violation};
pub use frame::{Frame, PAYLOAD_MAX};
pub use hello::{Agreed, Greeting};
#[cfg(unix)]
pub use lane::{Arrival, Closed, Lane, LaneSendError, LaneStatistics, Segment, SegmentRequest, Unsettled};
#[cfg(unix)]
pub use lanes::{Lanes, LinkStatistics, SignalError};
pub use negotiation::{Features, Instance, Versions};
pub use offer::Offer;
pub use parcel::{Parcel, ParcelKind};
#[cfg(unix)]
pub use rings::{RingWatch, Spin, WatchedRings};
pub use segments::SegmentFrame;
pub use signal::{STATISTICS_MAX, Signal, State, TEXT_MAX, Window};
