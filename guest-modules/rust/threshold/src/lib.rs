//! Moving average of a number in JSON messages, with an alert above a threshold.
//!
//! `args`: `pointer`, the JSON pointer of the number in a message's content; `window`, over how many messages to
//! average; `above`, the threshold. What is published has the incoming message's properties, `average` and
//! `alert` (`true` or `false`), and as content `{"value": …, "average": …, "above": …}`.

mod window;

use sandgate_module::{Delivery, Message, Module, ModuleError, broker};
use serde::Deserialize;
use serde_json::{Value, json};
use window::Window;

const EXAMPLE: &str = r#"{"pointer": "/cpu/usage", "window": 5, "above": 0.8}"#;
/// Keeps a mistyped window from filling the sandbox's memory.
const LARGEST_WINDOW: usize = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    pointer: String,
    window: usize,
    above: f64,
}

struct Threshold {
    pointer: String,
    above: f64,
    window: Window,
}

impl Module for Threshold {
    fn create(configuration: &str) -> Result<Self, ModuleError> {
        let args: Args = sandgate_module::configuration(configuration, EXAMPLE)?;
        if !args.pointer.is_empty() && !args.pointer.starts_with('/') {
            return Err(not_usable("pointer", &args.pointer, "a JSON pointer, which begins with `/`"));
        }
        if args.window == 0 || args.window > LARGEST_WINDOW {
            let wanted = format!("a number of messages from 1 to {LARGEST_WINDOW}");
            return Err(not_usable("window", &args.window.to_string(), &wanted));
        }
        Ok(Threshold { pointer: args.pointer, above: args.above, window: Window::new(args.window) })
    }

    fn receive(&mut self, mut message: Message, _delivery: Delivery) -> Result<(), String> {
        let value = self.number_in(message.content())?;
        let average = self.window.add(value);
        message.set_property("average", rounded(average).to_string());
        message.set_property("alert", (average > self.above).to_string());
        let content = json!({
            "value": rounded(value),
            "average": rounded(average),
            "above": self.above,
        });
        message.set_content(content.to_string());
        Ok(broker::publish(&message)?)
    }
}

impl Threshold {
    fn number_in(&self, content: &[u8]) -> Result<f64, String> {
        let content: Value =
            serde_json::from_slice(content).map_err(|error| format!("the content is no JSON: {error}"))?;
        let pointer = &self.pointer;
        match content.pointer(pointer) {
            Some(Value::Number(number)) => number.as_f64().ok_or_else(|| format!("{pointer}: out of range")),
            Some(other) => Err(format!("{pointer}: found {other}, wanted a number")),
            None => Err(format!("{pointer}: the content has nothing there")),
        }
    }
}

/// Four digits after the point: more would only be noise to whoever reads it.
fn rounded(number: f64) -> f64 {
    let scaled = (number * 10_000.0).round();
    if scaled.is_finite() { scaled / 10_000.0 } else { number }
}

fn not_usable(key: &str, found: &str, wanted: &str) -> ModuleError {
    ModuleError::Configuration(format!(
        "args.{key}: found {found}, wanted {wanted}; write for example {EXAMPLE}"
    ))
}

sandgate_module::export!(Threshold);
