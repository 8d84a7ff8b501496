//! The SDK for gateway modules that run in a program of their own, without WebAssembly.
//!
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod attachment;
mod broker;
mod guarded;
mod host_link;
mod module;
mod park;
mod proxy_gateway;
mod segments;
mod session;
mod statistics;
mod suspect;
mod worker;

pub use broker::{Broker, PublishError};
pub use module::{GatewayModule, Instance, ModuleClass, ModuleError};
pub use proxy_gateway::{AttachError, Ended, ModuleConfiguration, ProxyGateway};
pub use sandgate_attach::{Launcher, LauncherError, PairTransport, Transport, TransportError};
pub use sandgate_wire::{Channel, EncodeError, Message, Properties};
pub use segments::{Segment, SegmentError, SegmentGrant, Token};
pub use statistics::Statistics;
pub use worker::{Work, Worker};
