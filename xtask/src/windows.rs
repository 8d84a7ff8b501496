//! What of Sandgate is for Windows too: the codecs, and reading a configuration. Checked, not run.

use std::process::Command;

use anyhow::Result;

use crate::progress::Progress;
use crate::project::Project;
use crate::tools::works;

const TARGET: &str = "x86_64-pc-windows-gnu";
/// The libraries that have code for it. No program has.
const PACKAGES: [&str; 2] = ["sandgate-wire", "sandgate-gateway"];

/// Compiles the codecs and the configuration for Windows, if its standard library can be had; if not, says so, which
/// is no failure.
pub fn check(project: &Project, progress: &mut Progress) -> Result<()> {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).current_dir(&project.root);
    if !works(&mut rustup) {
        progress.note(&format!("windows: skipped, for `rustup target add {TARGET}` does not work here"));
        return Ok(());
    }
    // Crates that only a program for Windows needs; the others are there by now.
    if !works(project.cargo().args(["fetch", "--target", TARGET])) {
        progress.note("windows: skipped, for the crates that are needed there alone cannot be fetched");
        return Ok(());
    }
    let mut cargo = project.cargo();
    cargo.args(["check", "--release", "--lib", "--target", TARGET]);
    cargo.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    cargo.env("RUSTFLAGS", "-D warnings");
    progress.command("windows", "the codecs and the configuration, for Windows", &mut cargo)
}
