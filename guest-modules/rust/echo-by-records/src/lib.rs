//! Publishes what it receives, unchanged, and takes and sends it by its parts: what `echo` does the cheap way.

use sandgate_module::bindings::sandgate::gateway::broker::publish;
use sandgate_module::{Delivery, Message, Module, ModuleError};

struct Echo;

impl Module for Echo {
    fn create(_configuration: &str) -> Result<Self, ModuleError> {
        Ok(Echo)
    }

    fn receive(&mut self, message: Message, _delivery: Delivery) -> Result<(), String> {
        Ok(publish(&message)?)
    }
}

sandgate_module::export!(Echo by records);
