//! A module, from its creation to its end.

#![allow(unsafe_code, reason = "a module's functions are C functions")]

use std::ffi::CString;
use std::ptr;
use std::sync::Arc;

use sandgate_native_interface::module::{Api1, BrokerHandle, ModuleHandle};
use sandgate_native_interface::program::Library;
use sandgate_wire::Message;

use crate::{CreateError, ModuleLibrary, Outlet, ReceiveError, outlet};

/// A module. Its functions are called in V1's order, one at a time; dropping it destroys the module.
pub struct Instance {
    core: Library,
    api: Api1,
    broker: BrokerHandle,
    module: ModuleHandle,
}

// SAFETY: V1 creates a module on one thread and gives it messages on another; it calls it for one thing at a time, as
// the borrows here do.
unsafe impl Send for Instance {}

impl Instance {
    /// Has the module parse its arguments, which are JSON, be created, and free its configuration. It may publish
    /// from now on, to the outlet, which is let go of when nothing of the module's can call it any more.
    ///
    /// # Errors
    /// The module refuses.
    pub fn create(
        library: &ModuleLibrary,
        outlet: Arc<dyn Outlet>,
        arguments: &str,
    ) -> Result<Self, CreateError> {
        let ModuleLibrary { core, api } = *library;
        let arguments = CString::new(arguments).map_err(|_| CreateError::Nul)?;
        let broker = (core.create_broker)(outlet::interface(outlet));
        if broker.is_null() {
            return Err(CreateError::NoBroker);
        }
        // SAFETY: V1's order. What the module makes of its arguments, NULL too, it gets back to use and to free.
        let module = unsafe {
            let configuration =
                api.parse_configuration.map_or(ptr::null_mut(), |parse| parse(arguments.as_ptr()));
            let module = api.create.map_or(ptr::null_mut(), |create| create(broker, configuration));
            if let Some(free) = api.free_configuration {
                free(configuration);
            }
            module
        };
        if module.is_null() {
            (core.release_broker)(broker);
            return Err(CreateError::Refused);
        }
        Ok(Self { core, api, broker, module })
    }

    /// Tells the module that it may publish.
    pub fn start(&mut self) {
        if let Some(start) = self.api.start {
            // SAFETY: the module lives.
            unsafe { start(self.module) };
        }
    }

    /// Gives the module a message, and comes back when it has handled it.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn receive(&mut self, message: &Message) -> Result<(), ReceiveError> {
        let frame = message.frame();
        let size = i32::try_from(frame.len()).map_err(|_| ReceiveError)?;
        // SAFETY: the frame has that many bytes.
        let handle = unsafe { (self.core.create_message)(frame.as_ptr(), size) };
        if handle.is_null() {
            return Err(ReceiveError);
        }
        if let Some(receive) = self.api.receive {
            // SAFETY: the module lives, and so does the message.
            unsafe { receive(self.module, handle) };
        }
        (self.core.release_message)(handle);
        Ok(())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(destroy) = self.api.destroy {
            // SAFETY: the module lives until now.
            unsafe { destroy(self.module) };
        }
        (self.core.release_broker)(self.broker);
    }
}
