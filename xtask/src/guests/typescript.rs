//! TypeScript: its compiler checks the types and strips them, and what is left is built as JavaScript is.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::workshop::Workshop;
use super::{EXAMPLES, Language, javascript, recipe};
use crate::tools::npm;

pub const LANGUAGE: Language = Language { name: "typescript", always: false, by_host: false, provide, build };

fn provide(workshop: &Workshop<'_>) -> Result<Vec<PathBuf>> {
    let mut folders = javascript::provide(workshop)?;
    folders.push(npm::provide(workshop.project, LANGUAGE.name)?);
    Ok(folders)
}

fn build(workshop: &Workshop<'_>) -> Result<()> {
    let javascript = workshop.project.root.join("guest-modules").join(javascript::LANGUAGE.name);
    let emitted = workshop.scratch().join("emitted");
    // The library is JavaScript; the compiler takes its types alone.
    recipe::stage(&javascript.join("sdk"), &emitted.join("javascript/sdk"))?;
    let packages = npm::folder(workshop.project, LANGUAGE.name);
    let mut compiler = Command::new("node");
    compiler.arg(packages.join("node_modules/typescript/bin/tsc"));
    compiler.arg("--project").arg(workshop.sources()).arg("--outDir").arg(&emitted);
    workshop.run(&mut compiler)?;
    for name in EXAMPLES {
        let entry = emitted.join("typescript").join(name).with_extension("js");
        javascript::componentize(workshop, name, &emitted, &entry)?;
    }
    Ok(())
}
