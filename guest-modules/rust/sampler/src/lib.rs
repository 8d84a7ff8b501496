//! A source: publishes a numbered message on a timer.
//!
//! `args`: `interval.ms`, the time between two messages; `text`, their content; `count`, after how many to
//! stop (never, where it is missing). Property `n` of a message is its number, from 1.

use sandgate_module::{Delivery, Message, Module, ModuleError, Timer, TimerHandler, broker, log, timers};
use serde::Deserialize;

const EXAMPLE: &str = r#"{"interval.ms": 100, "text": "tick", "count": 10}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    #[serde(rename = "interval.ms")]
    interval: u64,
    text: String,
    count: Option<u64>,
}

struct Sampler {
    args: Args,
    published: u64,
}

impl Module for Sampler {
    fn create(configuration: &str) -> Result<Self, ModuleError> {
        let args: Args = sandgate_module::configuration(configuration, EXAMPLE)?;
        if args.interval == 0 {
            return Err(ModuleError::Configuration(format!(
                "args.interval.ms: found 0, wanted 1 or more milliseconds; write for example {EXAMPLE}"
            )));
        }
        Ok(Sampler { args, published: 0 })
    }

    fn start(&mut self) {
        if self.args.count == Some(0) {
            return;
        }
        if let Err(error) = timers::every(self.args.interval) {
            log::error(&format!("there is no timer to publish on: {error:?}"));
        }
    }

    fn receive(&mut self, _message: Message, _delivery: Delivery) -> Result<(), String> {
        Err("a sampler is a source and takes no messages: remove the link that leads to it".to_owned())
    }
}

impl TimerHandler for Sampler {
    fn on_timer(&mut self, timer: Timer) {
        self.published += 1;
        let properties = vec![("n".to_owned(), self.published.to_string())];
        let message = Message::new(properties, self.args.text.clone().into_bytes());
        if let Err(error) = broker::publish(&message) {
            log::warn(&String::from(error));
        }
        if self.args.count == Some(self.published) {
            timers::cancel(timer);
        }
    }
}

sandgate_module::export!(Sampler with timers);
