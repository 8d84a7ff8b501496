//! Marks every message with the name of this site, which is the module's `args`.

use sandgate_module::{Delivery, Message, Module, ModuleError, broker};

struct {{Name}} {
    site: String,
}

impl Module for {{Name}} {
    fn create(configuration: &str) -> Result<Self, ModuleError> {
        let site = sandgate_module::configuration(configuration, r#""lab""#)?;
        Ok({{Name}} { site })
    }

    fn receive(&mut self, mut message: Message, _delivery: Delivery) -> Result<(), String> {
        message.set_property("site", &self.site);
        Ok(broker::publish(&message)?)
    }
}

sandgate_module::export!({{Name}});
