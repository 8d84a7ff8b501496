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

use std::time::{Duration, Instant};

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
    build(project, progress, |language| language.always, Missing::IsLeftOut)
}

/// Builds what is to be tested besides Rust: what is always built, what was built before, for its toolchain is there, or
/// all. Says which languages are left out. Needs `wasm-host`.
pub fn tested(project: &Project, progress: &mut Progress, all: bool) -> Result<()> {
    if all {
        return build(project, progress, |_| true, Missing::IsAFailure);
    }
    let was_built =
        |language: &Language| Workshop::of(project, language.name).component(EXAMPLES[0]).is_file();
    let is_tested = |language: &Language| language.always || was_built(language);
    let left_out: Vec<_> = LANGUAGES.iter().filter(|&language| !is_tested(language)).collect();
    for Language { name, .. } in left_out {
        progress.note(&format!(
            "{name}: left out; `cargo xtask guests {name}` builds it, `test --all` tests all"
        ));
    }
    build(project, progress, is_tested, Missing::IsLeftOut)
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
    if names.is_empty() {
        binaries::build(project, tools, progress)?;
        return always(project, progress);
    }
    if LANGUAGES.iter().any(|language| language.by_host && is_named(language.name)) {
        binaries::build(project, tools, progress)?;
    }
    build(project, progress, |language| is_named(language.name), Missing::IsAFailure)
}

/// What it means that a language's toolchain cannot be had.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Missing {
    /// It was asked for.
    IsAFailure,
    /// It would have been welcome.
    IsLeftOut,
}

/// Builds languages one after the other. One that fails does not keep the others from being built.
fn build(
    project: &Project,
    progress: &mut Progress,
    is_wanted: impl Fn(&Language) -> bool,
    missing: Missing,
) -> Result<()> {
    let (mut failures, mut table) = (Vec::new(), Vec::new());
    for language in LANGUAGES.iter().filter(|&language| is_wanted(language)) {
        let name = language.name;
        let workshop = Workshop::open(project, name)?;
        let provided = progress.step(name, &format!("the toolchain for {name}"), || {
            let start = Instant::now();
            let folders = (language.provide)(&workshop)?;
            Ok((start.elapsed(), tools::megabytes(&folders)?))
        });
        let toolchain = match provided {
            Ok(toolchain) => toolchain,
            Err(error) => {
                progress.note(&format!("{name}: left out, for its toolchain is not to be had: {error:#}"));
                if missing == Missing::IsAFailure {
                    failures.push(name);
                }
                continue;
            }
        };
        match build_one(&workshop, progress, language, toolchain) {
            Ok(row) => table.push(row),
            Err(error) => {
                progress.note(&format!("{name}: not built: {error:#}"));
                failures.push(name);
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

/// Builds the examples of one language, whose toolchain is there, and tells what that took.
fn build_one(
    workshop: &Workshop<'_>,
    progress: &mut Progress,
    Language { name, build, .. }: &Language,
    (time, megabytes): (Duration, u64),
) -> Result<String> {
    let start = Instant::now();
    progress.step(name, &format!("the example modules in {name}"), || build(workshop))?;
    let (toolchain, modules) = (seconds(time), seconds(start.elapsed()));
    let sizes = workshop.sizes()?;
    Ok(format!("{name:<12} toolchain: {toolchain}, {megabytes} MB; modules: {modules}, {sizes}"))
}
