//! Builds the guest modules in Rust, the fixtures too, and puts them where everything else looks for them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::progress::{Progress, run};
use crate::project::Project;

/// The arguments that choose everything that becomes a component.
pub const SELECTION: [&str; 6] =
    ["--release", "--target", "wasm32-wasip2", "--workspace", "--lib", "--examples"];

/// The program of this machine that writes the fixtures which no compiler of Rust makes.
pub const HANDMADE: [&str; 2] = ["--package", "handmade"];

/// Builds all of them.
pub fn build(project: &Project, progress: &mut Progress) -> Result<()> {
    progress.step("guest modules", "compiling them to WebAssembly components", || {
        run("guest modules", project.guest_cargo().arg("build").args(SELECTION))?;
        let built = project.guests().join("wasm32-wasip2/release");
        let handmade = project.guests().join("handmade");
        let mut write = project.guest_cargo();
        write.args(["run", "--quiet"]).args(HANDMADE).arg("--").arg(&handmade);
        run("handmade fixtures", &mut write)?;
        collect(&[&built], &project.guests().join("modules"))?;
        collect(&[&built.join("examples"), &handmade], &project.guests().join("fixtures"))
    })?;
    for folder in ["modules", "fixtures"] {
        let folder = project.guests().join(folder);
        progress.note(&format!("{}: {}", project.shown(&folder), names(&folder)?.join(", ")));
    }
    Ok(())
}

/// Copies the components of some folders to another and removes what is there of modules that are no more.
fn collect(built: &[&Path], finished: &Path) -> Result<()> {
    fs::create_dir_all(finished).with_context(|| format!("{} cannot be made", finished.display()))?;
    let mut collected = Vec::new();
    for folder in built {
        let names = names(folder)?;
        if names.is_empty() {
            bail!("no components were left in {}", folder.display());
        }
        for name in &names {
            let from = folder.join(name).with_extension("wasm");
            let to = finished.join(name).with_extension("wasm");
            copy_if_changed(&from, &to).with_context(|| format!("{} cannot be written", to.display()))?;
        }
        collected.extend(names);
    }
    for old in names(finished)? {
        if !collected.contains(&old) {
            fs::remove_file(finished.join(&old).with_extension("wasm"))?;
        }
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
