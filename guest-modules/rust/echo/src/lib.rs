//! Publishes what it receives, unchanged. The benchmark's module.

use sandgate_module::{Delivery, Message, Module, ModuleError, broker};

struct Echo;

impl Module for Echo {
    fn create(_configuration: &str) -> Result<Self, ModuleError> {
        Ok(Echo)
    }

    fn receive(&mut self, message: Message, _delivery: Delivery) -> Result<(), String> {
        Ok(broker::publish(&message)?)
    }
}

sandgate_module::export!(Echo);
