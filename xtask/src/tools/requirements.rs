//! Python packages that a `requirements.txt` pins with their digests: installed with pip into the target directory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::wheel::python_with_pip;
use crate::progress::run;
use crate::project::Project;

/// Where packages are that are kept under this name.
pub fn folder(project: &Project, name: &str) -> PathBuf {
    project.tools().join(name)
}

/// Installs the packages, unless an earlier call did, and returns the folder, which is one for `PYTHONPATH`.
pub fn provide(project: &Project, name: &str, requirements: &Path) -> Result<PathBuf> {
    let folder = folder(project, name);
    let record = Path::new("requirements.txt");
    let wanted =
        fs::read(requirements).with_context(|| format!("{} cannot be read", requirements.display()))?;
    if fs::read(folder.join(record)).is_ok_and(|installed| installed == wanted) {
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
    let mend = "install Python 3.9 or newer with pip or venv, and let this command fetch it";
    let mut pip = python_with_pip(project).with_context(|| format!("{name} is missing: {mend}"))?;
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"])
        .arg("--target")
        .arg(&unfinished)
        .envs([("PIP_DISABLE_PIP_VERSION_CHECK", "1"), ("PIP_ROOT_USER_ACTION", "ignore")])
        .arg("--requirement")
        .arg(requirements);
    run(name, &mut pip).with_context(|| format!("{name} cannot be fetched: {mend}"))?;
    fs::write(unfinished.join(record), wanted)?;
    fs::rename(&unfinished, &folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder)
}
