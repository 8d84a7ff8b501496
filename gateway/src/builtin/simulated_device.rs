//! V1's `simulated_device`: a sensor that is made up, which tells its temperature at an interval.

use std::time::Duration;

use sandgate_wire::Message;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::info;

use super::properties::{DEVICE_FUNCTION, MAC_ADDRESS, SOURCE};
use crate::broker::{Inbox, Publisher};
use crate::config::reader::{LONGEST, Node};
use crate::module::{Context, Life, Module, ModuleError};

/// The `source` of a sensor's messages.
const TELEMETRY: &str = "bleTelemetry";
/// Where the temperature begins, in degrees, and up to where it rises before it begins again.
const COLDEST: f64 = 10.0;
const WARMEST: f64 = 40.0;

/// Registers a device, and then publishes a temperature at an interval. Messages for the device are told in the log.
///
/// The content is V1's JSON, such as `{"temperature": 10.00}`; each temperature is a degree higher than the one
/// before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SimulatedDevice {
    /// `macAddress`, by which the device is known.
    pub mac_address: String,
    /// `messagePeriod`.
    pub period: Duration,
}

impl SimulatedDevice {
    pub(super) fn read(args: &Node<'_>) -> Option<Self> {
        let args = args.object()?;
        let mac_address = args.required("macAddress", "write for instance \"01:01:01:01:01:01\"");
        let period = args.required("messagePeriod", "give the time between messages in milliseconds");
        args.finish();
        let mac_address = mac_address.and_then(|node| Some(node.text()?.to_owned()));
        let period = period.and_then(|node| node.milliseconds(LONGEST));
        Some(Self { mac_address: mac_address?, period: period? })
    }

    fn message(&self, more: &[(&str, &str)], content: &str) -> Result<Message, ModuleError> {
        let own = [(SOURCE, TELEMETRY), (MAC_ADDRESS, &self.mac_address)];
        Message::new(&[&own, more].concat(), content).map_err(|error| ModuleError(error.to_string()))
    }

    async fn publish(&self, publisher: Publisher) -> Result<(), ModuleError> {
        publisher.publish(self.message(&[(DEVICE_FUNCTION, "register")], "")?).await;
        let mut ticks = interval_at(Instant::now() + self.period, self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut temperature = COLDEST;
        loop {
            ticks.tick().await;
            publisher.publish(self.message(&[], &format!("{{\"temperature\": {temperature:.2}}}"))?).await;
            temperature = if temperature < WARMEST { temperature + 1.0 } else { COLDEST };
        }
    }

    async fn receive(&self, name: &str, mut inbox: Inbox) {
        while let Some(delivery) = inbox.recv().await {
            let message = &delivery.message;
            if message.property(MAC_ADDRESS) == Some(&self.mac_address) {
                let properties: Vec<_> = message.properties().collect();
                let content = String::from_utf8_lossy(message.content());
                info!(module = name, ?properties, %content, "message for the simulated device");
            }
        }
    }
}

impl Module for SimulatedDevice {
    fn run(self: Box<Self>, context: Context) -> Life {
        Box::pin(async move {
            let Context { name, publisher, inbox, stop, .. } = context;
            let publishing = stop.run_until_cancelled(self.publish(publisher));
            let (published, ()) = tokio::join!(publishing, self.receive(&name, inbox));
            published.unwrap_or(Ok(()))
        })
    }
}
