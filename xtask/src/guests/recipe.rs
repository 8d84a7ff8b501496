//! What a component was made of: it is not made again of the same, for some languages take their time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::workshop::Workshop;
use crate::progress::shown;

/// Makes a component with a command, which gets `-o FILE` at its end, unless the component is there and was made by
/// the same command of the same files. `sources` are files, and folders with all that is in them.
pub fn make(workshop: &Workshop<'_>, name: &str, sources: &[PathBuf], command: &mut Command) -> Result<()> {
    let component = workshop.component(name);
    let record = workshop.scratch().join(name).with_extension("recipe");
    let recipe = recipe(command, sources)?;
    if component.is_file() && fs::read(&record).is_ok_and(|old| old == recipe) {
        return Ok(());
    }
    let unfinished = workshop.scratch().join(name).with_extension("wasm");
    workshop.run(command.arg("-o").arg(&unfinished))?;
    fs::rename(&unfinished, &component)
        .with_context(|| format!("{} cannot be written", component.display()))?;
    fs::write(&record, recipe).with_context(|| format!("{} cannot be written", record.display()))
}

/// The command and the files as they are: small enough to be kept whole, and compared without a digest.
fn recipe(command: &Command, sources: &[PathBuf]) -> Result<Vec<u8>> {
    let mut recipe = shown(command).into_bytes();
    for path in files(sources)? {
        recipe.extend(format!("\n{}\n", path.display()).into_bytes());
        recipe.extend(fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?);
    }
    Ok(recipe)
}

/// Copies files, and folders with all that is in them, into a folder that holds nothing else afterwards.
pub fn stage(sources: &Path, folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    for path in files(&[sources.to_owned()])? {
        let to = folder.join(path.strip_prefix(sources)?);
        fs::create_dir_all(to.parent().unwrap_or(folder))?;
        fs::copy(&path, &to).with_context(|| format!("{} cannot be written", to.display()))?;
    }
    Ok(())
}

fn files(sources: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut waiting = sources.to_vec();
    let mut files = Vec::new();
    while let Some(path) = waiting.pop() {
        if !path.is_dir() {
            files.push(path);
            continue;
        }
        for entry in fs::read_dir(&path).with_context(|| format!("{} cannot be read", path.display()))? {
            let path = entry?.path();
            if !path.ends_with("node_modules") && !path.ends_with("__pycache__") {
                waiting.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
