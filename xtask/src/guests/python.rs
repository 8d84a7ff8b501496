//! Python, by the wheel `componentize-py`: CPython and its library with the module in them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::workshop::Workshop;
use super::{EXAMPLES, Language, recipe, world};
use crate::tools::requirements;

pub const LANGUAGE: Language = Language { name: "python", always: false, by_host: false, provide, build };

const TOOLCHAIN: &str = "componentize-py";

fn provide(workshop: &Workshop<'_>) -> Result<Vec<PathBuf>> {
    Ok(vec![requirements::provide(
        workshop.project,
        TOOLCHAIN,
        &workshop.sources().join("requirements.txt"),
    )?])
}

fn build(workshop: &Workshop<'_>) -> Result<()> {
    let wit = workshop.project.root.join("wit");
    let packages = requirements::folder(workshop.project, TOOLCHAIN);
    // Python writes its bytecode beside the sources, and the repository is no place for that.
    let staged = workshop.scratch().join("staged");
    recipe::stage(&workshop.sources(), &staged)?;
    for name in EXAMPLES {
        let mut command = Command::new(packages.join("bin").join(TOOLCHAIN));
        command.env("PYTHONPATH", &packages).arg("--quiet").arg("--wit-path").arg(&wit);
        command.args(["--world", &format!("sandgate:gateway/{}", world(name))]);
        command.arg("componentize").arg("--python-path").arg(&staged).arg(name);
        recipe::make(workshop, name, &[workshop.sources(), wit.clone()], &mut command)?;
    }
    Ok(())
}
