//! Builds the guest modules: those in Rust with the fixtures, and the same examples in other languages.
//!
//! A language is a file here and an entry in [`LANGUAGES`]. Its components go to
//! `target/guests/languages/LANGUAGE/NAME.wasm`.

mod c;
mod cpp;
mod go;
mod javascript;
mod python;
mod recipe;
pub mod rust;
mod typescript;
mod workshop;
mod zig;

use std::time::Instant;

use anyhow::{Result, bail};

use crate::binaries;
use crate::progress::{Progress, seconds};
use crate::project::Project;
use crate::tools::{self, Tools};
use workshop::Workshop;

/// The examples that every language has.
const EXAMPLES: [&str; 3] = ["annotate", "threshold", "sampler"];

/// The world that an example is built for.
fn world(example: &str) -> &'static str {
    if example == "sampler" { "gateway-module-timers" } else { "gateway-module" }
}

/// A language besides Rust.
struct Language {
    /// Its name, which is that of its folder in `guest-modules`.
    name: &'static str,
    /// Built without being named.
    always: bool,
    /// `wasm-host` makes its components, and so has to be built before.
    by_host: bool,
    /// Provides the toolchain, and gives the folders of it that were fetched. An error leaves the language out.
    provide: fn(&Workshop<'_>) -> Result<Vec<std::path::PathBuf>>,
    /// Builds the examples.
    build: fn(&Workshop<'_>) -> Result<()>,
}

const LANGUAGES: [Language; 7] = [
    c::LANGUAGE,
    cpp::LANGUAGE,
    zig::LANGUAGE,
    go::LANGUAGE,
    javascript::LANGUAGE,
    typescript::LANGUAGE,
    python::LANGUAGE,
];

const RUST: &str = "rust";

/// Builds what is always built besides Rust. Needs `wasm-host`.
pub fn always(project: &Project, progress: &mut Progress) -> Result<()> {
    let languages: Vec<_> = LANGUAGES.iter().filter(|language| language.always).collect();
    build(project, progress, &languages)
}

/// Builds the languages that are named, or what is always built, and before that what they need.
pub fn chosen(project: &Project, tools: &Tools, progress: &mut Progress, names: &[String]) -> Result<()> {
    let unknown =
        names.iter().find(|name| *name != RUST && !LANGUAGES.iter().any(|language| language.name == **name));
    if let Some(name) = unknown {
        let known: Vec<_> = LANGUAGES.iter().map(|language| language.name).collect();
        bail!("there are no guest modules in `{name}`; there are {RUST}, {}", known.join(", "));
    }
    let is_named = |name: &str| names.iter().any(|named| named == name);
    if names.is_empty() || is_named(RUST) {
        rust::build(project, progress)?;
    }
    let is_chosen =
        |language: &&Language| if names.is_empty() { language.always } else { is_named(language.name) };
    let languages: Vec<_> = LANGUAGES.iter().filter(is_chosen).collect();
    if languages.iter().any(|language| language.by_host) {
        binaries::build(project, tools, progress)?;
    }
    build(project, progress, &languages)
}

/// Builds languages one after the other. One that fails does not keep the others from being built.
fn build(project: &Project, progress: &mut Progress, languages: &[&Language]) -> Result<()> {
    let mut failures = Vec::new();
    let mut table = Vec::new();
    for language in languages {
        match build_one(project, progress, language) {
            Ok(row) => table.push(row),
            Err(error) => {
                progress.note(&format!("{}: left out: {error:#}", language.name));
                failures.push(language.name);
            }
        }
    }
    for row in table {
        progress.note(&row);
    }
    if !failures.is_empty() {
        bail!("not built: {}; the reasons stand above", failures.join(", "));
    }
    Ok(())
}

/// Builds the examples of one language and tells what that took.
fn build_one(project: &Project, progress: &mut Progress, language: &Language) -> Result<String> {
    let Language { name, provide, build, .. } = language;
    let workshop = Workshop::open(project, name)?;
    let (start, mut provided) = (Instant::now(), None);
    progress.step(name, &format!("the example modules in {name}, and its toolchain"), || {
        let folders = provide(&workshop)?;
        provided = Some((start.elapsed(), tools::megabytes(&folders)?));
        build(&workshop)
    })?;
    let (time, megabytes) = provided.unwrap_or_default();
    Ok(format!(
        "{name:<12} toolchain: {}, {megabytes} MB; modules: {}, {}",
        seconds(time),
        seconds(start.elapsed() - time),
        workshop.sizes()?,
    ))
}
