//! `wasm-host`: the remote process of an out-of-process module, with the module in a WebAssembly sandbox.
//!
//! A *session* speaks V1's control protocol with a gateway; for every attach it makes a *module actor*,
//! which alone owns the module's instance and runs on a pool of *worker threads*. Sockets and timers are
//! asynchronous; guests are called synchronously, and nothing that a guest does runs on a thread that
//! serves anything else.

#![forbid(unsafe_code)]

mod actor;
mod bindings;
mod engine;
mod fault;
mod flow;
mod imports;
mod module;
mod outlet;
mod sandbox;
mod session;

mod timers;
mod transcript;
mod transport;

mod workers;

pub use engine::{Code, Engine, EngineError};
pub use fault::{Fault, FaultKind};
pub use module::{LoadError, Module};
pub use sandbox::Limits;
pub use session::{End, Session};
pub use transport::{PairTransport, Transport, TransportError};

pub use workers::Workers;
