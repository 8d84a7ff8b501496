//! A `wasm-host` for the benchmark.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use rustix::process::Pid;
use sandgate_tests::programs::program;

/// The process. Dropping it ends it.
pub(crate) struct Host {
    pub(crate) child: Child,
}

impl Host {
    /// The arguments of a host with this configuration.
    pub(crate) fn arguments(configuration: &Path) -> [PathBuf; 2] {
        ["--config".into(), configuration.to_owned()]
    }

    /// Starts a host with these arguments. It ends when the benchmark ends, however that comes about.
    pub(crate) fn start(arguments: &[PathBuf]) -> Result<Self> {
        let program = program("wasm-host");
        let child = Command::new(&program)
            .args(arguments)
            .env("SANDGATE_LAUNCHED_BY", std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { child })
    }

    /// Its process. It is this process's child, so the number stays its own.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
