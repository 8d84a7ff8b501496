//! A well-behaved module whose round trips are measured while something else goes on.

use std::time::Duration;

use anyhow::Result;
use sandgate_gateway::module::Context as ModuleContext;
use sandgate_wire::Message;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use crate::GOAL_SIZE;
use crate::echo::round_trips;
use crate::figures::percentiles;
use crate::local::{End, LocalGateway};

/// It gets a message so often, so that a measurement lasts as long whatever a trip takes: long enough for whatever goes on
/// to do many times what it does.
const PULSE: Duration = Duration::from_millis(1);

/// A gateway with an echo in a host.
pub(crate) struct Neighbour {
    pub(crate) gateway: LocalGateway,
    pulse: End,
    greeting: Message,
}

impl Neighbour {
    /// The echo has this control id. It is there when this returns.
    pub(crate) fn start(control: &str) -> Result<Self> {
        let mut gateway = LocalGateway::new()?;
        let entrypoint = json!({"activation.type": "none", "control.id": control});
        gateway.add_remote("echo", entrypoint, &Value::Null)?;
        let pulse = gateway.add_end("pulse", "echo")?;
        gateway.start();
        let greeting = Message::new(&[("a", "1"), ("b", "2")], vec![0; GOAL_SIZE])?;
        let neighbour = Self { gateway, pulse, greeting };
        neighbour.round_trips(1)?;
        Ok(neighbour)
    }

    /// The 99th percentile of some round trips, in microseconds.
    pub(crate) fn round_trips(&self, trips: usize) -> Result<f64> {
        let greeting = self.greeting.clone();
        let times = self.pulse.run(move |context| Box::pin(pulses(context, greeting, trips)))?;
        let [_, p99] = percentiles(times);
        Ok(p99)
    }
}

/// Round trips, a pulse from one to the next. What one takes longer is not made up for.
async fn pulses(
    ModuleContext { publisher, inbox, .. }: &mut ModuleContext,
    greeting: Message,
    trips: usize,
) -> Result<Vec<Duration>> {
    let mut pulse = interval(PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut times = Vec::with_capacity(trips);
    for _ in 0..trips {
        pulse.tick().await;
        times.extend(round_trips(publisher, inbox, &greeting, 1).await?);
    }
    Ok(times)
}
