//! Builds the programs.

use anyhow::Result;

use crate::progress::Progress;
use crate::project::Project;
use crate::tools::Tools;

/// Builds all programs. Always the whole workspace: cargo would unite the features of a part of it in another
/// way, and compile Wasmtime once more for that.
pub fn build(project: &Project, tools: &Tools, progress: &mut Progress) -> Result<()> {
    progress.command(
        "programs",
        "compiling gateway and wasm-host (minutes, the first time)",
        // The libraries are named because one of them is for C, which no program is linked with.
        tools.apply(project.cargo().args(["build", "--release", "--workspace", "--bins", "--lib"])),
    )?;
    progress
        .note(&format!("{}: gateway, wasm-host, libsandgate_native.so", project.shown(&project.programs())));
    Ok(())
}
