//! Everything that continuous integration checks, the quickest first.

use std::process::Command;

use anyhow::Result;

use crate::progress::Progress;
use crate::project::Project;
use crate::tools::works;
use crate::{binaries, demo, guests, java, tidy, tools, windows};

/// Long enough for messages before and after the host is ended, on a slow machine too.
const DEMO_SECONDS: u64 = 20;
const NO_WARNINGS: [&str; 3] = ["--", "-D", "warnings"];

/// Checks everything; stops at the first step that fails. With `all`, guest modules in every language are among it.
pub fn run(project: &Project, progress: &mut Progress, all: bool) -> Result<()> {
    let tools = tools::provide(project, progress)?;
    provide_components(project, progress)?;
    progress.step("tidy", "the repository's own rules", || tidy::check(project))?;
    check_formatting(project, progress)?;
    check_guests(project, progress)?;
    java::check(project, progress)?;
    windows::check(project, progress)?;
    check_programs(project, &tools, progress, all)?;
    check_orders(project, progress)?;
    try_out(project, progress)?;
    check_licences(project, progress)?;
    progress.summary();
    Ok(())
}

/// Lets a program find what was built before it.
pub fn name_what_was_built(project: &Project, command: &mut Command) {
    command.env("SANDGATE_BIN_DIR", project.programs()).env("SANDGATE_GUESTS", project.guests());
}

fn provide_components(project: &Project, progress: &mut Progress) -> Result<()> {
    let there = |component: &str| works(project.cargo().args([component, "--version"]));
    if there("fmt") && there("clippy") {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["component", "add", "rustfmt", "clippy"]).current_dir(&project.root);
    progress.command("components", "rustfmt and clippy", &mut rustup)
}

fn check_formatting(project: &Project, progress: &mut Progress) -> Result<()> {
    let check = ["fmt", "--all", "--check"];
    progress.command("format", "formatting of the programs", project.cargo().args(check))?;
    progress.command("format (guests)", "formatting of the guest modules", project.guest_cargo().args(check))
}

fn check_guests(project: &Project, progress: &mut Progress) -> Result<()> {
    let mut clippy = project.guest_cargo();
    clippy.arg("clippy").args(guests::rust::SELECTION).args(NO_WARNINGS);
    progress.command("lints (guests)", "clippy on the guest modules", &mut clippy)?;
    let mut clippy = project.guest_cargo();
    clippy.arg("clippy").args(guests::rust::HANDMADE).args(NO_WARNINGS);
    progress.command("lints (handmade)", "clippy on what writes the handmade fixtures", &mut clippy)?;
    let mut tests = project.guest_cargo();
    // Run on this machine, not in a sandbox: what they test is plain Rust, and link-time optimisation would
    // take longer than all of them.
    tests.args(["test", "--release", "--lib", "--package", "sandgate-module", "--package", "threshold"]);
    tests.args(["--config", "profile.release.lto=false"]);
    progress.command("tests (guests)", "unit tests of the guest modules", &mut tests)?;
    guests::rust::build(project, progress)
}

fn check_programs(project: &Project, tools: &tools::Tools, progress: &mut Progress, all: bool) -> Result<()> {
    let cargo = |arguments: &[&str]| {
        let mut cargo = project.cargo();
        tools.apply(cargo.args(arguments).args(["--release", "--workspace"]));
        name_what_was_built(project, &mut cargo);
        cargo
    };
    progress.command(
        "lints",
        "clippy on the programs (minutes, the first time)",
        cargo(&["clippy", "--all-targets"]).args(NO_WARNINGS),
    )?;
    binaries::build(project, tools, progress)?;
    guests::tested(project, progress, all)?;
    let mut tests = cargo(&["test"]);
    if all {
        tests.env("SANDGATE_LANGUAGES", "all");
    }
    progress.command("tests", "unit, property and end-to-end tests", &mut tests)?;
    progress.command(
        "documentation",
        "rustdoc, without warnings",
        cargo(&["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"),
    )
}

/// The rings in shared memory, in every order in which two threads can meet. Built by itself, with other flags.
fn check_orders(project: &Project, progress: &mut Progress) -> Result<()> {
    let mut tests = project.cargo();
    tests.args(["test", "--release", "--package", "sandgate-ring", "--test", "loom"]);
    tests.env("CARGO_TARGET_DIR", project.target.join("loom")).env("RUSTFLAGS", "--cfg loom -D warnings");
    progress.command("orders", "the rings, in every order of two threads", &mut tests)
}

/// The two programs that people run to see Sandgate at work: they must work whenever the tests do.
fn try_out(project: &Project, progress: &mut Progress) -> Result<()> {
    let mut bench = Command::new(project.programs().join("bench"));
    name_what_was_built(project, &mut bench);
    progress.command("bench --smoke", "a few messages of each benchmark", bench.arg("--smoke"))?;
    demo::run(project, progress, Some(DEMO_SECONDS))
}

fn check_licences(project: &Project, progress: &mut Progress) -> Result<()> {
    if !works(project.cargo().args(["deny", "--version"])) {
        progress
            .note("licences: skipped, for cargo-deny is not installed (`cargo install --locked cargo-deny`)");
        return Ok(());
    }
    let mut deny = project.cargo();
    deny.args(["deny", "--workspace", "check", "bans", "licenses", "sources"]);
    progress.command("licences", "licences and origins of the dependencies", &mut deny)
}
