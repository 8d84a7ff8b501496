//! What a well-behaved module notices of a hostile neighbour, in the same host or in another: its round trips while the
//! other is at work, beside the same with the other at rest.

use std::{array, iter};

use anyhow::{Context, Result};
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::scratch::Scratch;
use sandgate_tests::tenants::{Tenant, When, all, component};
use serde_json::json;

use crate::attack::{Attack, Load};
use crate::figures::median;
use crate::host::Host;
use crate::neighbour::Neighbour;
use crate::plain::{Plain, Running};
use crate::report::{Report, Row};

/// Round trips of one measurement, alone and beside the tenant.
const TRIPS: usize = 3_000;
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
    for plain in Plain::ALL {
        let row = format!("hostile {}", plain.name());
        if only.is_none_or(|only| row.contains(only)) {
            beside_plain(report, plain, rounds, (TRIPS / scale).max(10)).context(row)?;
        }
    }
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
            pairs.push(scene.compare(trips)?);
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

/// A neighbour, and a tenant in its host or in another.
struct Scene<'a> {
    tenant: &'a Tenant,
    neighbour: Neighbour,
    control: String,
    load: Load,
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
        let with_echo = || with_echo(&echo);
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
        let neighbour = Neighbour::start(&echo)?;
        if in_same_host {
            // The host has read its configuration: this one is for whenever it is read again.
            both().write(scratch);
        }
        Ok(Self {
            tenant,
            neighbour,
            load: if in_same_host { Load::Into(hosts[0].pid()) } else { Load::Alone(alone) },
            control: control.clone(),
            _hosts: hosts,
            _files: files,
        })
    }

    /// The neighbour's 99th percentile, and that while the tenant is at work, in microseconds.
    fn compare(&mut self, trips: usize) -> Result<(f64, f64)> {
        let alone = alone(&self.neighbour, trips)?;
        let attack = Attack::begin(&mut self.neighbour.gateway, self.tenant, &self.control, &self.load)?;
        let beside = self.neighbour.round_trips(trips)?;
        attack.end()?;
        Ok((alone, beside))
    }
}

fn with_echo(control: &str) -> HostConfiguration {
    HostConfiguration::new().module("echo", control, "modules/echo", json!({}))
}

fn alone(neighbour: &Neighbour, trips: usize) -> Result<f64> {
    neighbour.round_trips(trips / WARM_UP)?;
    neighbour.round_trips(trips)
}

/// The floor: plain programs beside the same neighbour.
fn beside_plain(report: &mut Report, plain: Plain, rounds: u32, trips: usize) -> Result<()> {
    let mut pairs = Vec::new();
    for _ in 0..rounds {
        let scratch = Scratch::new();
        let echo = scratch.id("echo");
        let _host = Host::start(&Host::arguments(&with_echo(&echo).write(&scratch)))?;
        let neighbour = Neighbour::start(&echo)?;
        let alone = alone(&neighbour, trips)?;
        let _running = Running::start(plain)?;
        pairs.push((alone, neighbour.round_trips(trips)?));
    }
    let ratio = median(pairs.iter().map(|(alone, beside)| beside / alone));
    let name = format!("round trip p99 beside {}", plain.name());
    let row = Row::new(name, median(pairs.iter().map(|(_, beside)| *beside)), "us");
    report.add(row.beside(median(pairs.iter().map(|(alone, _)| *alone)), ratio));
    Ok(())
}
