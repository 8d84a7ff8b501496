//! What building needs: looked for, and fetched into the target directory where it is missing.
//!
//! Nothing is installed system-wide, and nothing is fetched when all is there: then a build works offline.

pub mod npm;
pub mod requirements;
pub mod wheel;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::progress::{Progress, run};
use crate::project::Project;
use wheel::Wheel;

const WASM_TARGET: &str = "wasm32-wasip2";

const CMAKE: Wheel = Wheel {
    name: "cmake",
    version: "3.31.10",
    binary: "cmake/data/bin/cmake",
    ask: "--version",
    instead: "install cmake with your package manager (on Debian: `apt install cmake`)",
};
const NINJA: Wheel = Wheel {
    name: "ninja",
    version: "1.13.0",
    binary: "bin/ninja",
    ask: "--version",
    instead: "install make with your package manager (on Debian: `apt install make`)",
};

/// What was found or fetched, as environment variables for cargo and what it calls.
pub struct Tools {
    environment: Vec<(&'static str, OsString)>,
}

impl Tools {
    /// Lets a command find the tools.
    pub fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(self.environment.iter().map(|(key, value)| (key, value)))
    }
}

/// Provides everything.
pub fn provide(project: &Project, progress: &mut Progress) -> Result<Tools> {
    provide_target(project, progress)?;
    progress.step("tools", "a C compiler, CMake and what it drives", || {
        find_c_compiler()?;
        let mut environment = Vec::new();
        if env::var_os("CMAKE").is_none() && !works(Command::new("cmake").arg("--version")) {
            environment.push(("CMAKE", CMAKE.provide(project)?.into()));
        }
        // CMake on Unix writes makefiles unless it is told otherwise.
        let generator_is_chosen = env::var_os("CMAKE_GENERATOR").is_some();
        if !generator_is_chosen && !["make", "gmake"].iter().any(|make| works(Command::new(make).arg("-v"))) {
            if !works(Command::new("ninja").arg("--version")) {
                environment.push(("PATH", with_first_on_path(&NINJA.provide(project)?)?));
            }
            environment.push(("CMAKE_GENERATOR", "Ninja".into()));
        }
        Ok(Tools { environment })
    })
}

/// Provides the target that guest modules are compiled for.
pub fn provide_target(project: &Project, progress: &mut Progress) -> Result<()> {
    progress.step("target", &format!("the Rust target {WASM_TARGET}"), || {
        if has_target(project)? {
            return Ok(());
        }
        let mut rustup = Command::new("rustup");
        rustup.args(["target", "add", WASM_TARGET]).current_dir(&project.root);
        run("target", &mut rustup).with_context(|| {
            format!(
                "this toolchain has no target {WASM_TARGET}: install Rust with rustup (https://rustup.rs), \
                 or your distribution's package of the standard library for {WASM_TARGET}"
            )
        })
    })
}

fn has_target(project: &Project) -> Result<bool> {
    let rustc = env::var_os("RUSTC").unwrap_or("rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", WASM_TARGET])
        .current_dir(&project.root)
        .output()
        .context("`rustc` cannot be run: install Rust with rustup (https://rustup.rs)")?;
    let folder = String::from_utf8_lossy(&output.stdout);
    Ok(output.status.success() && fs::read_dir(folder.trim()).is_ok_and(|mut files| files.next().is_some()))
}

fn find_c_compiler() -> Result<()> {
    let compiler = env::var_os("CC").unwrap_or("cc".into());
    if works(Command::new(&compiler).arg("--version")) {
        return Ok(());
    }
    bail!(
        "there is no C compiler (`{}` does not run): install one, on Debian with `apt install gcc libc6-dev`, \
         or name it in the variable CC",
        compiler.display()
    )
}

/// The search path with the folder of this program before all others.
fn with_first_on_path(program: &Path) -> Result<OsString> {
    let folder = program.parent().map(Path::to_owned);
    let others = env::var_os("PATH").unwrap_or_default();
    env::join_paths(folder.into_iter().chain(env::split_paths(&others)))
        .context("the target directory's name cannot stand in PATH: choose one without a colon")
}

/// How many megabytes folders hold, whole ones.
pub fn megabytes(folders: &[PathBuf]) -> Result<u64> {
    let mut bytes = 0;
    let mut folders = folders.to_vec();
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let metadata = entry.metadata()?;
            match metadata.is_dir() {
                true => folders.push(entry.path()),
                false => bytes += metadata.len(),
            }
        }
    }
    Ok(bytes.div_ceil(1_000_000))
}

/// Whether a command exists and succeeds.
pub fn works(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
