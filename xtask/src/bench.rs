//! Runs the benchmark.

use anyhow::Result;

use crate::progress::Progress;
use crate::project::Project;
use crate::{binaries, check, guests, tools};

/// Builds everything and runs the benchmark with the user's arguments.
pub fn run(project: &Project, progress: &mut Progress, arguments: &[String]) -> Result<()> {
    let tools = tools::provide(project, progress)?;
    guests::rust::build(project, progress)?;
    binaries::build(project, &tools, progress)?;
    // Not by `cargo run --package`, for the reason that stands at `binaries::build`.
    let mut bench = std::process::Command::new(project.programs().join("bench"));
    check::name_what_was_built(project, &mut bench);
    progress.command("bench", "measuring; leave the machine alone meanwhile", bench.args(arguments))
}
