//! `wasm-host completions`: what a shell needs to complete a command line.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Error;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Arguments;

/// The arguments of `completions`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  wasm-host completions bash > ~/.local/share/bash-completion/completions/wasm-host
  wasm-host completions fish > ~/.config/fish/completions/wasm-host.fish";

/// Writes the script to standard output.
pub fn run(arguments: &Completions) -> Result<ExitCode, (u8, Error)> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "wasm-host", &mut script);
    std::io::stdout().lock().write_all(&script).map_err(|error| (1, error.into()))?;
    Ok(ExitCode::SUCCESS)
}
