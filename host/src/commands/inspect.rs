//! `wasm-host inspect`: what a module is, needs and was made with, without running it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Error;
use clap::Args;
use sandgate_host::{Inspection, Loading};

use super::SandboxOptions;
use crate::EXIT_UNUSABLE;

/// This host cannot load the module.
const EXIT_REFUSED: u8 = 1;

/// The arguments of `inspect`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Inspect {
    /// The module
    module: PathBuf,

    /// Write JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    sandbox: SandboxOptions,
}

const EXAMPLES: &str = "\
Examples:
  wasm-host inspect annotate.wasm
  wasm-host inspect annotate.wasm --json

The module is compiled within the limits, and not run.

Exit status: 0 this host can load the module; 1 it cannot; 64 the file cannot be read.";

/// Reads the module, tries to load it, and says what came of it.
pub fn run(arguments: &Inspect) -> Result<ExitCode, (u8, Error)> {
    let limits = arguments.sandbox.limits();
    let unusable = |error| (EXIT_UNUSABLE, error);
    let read = Inspection::read(&arguments.module, &limits);
    let mut inspection = read.map_err(|error| unusable(error.into()))?;
    let engine = arguments.sandbox.engine().map_err(unusable)?;
    inspection.try_to_load(&engine, &arguments.module, &limits);
    let text = if arguments.json { inspection.to_json() + "\n" } else { inspection.to_string() };
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(|error| (1, error.into()))?;
    let loads = matches!(inspection.loading, Loading::Loads(_));
    Ok(if loads { ExitCode::SUCCESS } else { ExitCode::from(EXIT_REFUSED) })
}
