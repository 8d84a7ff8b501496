//! The SDK for gateway modules that run in a program of their own, without WebAssembly.
//!
//! A program implements [`GatewayModule`] and attaches it with a [`ProxyGateway`]. The gateway, Sandgate's or V1's,
//! finds it by its control id, in whichever order the two are started:
//!
//! ```no_run
//! use sandgate_remote::{
//!     Broker, GatewayModule, Message, ModuleClass, ModuleConfiguration, ModuleError, ProxyGateway,
//! };
//!
//! struct Echo(Broker);
//!
//! impl GatewayModule for Echo {
//!     fn create(_arguments: &str, broker: Broker) -> Result<Self, ModuleError> {
//!         Ok(Echo(broker))
//!     }
//!
//!     fn receive(&mut self, message: Message) -> Result<(), ModuleError> {
//!         Ok(self.0.publish_message(&message)?)
//!     }
//! }
//!
//! fn main() -> Result<(), sandgate_remote::AttachError> {
//!     let gateway = ProxyGateway::new(ModuleConfiguration {
//!         identifier: "/tmp/echo.control".into(),
//!         module: ModuleClass::of::<Echo>(),
//!     });
//!     gateway.attach()?;
//!     gateway.wait();
//!     Ok(())
//! }
//! ```
//!
//! It speaks V1's protocol over V1's channels, so messages are delivered at most once.

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
