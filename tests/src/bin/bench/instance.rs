//! What an instance costs: made, created, started and given back, with the code of its module in the cache.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sandgate_tests::programs::{guest, program};
use serde_json::Value;

use crate::figures::percentiles;
use crate::goal::Goal;
use crate::report::{Report, Row};

const INSTANCES: usize = 500;
/// In microseconds, for half of them.
const GOAL_REUSED: f64 = 35.0;
const GOAL_FIRST: f64 = 50.0;

pub(crate) fn measure(report: &mut Report, rounds: u32, scale: usize) -> Result<()> {
    let count = (INSTANCES / scale).max(20);
    let (mut reused, mut first) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let times = times(count)?;
        reused.extend(series(&times, "reused")?);
        first.extend(series(&times, "first_touch")?);
    }
    for (place, times, goal) in
        [("in a place that was used before", reused, GOAL_REUSED), ("in a fresh place", first, GOAL_FIRST)]
    {
        let [p50, p99] = percentiles(times);
        let row = |what: &str, value| {
            Row::new(format!("instance: made, created, started, given back, {place}, {what}"), value, "us")
        };
        report.add(row("p50", p50).with_goals(&[Goal::AtMost(goal)]));
        report.add(row("p99", p99));
    }
    Ok(())
}

/// Has a host of its own make instances.
fn times(count: usize) -> Result<Value> {
    let mut host = Command::new(program("wasm-host"));
    let host = host.arg("time-instances").arg(guest("modules/echo")).arg(count.to_string());
    let output = host.output().context("cannot start wasm-host")?;
    if !output.status.success() {
        bail!("no instances: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn series(times: &Value, name: &str) -> Result<Vec<Duration>> {
    let times = times[name].as_array().with_context(|| format!("no series {name}"))?;
    let time = |time: &Value| time.as_u64().map(Duration::from_nanos).context("no number of nanoseconds");
    times.iter().map(time).collect()
}
