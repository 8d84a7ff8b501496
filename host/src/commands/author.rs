//! What an author needs besides a compiler: `bindings` before it runs, `componentize` after it.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Error, Result};
use clap::Args;
use sandgate_author::bindings::{self, Language};
use sandgate_author::componentize::{componentize as component_of, without_dwarf};

use crate::EXIT_UNUSABLE;

/// The arguments of `bindings`.
#[derive(Args)]
#[command(after_help = "Example:\n  wasm-host bindings c sandgate")]
pub struct Bindings {
    /// The module's language: c, also for C++ and Zig
    #[arg(value_name = "LANGUAGE")]
    language: Language,

    /// The folder, which holds nothing else; it is made where it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// The arguments of `componentize`.
#[derive(Args)]
#[command(after_help = "Example:\n  wasm-host componentize core.wasm -o site.wasm")]
pub struct Componentize {
    /// What the compiler wrote
    #[arg(value_name = "CORE.wasm")]
    core: PathBuf,

    /// The component
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Leaves out DWARF, with which verdicts name lines; they name functions without it too
    #[arg(long)]
    strip_debug: bool,
}

/// Writes the bindings, and the names of their files to standard output.
pub fn bindings(arguments: &Bindings) -> Result<ExitCode, (u8, Error)> {
    let names = bindings::write(arguments.language, &arguments.folder).map_err(|error| (1, error.into()))?;
    for name in names {
        println!("{}", arguments.folder.join(name).display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a component of a core module.
pub fn componentize(arguments: &Componentize) -> Result<ExitCode, (u8, Error)> {
    let shown = arguments.core.display();
    let core = fs::read(&arguments.core)
        .with_context(|| format!("{shown} cannot be read"))
        .map_err(|error| (EXIT_UNUSABLE, error))?;
    let core = if arguments.strip_debug { without_dwarf(&core) } else { Ok(core) };
    let component = core.and_then(|core| component_of(&core));
    let component = component.with_context(|| shown.to_string()).map_err(|error| (EXIT_UNUSABLE, error))?;
    fs::write(&arguments.output, component)
        .with_context(|| format!("{} cannot be written", arguments.output.display()))
        .map_err(|error| (1, error))?;
    Ok(ExitCode::SUCCESS)
}
