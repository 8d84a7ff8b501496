//! Where the programs and the guest modules are, and how a test starts them.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::process::Process;
use crate::scratch::Scratch;

/// The repository's root.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The search path with the programs of this repository before all others.
///
/// # Panics
/// They have not been built, or there is no search path.
#[must_use]
pub fn with_programs() -> OsString {
    let programs = program("wasm-host").parent().unwrap().to_owned();
    let others = env::var_os("PATH").unwrap();
    env::join_paths([programs].into_iter().chain(env::split_paths(&others))).unwrap()
}

/// One of the programs.
///
/// # Panics
/// It has not been built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let directory = directory("SANDGATE_BIN_DIR", "target/release");
    existing(directory.join(name), "run `cargo build --release`, or set SANDGATE_BIN_DIR to where it is")
}

/// A guest module, such as `modules/annotate` or `fixtures/trap_receive`.
///
/// # Panics
/// It has not been built.
#[must_use]
pub fn guest(name: &str) -> PathBuf {
    existing(
        guests().join(format!("{name}.wasm")),
        "run `cargo xtask guests`, or set SANDGATE_GUESTS to where its folder is",
    )
}

/// Where the guest modules are.
#[must_use]
pub fn guests() -> PathBuf {
    directory("SANDGATE_GUESTS", "target/guests")
}

fn directory(variable: &str, default: &str) -> PathBuf {
    env::var_os(variable).map_or_else(|| workspace().join(default), PathBuf::from)
}

fn existing(path: PathBuf, mend: &str) -> PathBuf {
    assert!(path.is_file(), "there is no {}; {mend}", path.display());
    path
}

/// A program with the environment that every test gives it: nothing of the user's own, and temporary files
/// in the test's directory.
#[must_use]
pub fn command(scratch: &Scratch, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(scratch.path())
        .env("TMPDIR", scratch.path())
        .env("XDG_CACHE_HOME", workspace().join("target/tmp/end-to-end-cache"))
        .env_remove("RUST_LOG")
        // Where cargo builds what the tests belong to is not where it builds what they make.
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("SANDGATE_LAUNCHED_BY")
        .env_remove("SANDGATE_LINK_FD");
    command
}

/// Starts a gateway with this configuration.
#[must_use]
pub fn gateway(scratch: &Scratch, configuration: &Value) -> Process {
    let file = scratch.configuration(configuration);
    Process::start(command(scratch, program("gateway")).arg(file))
}

/// Starts a gateway and waits until its modules run.
#[must_use]
pub fn running_gateway(scratch: &Scratch, configuration: &Value) -> Process {
    running_gateway_with(scratch, configuration, &[])
}

/// Starts a gateway with further options, and waits until its modules run.
#[must_use]
pub fn running_gateway_with(scratch: &Scratch, configuration: &Value, options: &[&str]) -> Process {
    let file = scratch.configuration(configuration);
    let gateway = Process::start(command(scratch, program("gateway")).args(options).arg(file));
    gateway.wait_for_line("gateway running");
    gateway
}

/// Starts a host with a guest module, and with further options.
#[must_use]
pub fn wasm_host(scratch: &Scratch, control: &str, guest_name: &str, options: &[&str]) -> Process {
    let mut command = command(scratch, program("wasm-host"));
    Process::start(command.args(["--control", control]).args(options).arg(guest(guest_name)))
}

/// Starts a host and waits until its control channel is bound.
#[must_use]
pub fn waiting_host(scratch: &Scratch, control: &str, guest_name: &str, options: &[&str]) -> Process {
    let host = wasm_host(scratch, control, guest_name, options);
    host.wait_for_line("waiting for a gateway");
    host
}
