//! What a Sandgate module in Rust is written with.
//!
//! A module is a type that implements [`Module`]; [`export!`] makes a component of the crate that holds it.
//! Build the crate as a `cdylib` for `wasm32-wasip2`:
//!
//! ```ignore
//! use sandgate_module::{Delivery, Message, Module, ModuleError, broker};
//!
//! struct Echo;
//!
//! impl Module for Echo {
//!     fn create(_configuration: &str) -> Result<Self, ModuleError> {
//!         Ok(Echo)
//!     }
//!
//!     fn receive(&mut self, message: Message, _delivery: Delivery) -> Result<(), String> {
//!         Ok(broker::publish(&message)?)
//!     }
//! }
//!
//! sandgate_module::export!(Echo);
//! ```
//!
//! A module that wants to be called again later implements [`TimerHandler`] too and is exported with
//! `export!(Sampler with timers)`.
//!
//! A panic is a trap: it ends the instance, and the host reports it with the panic's message and the names
//! of the functions that led there.

#[doc(hidden)]
pub mod bindings;
pub mod broker;
mod configuration;
#[doc(hidden)]
pub mod encoded;
mod export;
pub mod log;
mod message;

pub use bindings::sandgate::gateway::types::{Delivery, ModuleError};
pub use bindings::sandgate::gateway::{segments, timers};
pub use configuration::configuration;
pub use message::{Message, Parts};
pub use segments::Segment;
pub use timers::Timer;

/// A module: something that is created from its configuration and takes messages.
///
/// The host makes the calls one at a time: `create`, `start`, any number of `receive`, `destroy`.
pub trait Module: Sized {
    /// Makes the module from its `args`, as JSON text; [`configuration`] reads it into a type.
    fn create(configuration: &str) -> Result<Self, ModuleError>;

    /// All modules are created and linked: from here on [`broker::publish`] can be used.
    fn start(&mut self) {}

    /// Takes one message. The text of an error stands in the host's log.
    fn receive(&mut self, message: Message, delivery: Delivery) -> Result<(), String>;

    /// The last call.
    fn destroy(&mut self) {}
}

/// A module that is called when a timer's time has come; see [`timers`].
pub trait TimerHandler: Module {
    /// The time of the timer that [`timers::every`] or [`timers::after`] returned has come.
    fn on_timer(&mut self, timer: Timer);
}
