//! Builds the guest modules and puts them where everything else looks for them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::progress::{Progress, run};
use crate::project::Project;

/// The arguments that choose everything that becomes a component.
pub const SELECTION: [&str; 6] =
    ["--release", "--target", "wasm32-wasip2", "--workspace", "--lib", "--examples"];

/// Builds all guest modules, the fixtures too.
pub fn build(project: &Project, progress: &mut Progress) -> Result<()> {
    progress.step("guest modules", "compiling them to WebAssembly components", || {
        run("guest modules", project.guest_cargo().arg("build").args(SELECTION))?;
        let built = project.guests().join("wasm32-wasip2/release");
        collect(&built, &project.guests().join("modules"))?;
        collect(&built.join("examples"), &project.guests().join("fixtures"))
    })?;
    for folder in ["modules", "fixtures"] {
        let folder = project.guests().join(folder);
        progress.note(&format!("{}: {}", project.shown(&folder), names(&folder)?.join(", ")));
    }
    Ok(())
}

/// Copies the components of one folder to another and removes what is there of modules that are no more.
fn collect(built: &Path, finished: &Path) -> Result<()> {
    fs::create_dir_all(finished).with_context(|| format!("{} cannot be made", finished.display()))?;
    let names = names(built)?;
    if names.is_empty() {
        bail!("cargo left no components in {}", built.display());
    }
    for old in self::names(finished)? {
        if !names.contains(&old) {
            fs::remove_file(finished.join(&old).with_extension("wasm"))?;
        }
    }
    for name in &names {
        let from = built.join(name).with_extension("wasm");
        let to = finished.join(name).with_extension("wasm");
        copy_if_changed(&from, &to).with_context(|| format!("{} cannot be written", to.display()))?;
    }
    Ok(())
}

/// Leaves equal files alone, and swaps others in whole: a host may be reading the old one.
fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from)?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let unfinished = to.with_extension("unfinished");
    fs::write(&unfinished, bytes)?;
    Ok(fs::rename(unfinished, to)?)
}

/// The names of a folder's components. Cargo's own names for examples, with a hash behind a hyphen, are left out.
fn names(folder: &Path) -> Result<Vec<String>> {
    let files = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        if let (Some(stem), Some("wasm")) =
            (path.file_stem().and_then(|stem| stem.to_str()), path.extension().and_then(|end| end.to_str()))
            && !stem.contains('-')
        {
            names.push(stem.to_owned());
        }
    }
    names.sort();
    Ok(names)
}
