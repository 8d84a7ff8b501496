//! `wasm-host man`: the manual, made from the same text as `--help`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Error, Result};
use clap::{Args, CommandFactory};
use clap_mangen::Man;

use crate::EXIT_UNUSABLE;
use crate::cli::Arguments;

/// The arguments of `man`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Manual {
    /// Write a file for each command into this folder, which is made if it is missing. Without it the first page goes
    /// to standard output
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  wasm-host man | man -l -
  wasm-host man ~/.local/share/man/man1";

/// Writes the pages.
pub fn run(arguments: &Manual) -> Result<ExitCode, (u8, Error)> {
    match &arguments.folder {
        Some(folder) => write_all(folder)
            .with_context(|| format!("the manual cannot be written to {}", folder.display()))
            .map_err(|error| (EXIT_UNUSABLE, error))?,
        None => {
            let mut page = Vec::new();
            let made = Man::new(Arguments::command()).render(&mut page);
            made.and_then(|()| io::stdout().lock().write_all(&page)).map_err(|error| (1, error.into()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write_all(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    Ok(clap_mangen::generate_to(Arguments::command(), folder)?)
}
