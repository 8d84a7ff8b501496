//! `wasm-host compile`: a module's code ahead of time.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Error, anyhow};
use clap::Args;
use sandgate_host::{Module, write_code};

use super::SandboxOptions;
use crate::EXIT_UNUSABLE;

/// The arguments of `compile`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Compile {
    /// The module
    module: PathBuf,

    /// The file for the code; else the module's name with the ending .cwasm
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    sandbox: SandboxOptions,
}

const EXAMPLES: &str = "\
Examples:
  wasm-host compile annotate.wasm
  wasm-host compile annotate.wasm -W fuel=1000000 -o /usr/lib/modules/annotate.cwasm
  wasm-host --control /tmp/annotate.control --precompiled /usr/lib/modules annotate.wasm

The code is for the Wasmtime of this wasm-host, this kind of processor, and for modules with or without the limit fuel,
as given here. It is native code: a host takes it only from a folder that it cannot write itself, beside the module and
never in its place.

Exit status: 0 written; 64 the module cannot be used; 1 anything else.";

/// Compiles the module and writes its code.
pub fn run(arguments: &Compile) -> Result<ExitCode, (u8, Error)> {
    let unusable = |error| (EXIT_UNUSABLE, error);
    let output = arguments.output.clone().unwrap_or_else(|| arguments.module.with_extension("cwasm"));
    if is_same(&output, &arguments.module) {
        return Err(unusable(anyhow!("{} is the module itself: give another -o", output.display())));
    }
    let engine = arguments.sandbox.engine().map_err(unusable)?;
    let module = Module::load(&engine, &arguments.module, &arguments.sandbox.limits());
    let module = module.map_err(|error| unusable(error.into()))?;
    let bytes = write_code(&module, &output)
        .with_context(|| format!("{} cannot be written", output.display()))
        .map_err(|error| (1, error))?;
    println!(
        "{}: {} KiB of code, for this version and this kind of processor",
        output.display(),
        bytes >> 10
    );
    Ok(ExitCode::SUCCESS)
}

fn is_same(one: &Path, other: &Path) -> bool {
    let [one, other] = [one, other].map(Path::canonicalize);
    one.is_ok_and(|one| other.is_ok_and(|other| one == other))
}
