//! Where things are.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The repository's folders, and the cargo to use in it.
pub struct Project {
    /// The repository.
    pub root: PathBuf,
    /// Cargo's target directory, wherever the user has it.
    pub target: PathBuf,
}

impl Project {
    /// Asks cargo for the folders.
    pub fn find() -> Result<Project> {
        // Set by `cargo run`; the other is for when the finished program is called by itself.
        let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").into());
        let metadata = metadata(Path::new(&manifest), &["--no-deps"])?;
        let folder = |key: &str| {
            let path = metadata[key].as_str().with_context(|| format!("cargo metadata names no {key}"))?;
            anyhow::Ok(PathBuf::from(path))
        };
        Ok(Project { root: folder("workspace_root")?, target: folder("target_directory")? })
    }

    /// Cargo, in the workspace of the programs.
    pub fn cargo(&self) -> Command {
        let mut cargo = Command::new(cargo());
        cargo.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        cargo
    }

    /// Cargo, in the workspace of the guest modules.
    pub fn guest_cargo(&self) -> Command {
        let mut cargo = Command::new(cargo());
        cargo.current_dir(self.guest_workspace()).env("CARGO_TARGET_DIR", self.guests());
        cargo
    }

    /// The workspace of the guest modules.
    pub fn guest_workspace(&self) -> PathBuf {
        self.root.join("guest-modules/rust")
    }

    /// Everything that is built of the guest modules; finished ones are in `modules` and `fixtures`.
    pub fn guests(&self) -> PathBuf {
        self.target.join("guests")
    }

    /// A finished guest module.
    pub fn module(&self, name: &str) -> PathBuf {
        self.guests().join("modules").join(name).with_extension("wasm")
    }

    /// The finished programs.
    pub fn programs(&self) -> PathBuf {
        self.target.join("release")
    }

    /// Tools that were fetched because the machine lacks them.
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// A path as a person at the root of the repository would write it.
    pub fn shown<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

/// What `cargo metadata` tells about the workspace at a folder.
pub fn metadata(folder: &Path, arguments: &[&str]) -> Result<Value> {
    let output = Command::new(cargo())
        .args(["metadata", "--format-version", "1"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .with_context(|| format!("cargo metadata cannot be run in {}", folder.display()))?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata did not answer with JSON")
}

fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or("cargo".into())
}
