//! What a module costs because of the language that it is written in: the same module in each, beside the one in Rust.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::languages::{Language, names};
use sandgate_tests::process::number;
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::V1Gateway;
use sandgate_wire::Message;
use serde_json::json;

use crate::GOAL_SIZE;
use crate::echo::exchange;
use crate::figures::{Figures, median};
use crate::host::Host;
use crate::local::LocalGateway;
use crate::report::{Report, Row};

/// What is measured with: it takes every message and publishes another.
const MODULE: &str = "annotate";
const ARGUMENTS: &str = r#"{"site": "lab"}"#;
/// The reference.
const FIRST: &str = "rust";

const TRIPS: usize = 2_000;
const MESSAGES: usize = 20_000;
/// Creations of an instance.
const STARTS: usize = 20;

/// A language's figures, in the order of [`WHAT`].
type Costs = [f64; WHAT.len()];

const WHAT: [(&str, &str); 5] = [
    ("component", "KiB"),
    ("memory at rest", "KiB"),
    ("created in", "us"),
    ("message", "us"),
    ("round trip p50", "us"),
];

pub(crate) fn measure(report: &mut Report, rounds: u32, scale: usize) -> Result<()> {
    let mut languages = Vec::new();
    for name in names() {
        let language = Language::named(name);
        match language.is_missing() {
            Some(mend) => eprintln!("{name}: left out, for its modules are not there; {mend}"),
            None => languages.push((language, Vec::new())),
        }
    }
    for _ in 0..rounds {
        for (language, measured) in &mut languages {
            measured.push(costs(language, scale).context(language.name)?);
        }
    }
    let middle = |measured: &[Costs], what: usize| median(measured.iter().map(|costs| costs[what]));
    let first = languages.iter().find(|(language, _)| language.name == FIRST);
    let (_, reference) = first.context("there is no module in Rust")?;
    for (language, measured) in &languages {
        for (what, (name, unit)) in WHAT.into_iter().enumerate() {
            let (value, reference) = (middle(measured, what), middle(reference, what));
            let row = Row::new(format!("{}: {name}", language.name), value, unit);
            report.add(row.beside(reference, value / reference));
        }
    }
    Ok(())
}

fn costs(language: &Language, scale: usize) -> Result<Costs> {
    let component = language.component(MODULE);
    let size = fs::metadata(&component)?.len() as f64 / 1024.0;
    let (created, rest) = at_rest(language, &component, (STARTS / scale).max(2))?;
    let Figures { throughput, p50, .. } = at_work(language, &component, scale)?;
    Ok([size, rest, created, 1e6 / throughput, p50])
}

/// How long an instance takes to be created, by its host's answer, and what it has of memory then: its own and what the
/// host holds for it.
fn at_rest(language: &Language, component: &Path, starts: usize) -> Result<(f64, f64)> {
    let scratch = Scratch::new();
    let control = scratch.id("control");
    let host = HostConfiguration::new()
        .component(MODULE, &control, component, language.settings())
        .start_with(&scratch, &["-v"]);
    let mut gateway = V1Gateway::dial(&control, &scratch.id("message"));
    let mut times = Vec::new();
    for nth in 1..=starts {
        // Otherwise the Reply would wait for the gateway to come back to a channel that was closed.
        gateway.name_channel(&scratch.id(&format!("message{nth}")));
        let begun = Instant::now();
        gateway.attach(ARGUMENTS);
        times.push(begun.elapsed().as_secs_f64() * 1e6);
        gateway.destroy();
        host.wait_for_nth_line(nth, "the instance has ended");
    }
    let line = host.wait_for_nth_line(starts, "the instance has ended");
    Ok((median(times), number(&line, "memory_used") as f64 / 1024.0))
}

/// Messages over the host link.
fn at_work(language: &Language, component: &Path, scale: usize) -> Result<Figures> {
    let scratch = Scratch::new();
    let control = scratch.id("control");
    let host = HostConfiguration::new().component(MODULE, &control, component, language.settings());
    let host = Host::start(&Host::arguments(&host.write(&scratch)))?;
    let mut gateway = LocalGateway::new()?;
    let entrypoint = json!({"activation.type": "none", "control.id": control});
    gateway.add_remote(MODULE, entrypoint, &serde_json::from_str(ARGUMENTS)?)?;
    let ends = gateway.add_end("ends", MODULE)?;
    gateway.start();
    // It comes back as it is: these are the properties that it adds.
    let properties = [("annotated-by", "annotate"), ("site", "lab")];
    let message = Message::new(&properties, vec![0; GOAL_SIZE])?;
    let (trips, messages) = ((TRIPS / scale).max(10), (MESSAGES / scale).max(10));
    let run = |trips, messages| {
        let message = message.clone();
        ends.run(move |context| Box::pin(exchange(context, message, trips, messages)))
    };
    run(trips.div_ceil(10), messages.div_ceil(10))?;
    let figures = run(trips, messages)?;
    gateway.stop()?;
    drop(host);
    Ok(figures)
}
