//! V1's JSON configuration, checked: everything that is wrong is reported at once.

mod cycles;
pub(crate) mod fault;
mod links;
mod loader;
mod modules;
pub(crate) mod reader;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandgate_wire::Address;
use serde_json::Value;

use crate::broker::Link;
use crate::builtin::Builtin;
pub use fault::{ConfigError, Fault, Place};
use reader::{Findings, Node};

/// How many messages a module's inbox holds unless `queue.capacity` says otherwise.
pub const QUEUE_CAPACITY: usize = 1024;

/// A checked configuration.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The modules, in the file's order. Names are unique.
    pub modules: Vec<ModuleConfig>,
    /// The links, in the file's order, with their policies decided.
    pub links: Vec<Link>,
    /// Unknown keys, in the lenient mode.
    pub warnings: Vec<Fault>,
    /// Decisions worth knowing: links on a cycle that got a policy.
    pub notes: Vec<Fault>,
}

/// One module.
#[derive(Clone, Debug)]
pub struct ModuleConfig {
    /// Its name.
    pub name: String,
    /// How many messages its inbox holds.
    pub queue_capacity: usize,
    /// What it is.
    pub kind: ModuleKind,
}

/// What a module is.
#[derive(Clone, Debug)]
pub enum ModuleKind {
    /// A module of the gateway's own.
    Builtin(Builtin),
    /// A module in another process.
    Outprocess(OutprocessConfig),
}

/// A module in another process: V1's `outprocess` entrypoint.
#[derive(Clone, Debug)]
pub struct OutprocessConfig {
    /// Address of the control channel (`control.id`), which the module host binds.
    pub control: Address,
    /// Address of the message channel (`message.id`); without it every attach makes one up.
    pub message: Option<Address>,
    /// How long to wait for a Reply before Create is sent again (`timeout`).
    pub timeout: Duration,
    /// The module's `args` as JSON text.
    pub arguments: String,
    /// The host to start, when `activation.type` is `launch`.
    pub launch: Option<LaunchConfig>,
}

/// A host process to start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LaunchConfig {
    /// The program. Without a `/` it is looked for beside the gateway's own program, then on `PATH`; a
    /// relative path with one is relative to the working directory, as in V1.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// How long it may take to exit after Destroy (`grace.period.ms`).
    pub grace: Duration,
}

impl Config {
    /// Reads and checks a file. `lenient` turns unknown keys into warnings, as V1 ignored them.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn load(file: &Path, lenient: bool) -> Result<Self, ConfigError> {
        let failed = |faults| ConfigError { file: file.to_owned(), faults };
        let bytes = fs::read(file).map_err(|error| {
            failed(vec![Fault::file(match error.kind() {
                ErrorKind::NotFound => "no such file; give the path of a gateway configuration".to_owned(),
                _ => format!("cannot be read: {error}"),
            })])
        })?;
        Self::parse(&bytes, lenient).map_err(failed)
    }

    /// Checks a configuration's bytes.
    ///
    /// # Errors
    /// Every fault, at least one.
    pub fn parse(bytes: &[u8], lenient: bool) -> Result<Self, Vec<Fault>> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = &bytes[..error.valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
            let text = "this byte is not UTF-8; save the file in UTF-8".to_owned();
            vec![Fault { place: Place::Position(line, column), text }]
        })?;
        // Windows editors put a byte order mark there, and V1's parser skipped it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let document: Value = serde_json::from_str(text).map_err(|error| {
            let place = Place::Position(error.line(), error.column());
            let text = error.to_string();
            // serde_json repeats the position in words.
            let text = text.split(" at line ").next().unwrap_or(&text);
            vec![Fault { place, text: format!("not JSON: {text}") }]
        })?;
        Self::check(&document, lenient)
    }

    /// Checks a configuration that is JSON already.
    ///
    /// # Errors
    /// Every fault, at least one.
    pub fn check(document: &Value, lenient: bool) -> Result<Self, Vec<Fault>> {
        let findings = Findings::new(lenient);
        let (modules, links, notes) = read(&Node::root(document, &findings));
        let (faults, warnings) = findings.into_parts();
        if faults.is_empty() { Ok(Self { modules, links, warnings, notes }) } else { Err(faults) }
    }
}

/// Reads the document as far as it can be read; the findings say whether the result can be used.
fn read(root: &Node<'_>) -> (Vec<ModuleConfig>, Vec<Link>, Vec<Fault>) {
    let Some(top) = root.object() else { return Default::default() };
    let loaders = loader::Loaders::read(top.optional("loaders"));
    let modules = top.required("modules", "write `\"modules\": []` for none").and_then(|node| node.array());
    let links = top.required("links", "write `\"links\": []` for none").and_then(|node| node.array());
    top.finish();
    let (modules, names) = modules::read(&modules.unwrap_or_default(), &loaders);
    let (links, notes) = links::read(&links.unwrap_or_default(), &names);
    (modules, links, notes)
}

#[cfg(test)]
mod tests;
