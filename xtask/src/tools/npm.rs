//! Packages of npm that a language's `package-lock.json` pins with their digests: installed into the target directory.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::works;
use crate::progress::run;
use crate::project::Project;

/// What says which packages, and is kept with them.
pub const LOCK: &str = "package-lock.json";

/// Where the packages of a language are.
pub fn folder(project: &Project, language: &str) -> PathBuf {
    project.tools().join("npm").join(language)
}

/// Installs what `guest-modules/LANGUAGE/package-lock.json` says, unless an earlier call did, and returns the folder.
pub fn provide(project: &Project, language: &str) -> Result<PathBuf> {
    for program in ["node", "npm"] {
        if !works(Command::new(program).arg("--version")) {
            bail!(
                "there is no `{program}`: install Node 20 or newer, on Debian with `apt install nodejs npm`"
            );
        }
    }
    let sources = project.root.join("guest-modules").join(language);
    let lock = fs::read(sources.join(LOCK)).with_context(|| format!("{language} has no {LOCK}"))?;
    let folder = folder(project, language);
    if fs::read(folder.join(LOCK)).is_ok_and(|installed| installed == lock) {
        return Ok(folder);
    }
    // Installed beside its place and moved there whole: what was interrupted is never taken for finished.
    let unfinished = folder.with_extension("unfinished");
    for leftover in [&folder, &unfinished] {
        if leftover.exists() {
            fs::remove_dir_all(leftover)
                .with_context(|| format!("{} is in the way and cannot be removed", leftover.display()))?;
        }
    }
    fs::create_dir_all(&unfinished)?;
    for file in ["package.json", LOCK] {
        fs::copy(sources.join(file), unfinished.join(file))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    run(language, npm.current_dir(&unfinished)).with_context(|| {
        format!("the packages in {} cannot be fetched", project.shown(&sources.join(LOCK)))
    })?;
    fs::rename(&unfinished, &folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder)
}
