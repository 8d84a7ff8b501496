//! V1's `hello_world`: the same greeting again and again.

use std::time::Duration;

use sandgate_wire::Message;
use tokio::time::{MissedTickBehavior, interval};

use super::read_interval;
use crate::config::reader::Node;
use crate::module::{Context, Life, Module, ModuleError};

/// Publishes V1's greeting, at once and then at an interval.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HelloWorld {
    /// `interval.ms`; V1's is five seconds.
    pub interval: Duration,
}

impl HelloWorld {
    pub(super) fn read(args: &Node<'_>) -> Option<Self> {
        Some(Self { interval: read_interval(args, Duration::from_secs(5))? })
    }
}

impl Module for HelloWorld {
    fn run(self: Box<Self>, context: Context) -> Life {
        Box::pin(async move {
            let Context { publisher, inbox, stop, .. } = context;
            drop(inbox);
            // Property and content are V1's, to the letter.
            let properties = [("helloWorld", "from Azure IoT Gateway SDK simple sample!")];
            let greeting =
                Message::new(&properties, "hello world").map_err(|error| ModuleError(error.to_string()))?;
            let mut ticks = interval(self.interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let publishing = async {
                loop {
                    ticks.tick().await;
                    publisher.publish(greeting.clone()).await;
                }
            };
            stop.run_until_cancelled_owned(publishing).await;
            Ok(())
        })
    }
}
