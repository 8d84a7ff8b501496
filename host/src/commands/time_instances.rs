//! The hidden command with which the benchmark asks what an instance costs.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use clap::Args;
use sandgate_host::{Module, time_instances};
use serde_json::json;

use super::SandboxOptions;
use crate::EXIT_UNUSABLE;

/// The arguments, which only the benchmark gives.
#[derive(Args)]
pub struct TimeInstances {
    /// The module
    module: PathBuf,

    /// How many instances
    count: usize,

    #[command(flatten)]
    sandbox: SandboxOptions,
}

/// Writes what each instance took, in nanoseconds.
pub fn run(arguments: &TimeInstances) -> Result<ExitCode, (u8, Error)> {
    let limits = arguments.sandbox.limits();
    let unusable = |error| (EXIT_UNUSABLE, error);
    let engine = arguments.sandbox.engine().map_err(unusable)?;
    let module = Module::load(&engine, &arguments.module, &limits).map_err(|error| unusable(error.into()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime").map_err(|error| (1, error))?;
    let times = time_instances(&module, limits, runtime.handle(), arguments.count);
    let times = times.map_err(|fault| (1, Error::msg(format!("an instance has failed: {fault:?}"))))?;
    let nanoseconds =
        |times: &[Duration]| times.iter().map(|time| time.as_nanos() as u64).collect::<Vec<_>>();
    let (first_touch, reused) = (nanoseconds(&times.first_touch), nanoseconds(&times.reused));
    println!("{}", json!({"first_touch": first_touch, "reused": reused}));
    Ok(ExitCode::SUCCESS)
}
