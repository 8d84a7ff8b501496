//! What a well-behaved module notices of a hostile neighbour, in the same host or in another: its round trips while the
//! other is at work, beside the same with the other at rest.

use std::time::Duration;
use std::{array, iter};

use anyhow::{Context, Result};
use sandgate_gateway::module::Context as ModuleContext;
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::scratch::Scratch;
use sandgate_tests::tenants::{Tenant, When, all, component};
use sandgate_wire::Message;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use crate::GOAL_SIZE;
use crate::attack::{Attack, Load};
use crate::echo::round_trips;
use crate::figures::{median, percentiles};
use crate::host::Host;
use crate::local::{End, LocalGateway};
use crate::report::{Report, Row};

/// Round trips of one measurement, alone and beside the tenant.
const TRIPS: usize = 1_000;
/// The neighbour gets a message so often, as does the tenant, so that a measurement lasts as long whatever a trip takes:
/// long enough for the tenant to do what it does many times.
const PULSE: Duration = Duration::from_millis(1);
/// It is warmed up with so many times fewer.
const WARM_UP: usize = 5;
/// Tenants of a smoke run.
const SMOKE: [&str; 4] = ["spin_receive", "publish_for_ever", "trap_receive", "many_memories"];
/// Beside a tenant in the same host the 99th percentile may be so much longer than alone, in microseconds.
const GOAL_MORE: f64 = 1000.0;
/// Beside a tenant in another host it may be so many times that of the module alone.
const GOAL_RATIO: f64 = 2.0;

/// Where the tenant is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    SameHost,
    OtherHost,
}

pub(crate) fn measure(report: &mut Report, only: Option<&str>, rounds: u32, scale: usize) -> Result<()> {
    let is_smoke = scale > 1;
    for (name, tenant) in all() {
        let row = format!("hostile {name}");
        let is_wanted = only.is_none_or(|only| row.contains(only));
        if is_wanted && (!is_smoke || SMOKE.contains(&name)) {
            beside(report, name, &tenant, rounds, (TRIPS / scale).max(10)).context(row)?;
        }
    }
    Ok(())
}

/// The places take turns, and in each the module alone and beside the tenant: what the machine does besides
/// cancels out.
fn beside(report: &mut Report, name: &str, tenant: &Tenant, rounds: u32, trips: usize) -> Result<()> {
    const PLACES: [Place; 2] = [Place::SameHost, Place::OtherHost];
    let mut pairs: [Vec<(f64, f64)>; PLACES.len()] = array::from_fn(|_| Vec::new());
    for _ in 0..rounds {
        for (place, pairs) in iter::zip(PLACES, &mut pairs) {
            let scratch = Scratch::new();
            let mut scene = Scene::open(&scratch, name, tenant, place)?;
            scene.round_trips(trips / WARM_UP)?;
            let alone = scene.round_trips(trips)?;
            pairs.push((alone, scene.under_attack(trips)?));
        }
    }
    for (place, pairs) in iter::zip(PLACES, pairs) {
        let more = median(pairs.iter().map(|(alone, beside)| beside - alone));
        let ratio = median(pairs.iter().map(|(alone, beside)| beside / alone));
        let (place, goal, met) = match place {
            Place::SameHost => ("the same host", format!("at most {GOAL_MORE} us more"), more <= GOAL_MORE),
            Place::OtherHost => ("another host", format!("ratio at most {GOAL_RATIO}"), ratio <= GOAL_RATIO),
        };
        report.add(Row {
            name: format!("round trip p99 beside {name} in {place}"),
            value: median(pairs.iter().map(|(_, beside)| *beside)),
            unit: "us",
            reference: Some(median(pairs.iter().map(|(alone, _)| *alone))),
            ratio: Some(ratio),
            goal: Some(goal),
            met: Some(met),
        });
    }
    Ok(())
}

/// A gateway with an echo, and a tenant in the echo's host or in another.
struct Scene<'a> {
    tenant: &'a Tenant,
    gateway: LocalGateway,
    pulse: End,
    control: String,
    load: Load,
    greeting: Message,
    /// Held: they end with the scene.
    _hosts: Vec<Host>,
    _files: Scratch,
}

impl<'a> Scene<'a> {
    fn open(scratch: &Scratch, name: &str, tenant: &'a Tenant, place: Place) -> Result<Self> {
        let component = component(scratch, name);
        let (control, echo) = (scratch.id("tenant"), scratch.id("echo"));
        let is_unusable = tenant.when == When::Loaded;
        // The limits are the defaults, but where a host would take minutes and gigabytes to load the tenant.
        let limits = if is_unusable { tenant.limits_document() } else { json!({}) };
        let recycle = if tenant.when == When::Destroyed { json!({"messages": 1}) } else { json!({}) };
        // It is to go on attacking: no quarantine, and the shortest wait every time.
        let restart = json!({"max": 10_000, "backoff.ms": 100, "longest.backoff.ms": 100});
        let more = json!({"limits": limits, "recycle": recycle, "restart": restart});
        let with_echo = || HostConfiguration::new().module("echo", &echo, "modules/echo", json!({}));
        let with_tenant =
            |others: HostConfiguration| others.component("tenant", &control, &component, more.clone());
        let files = Scratch::new();
        let alone = Host::arguments(&with_tenant(HostConfiguration::new()).write(&files));
        let both = || with_tenant(with_echo());

        let in_same_host = place == Place::SameHost;
        let first = if in_same_host && !is_unusable { both() } else { with_echo() };
        let mut hosts = vec![Host::start(&Host::arguments(&first.write(scratch)))?];
        if !in_same_host && !is_unusable {
            hosts.push(Host::start(&alone)?);
        }
        let mut gateway = LocalGateway::new()?;
        gateway.add_remote("echo", json!({"activation.type": "none", "control.id": echo}), &Value::Null)?;
        let pulse = gateway.add_end("pulse", "echo")?;
        gateway.start();
        let scene = Self {
            tenant,
            gateway,
            pulse,
            load: if in_same_host { Load::Into(hosts[0].pid()) } else { Load::Alone(alone) },
            greeting: Message::new(&[("a", "1"), ("b", "2")], vec![0; GOAL_SIZE])?,
            control: control.clone(),
            _hosts: hosts,
            _files: files,
        };
        // The host is there, and has read its configuration.
        scene.round_trips(1)?;
        if in_same_host {
            // From now on, whenever it is read again.
            both().write(scratch);
        }
        Ok(scene)
    }

    /// The 99th percentile of some round trips, in microseconds.
    fn round_trips(&self, trips: usize) -> Result<f64> {
        let greeting = self.greeting.clone();
        let times = self.pulse.run(move |context| Box::pin(pulses(context, greeting, trips)))?;
        let [_, p99] = percentiles(times);
        Ok(p99)
    }

    /// The same while the tenant is at work.
    fn under_attack(&mut self, trips: usize) -> Result<f64> {
        let attack = Attack::begin(&mut self.gateway, self.tenant, &self.control, &self.load)?;
        let p99 = self.round_trips(trips)?;
        attack.end()?;
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
