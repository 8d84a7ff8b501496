//! The gateway of Sandgate: V1's JSON configuration, a broker, modules of its own, and modules in other
//! processes.
//!
//! [`Config`](config::Config) is read and checked as a whole; [`run`](gateway::run) builds a
//! [`Broker`](broker::Broker) and the modules from it and runs them until it is told to stop. A module
//! is anything that implements [`Module`](module::Module): the [`builtin`] ones, and the
//! [`Native`](native::Native) ones of shared libraries, and the [`Proxy`](outprocess::Proxy) that stands for a
//! module in another process.

//!
//! What runs modules in other processes and libraries is for Unix alone. Elsewhere the configuration can be read,
//! with all that it names.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(unix)]
pub mod admin;
pub mod broker;
pub mod builtin;
mod burst;
pub mod config;
pub mod dead_letters;
#[cfg(unix)]
pub mod gateway;
pub mod module;
#[cfg(unix)]
pub mod native;
#[cfg(unix)]
pub mod outprocess;
mod runtime;
#[cfg(unix)]
pub mod segments;
pub mod status;

pub use runtime::runtime;
