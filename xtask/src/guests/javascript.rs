//! JavaScript, by the npm package `componentize-qjs`: the engine QuickJS with the module in it. Needs Node.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::workshop::Workshop;
use super::{EXAMPLES, Language, recipe, world};
use crate::tools::npm;

pub const LANGUAGE: Language = Language { name: "javascript", always: true, by_host: false, provide, build };

/// Provides what TypeScript needs too.
pub fn provide(workshop: &Workshop<'_>) -> Result<Vec<PathBuf>> {
    Ok(vec![npm::provide(workshop.project, LANGUAGE.name)?])
}

fn build(workshop: &Workshop<'_>) -> Result<()> {
    let sources = workshop.sources();
    for name in EXAMPLES {
        componentize(workshop, name, &sources, &sources.join(name).with_extension("js"))?;
    }
    Ok(())
}

/// Makes the component of an example of its entry file. What that imports has to be in the folder `root`.
pub fn componentize(workshop: &Workshop<'_>, name: &str, root: &Path, entry: &Path) -> Result<()> {
    let wit = workshop.project.root.join("wit");
    let packages = npm::folder(workshop.project, LANGUAGE.name);
    let mut command = Command::new("node");
    command.arg(packages.join("node_modules/componentize-qjs/cli.mjs"));
    // The host calls modules synchronously, and need not know the asynchronous component model.
    command.arg("--sync").arg("--wit").arg(&wit).args(["--world", world(name)]);
    command.arg("--module-root").arg(root).arg("--js").arg(entry);
    // Its four lines for each component say nothing that is not said at the end; errors go to standard error.
    command.stdout(std::process::Stdio::null());
    recipe::make(workshop, name, &[root.to_owned(), wit, packages.join(npm::LOCK)], &mut command)
}
