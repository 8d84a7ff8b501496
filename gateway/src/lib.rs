//! The gateway of Sandgate: V1's JSON configuration, a broker, modules of its own, and modules in other
//! processes.
//!
//! [`Config`](config::Config) is read and checked as a whole; [`run`](gateway::run) builds a
//! [`Broker`](broker::Broker) and the modules from it and runs them until it is told to stop. A module
//! is anything that implements [`Module`](module::Module): the [`builtin`] ones, and the
//! [`Native`](native::Native) ones of shared libraries, and the [`Proxy`](outprocess::Proxy) that stands for a
//! module in another process.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod admin;
pub mod broker;
pub mod builtin;
mod burst;
pub mod config;
pub mod dead_letters;
pub mod gateway;
pub mod module;
pub mod native;
pub mod outprocess;
mod runtime;
pub mod segments;
pub mod status;

pub use runtime::runtime;
