//! The SDK for gateway modules that run in a program of their own, without WebAssembly.
//!
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod attachment;
mod broker;
mod burst;
mod guarded;
mod launcher;
mod module;
mod park;
mod proxy_gateway;
mod session;
mod statistics;
mod transport;
mod worker;

pub use broker::{Broker, PublishError};
pub use launcher::{Launcher, LauncherError};
pub use module::{GatewayModule, Instance, ModuleClass, ModuleError};
pub use proxy_gateway::{AttachError, Ended, ModuleConfiguration, ProxyGateway};
pub use sandgate_wire::{Channel, EncodeError, Message, Properties};
pub use statistics::Statistics;
pub use transport::{PairTransport, Transport, TransportError};
pub use worker::{Work, Worker};
