//! Adds properties to every message and passes the rest on unchanged.
//!
//! `args` is an object of texts, the properties to add: `{"site": "lab"}`. A single text becomes the property
//! `annotation`. Property `annotated-by` is added in any case. A property that the message already has is
//! replaced.

use sandgate_module::{Delivery, Message, Module, ModuleError, broker};
use serde_json::Value;

struct Annotate {
    properties: Vec<(String, String)>,
}

impl Module for Annotate {
    fn create(configuration: &str) -> Result<Self, ModuleError> {
        let mut properties = vec![("annotated-by".to_owned(), "annotate".to_owned())];
        match sandgate_module::configuration(configuration, r#"{"site": "lab"}"#)? {
            Value::Null => {}
            Value::String(text) => properties.push(("annotation".to_owned(), text)),
            Value::Object(object) => {
                for (key, value) in object {
                    properties.push(property(key, value)?);
                }
            }
            other => return Err(not_usable("args", &other, "an object of texts, or one text")),
        }
        Ok(Annotate { properties })
    }

    fn receive(&mut self, mut message: Message, _delivery: Delivery) -> Result<(), String> {
        for (key, value) in &self.properties {
            message.set_property(key, value);
        }
        Ok(broker::publish(&message)?)
    }
}

fn property(key: String, value: Value) -> Result<(String, String), ModuleError> {
    match value {
        Value::String(value) => Ok((key, value)),
        other => Err(not_usable(&format!("args.{key}"), &other, "a text, in quotes")),
    }
}

fn not_usable(key: &str, found: &Value, wanted: &str) -> ModuleError {
    ModuleError::Configuration(format!(
        r#"{key}: found {found}, wanted {wanted}; write for example {{"site": "lab"}}"#
    ))
}

sandgate_module::export!(Annotate);
