//! What a module is: something that is created for an attach, takes messages, and ends with it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use sandgate_wire::Message;

use crate::Broker;

/// Why a module refuses what it was given. Any error will do, a text too: `Err("no such file".into())`.
pub type ModuleError = Box<dyn Error + Send + Sync>;

/// A module. The calls come one at a time, from the thread that works for its gateway: `create`, `start`, any
/// number of `receive`, `destroy`.
///
/// A call that panics ends the instance, and the gateway is told that the module has failed (a program that is
/// compiled with `panic = "abort"` ends instead). While a call goes on nothing else is done for the gateway, so
/// long work belongs into a thread of the module's own, which publishes through its [`Broker`].
pub trait GatewayModule: Send + Sized + 'static {
    /// Makes an instance for one attach. `arguments` are the module's `args` in the gateway's configuration, as
    /// JSON text: a string keeps its quotes, nothing is `null`. The broker can be used from `start` on.
    ///
    /// # Errors
    /// The module cannot work with these arguments. The gateway is told, and tries again later.
    fn create(arguments: &str, broker: Broker) -> Result<Self, ModuleError>;

    /// All modules of the gateway are created and linked: messages may flow.
    ///
    /// # Errors
    /// The module cannot work. This ends the instance, and the gateway is told.
    fn start(&mut self) -> Result<(), ModuleError> {
        Ok(())
    }

    /// Takes one message.
    ///
    /// # Errors
    /// The message is of no use to the module. This is logged and counted; the message is not sent again. (One in which
    /// this panics, or the program dies, is sent again over the host link.)
    fn receive(&mut self, message: Message) -> Result<(), ModuleError>;

    /// The last call; not made in an instance that has failed. What is published in it still goes out.
    fn destroy(&mut self) {}
}

/// A module that has been created. Every [`GatewayModule`] is one; a type that only a [`ModuleClass`] made with
/// [`ModuleClass::from_fn`] can create implements this directly. The calls are those of [`GatewayModule`].
pub trait Instance: Send {
    /// See [`GatewayModule::start`].
    ///
    /// # Errors
    /// The module cannot work.
    fn start(&mut self) -> Result<(), ModuleError>;

    /// See [`GatewayModule::receive`].
    ///
    /// # Errors
    /// The message is of no use to the module.
    fn receive(&mut self, message: Message) -> Result<(), ModuleError>;

    /// See [`GatewayModule::destroy`].
    fn destroy(&mut self);
}

impl<M: GatewayModule> Instance for M {
    fn start(&mut self) -> Result<(), ModuleError> {
        GatewayModule::start(self)
    }

    fn receive(&mut self, message: Message) -> Result<(), ModuleError> {
        GatewayModule::receive(self, message)
    }

    fn destroy(&mut self) {
        GatewayModule::destroy(self);
    }
}

type Create = dyn Fn(&str, Broker) -> Result<Box<dyn Instance>, ModuleError> + Send + Sync;

/// What makes an instance for every attach. Cloning shares it.
#[derive(Clone)]
pub struct ModuleClass(Arc<Create>);

impl ModuleClass {
    /// Makes instances of this type.
    #[must_use]
    pub fn of<M: GatewayModule>() -> Self {
        Self::from_fn(|arguments, broker| Ok(Box::new(M::create(arguments, broker)?)))
    }

    /// Makes instances by a closure, which gets what [`GatewayModule::create`] gets: for modules that are only
    /// known when the program runs.
    #[must_use]
    pub fn from_fn<F>(create: F) -> Self
    where
        F: Fn(&str, Broker) -> Result<Box<dyn Instance>, ModuleError> + Send + Sync + 'static,
    {
        Self(Arc::new(create))
    }

    pub(crate) fn create(&self, arguments: &str, broker: Broker) -> Result<Box<dyn Instance>, ModuleError> {
        (self.0)(arguments, broker)
    }
}

impl fmt::Debug for ModuleClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModuleClass").finish_non_exhaustive()
    }
}
