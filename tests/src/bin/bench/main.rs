//! The benchmark: what Sandgate's path costs beside a bare reference measured in the same run.
//!
//! Every figure stands beside its reference, measured in turns with it, so that the ratios hold on a
//! machine whose speed drifts.

#![forbid(unsafe_code)]

mod attack;
mod bare;
mod broker;
mod call;
mod density;
mod echo;
mod figures;
mod goal;
mod host;
mod hostile;
mod instance;
mod into_guest;
mod languages;
mod local;
mod neighbour;
mod plain;
mod plots;
mod recovery;
mod report;
mod segments;
mod start;
mod unix;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::echo::Way;
use crate::plain::Plain;
use crate::report::{Outputs, Report};

/// The content sizes that are measured, in bytes.
const SIZES: [usize; 4] = [32, 256, 4 << 10, 64 << 10];
/// The size that the goals are about.
const GOAL_SIZE: usize = 256;

/// Measures the gateway, the host and what lies between, each beside a bare reference.
#[derive(Parser)]
#[command(
    name = "bench",
    after_help = "\
Examples:
  cargo xtask bench                     the table
  cargo xtask bench --json rows.json    and the rows as JSON
  cargo xtask bench --against rows.json what has changed since
  cargo xtask bench --plots plots       and drawn
  cargo xtask bench --only 'pair 256'   one measurement
  cargo xtask bench --only instance     what an instance costs
  cargo xtask bench --only call         what calling a component costs
  cargo xtask bench --only density      many idle modules in one host
  cargo xtask bench --only segments     frames in shared memory, beside by value
  cargo xtask bench --only recovery     how long nothing comes through when something breaks
  cargo xtask bench --only languages    the same module in every language
  cargo xtask bench --only hostile      a module beside each of those that misbehave
  cargo xtask bench --smoke             a few messages: shows that it runs, measures nothing"
)]
struct Arguments {
    /// Write the rows to this file as JSON; `-` writes them to standard output instead of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Show what has changed since the run whose rows are in this file
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Draw what has been measured into this directory, as SVG
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Turns of each measurement with its reference; the medians are shown
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// A few messages of each kind, to see that everything runs
    #[arg(long)]
    smoke: bool,
    /// Measure only what has this in its name: `broker`, `call`, `pair`, `link`, one such as `pair 256`,
    /// `start`, `instance`, `density`, `segments`, `recovery`, `languages`;
    /// `hostile` is measured only when it is asked for, and with `--smoke`
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// The reference's other process: sends back what it receives. Started by the benchmark itself
    #[command(hide = true)]
    Echo { address: String },
    /// Likewise, over a Unix domain socket
    #[command(hide = true)]
    EchoUnix { path: PathBuf },
    /// A program that takes what it can get. Likewise
    #[command(hide = true)]
    Plain { what: Plain },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.part {
        Some(Part::Echo { address }) => bare::echo(address),
        Some(Part::EchoUnix { path }) => unix::echo(path),
        Some(Part::Plain { what }) => what.run(),
        None => measure(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<()> {
    let scale = if arguments.smoke { 1000 } else { 1 };
    let rounds = if arguments.smoke { 1 } else { arguments.rounds };
    let mut report = Report::new(arguments.against.as_deref())?;
    let wanted = |name: &str| arguments.only.as_deref().is_none_or(|only| name.contains(only));
    if wanted("broker") {
        broker::measure(&mut report, rounds, scale).context("broker")?;
    }
    call::measure(&mut report, wanted, rounds, scale).context("call")?;
    for way in [Way::Pair, Way::Link] {
        for size in SIZES {
            let name = format!("{} {size}", way.name());
            if wanted(&name) {
                echo::measure(&mut report, way, size, rounds, scale).context(name)?;
            }
        }
    }
    if wanted("link into") {
        into_guest::measure(&mut report, rounds, scale).context("link into")?;
    }
    if wanted("start") {
        start::measure(&mut report, rounds, scale).context("start")?;
    }
    if wanted("instance") {
        instance::measure(&mut report, rounds, scale).context("instance")?;
    }
    if wanted("density") {
        density::measure(&mut report, scale).context("density")?;
    }
    if wanted("segments") {
        segments::measure(&mut report, rounds, scale).context("segments")?;
    }
    if wanted("recovery") {
        recovery::measure(&mut report, rounds, scale).context("recovery")?;
    }
    if wanted("languages") {
        languages::measure(&mut report, rounds, scale).context("languages")?;
    }
    // Many minutes: not without being asked.
    if arguments.smoke || arguments.only.as_deref().is_some_and(|only| only.starts_with("hostile")) {
        hostile::measure(&mut report, arguments.only.as_deref(), rounds, scale).context("hostile")?;
    }
    report.finish(Outputs { json: arguments.json.as_deref(), plots: arguments.plots.as_deref() })
}
