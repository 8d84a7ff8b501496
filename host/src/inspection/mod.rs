//! What can be known of a module without running it: read from its file, whoever made that, within bounds.

mod reading;
mod table;

use std::path::Path;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::bindings::{ENCODED_HANDLER, MODULE, TIMER_HANDLER, WORLD, WORLD_WITH_TIMERS};
use crate::engine::Engine;
use crate::limits::Limits;
use crate::module::{self, LoadError, Module, hexadecimal};

/// What is told of a module's file.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// The file.
    pub file: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of the file, as verdicts have it.
    pub digest: String,
    /// What the file is.
    pub kind: FileKind,
    /// The world of the contract; none for a component of another world.
    pub world: Option<String>,
    /// The interfaces of the contract that it exports and need not.
    pub optional_interfaces: Vec<String>,
    /// What it imports, and what comes of that here.
    pub imports: Vec<Import>,
    /// Imports that are left out of the list, because there are too many; likewise below.
    pub imports_left_out: u64,
    /// What it exports.
    pub exports: Vec<String>,
    /// Exports that are left out.
    pub exports_left_out: u64,
    /// Core modules in it.
    pub core_modules: u64,
    /// The memories that its core modules define, in bytes.
    pub memories: Vec<Extent>,
    /// Memories that are left out.
    pub memories_left_out: u64,
    /// The tables that its core modules define, in elements.
    pub tables: Vec<Extent>,
    /// Tables that are left out.
    pub tables_left_out: u64,
    /// Languages and tools, as the file itself says.
    pub producers: Vec<Producer>,
    /// Producers that are left out.
    pub producers_left_out: u64,
    /// Custom sections, those of one name together.
    pub custom_sections: Vec<CustomSection>,
    /// Custom sections that are left out.
    pub custom_sections_left_out: u64,
    /// Why the file could not be read to its end.
    pub broken: Option<String>,
    /// Whether this host can load it.
    pub loading: Loading,
}

/// What a file is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A component.
    Component,
    /// A core module, of which a component can be made.
    CoreModule,
    /// Something else.
    NoWebassembly,
}

/// An import.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Import {
    /// Its name.
    pub name: String,
    /// What the module gets.
    pub access: Access,
    /// What that means.
    pub meaning: &'static str,
}

/// What a module gets of an import.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// It works.
    Given,
    /// It works where a gateway's configuration grants it.
    ByGrant,
    /// It is there, and there is nothing in it or every use is refused.
    Empty,
    /// This host does not have it, so the module cannot be loaded.
    NotOffered,
}

/// A memory or a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Extent {
    /// At the beginning.
    pub initial: u64,
    /// At most; none where the module says nothing.
    pub maximum: Option<u64>,
}

/// A language, library or tool that had to do with the file.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Producer {
    /// `language`, `sdk` or `processed-by`.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its version, which may be empty.
    pub version: String,
}

/// Custom sections of one name.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CustomSection {
    /// The name.
    pub name: String,
    /// How many there are, in the component and in what is in it.
    pub count: u64,
    /// Their size in bytes, together.
    pub size: u64,
}

/// Whether this host can load a module.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loading {
    /// It was not tried.
    NotTried,
    /// It can; this is what an instance takes.
    Loads(Requirements),
    /// It cannot, for this reason.
    Refused(String),
}

/// What an instance takes at its beginning.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Requirements {
    /// Memories.
    pub memories: u32,
    /// The largest of them, in bytes.
    pub largest_memory: Option<u64>,
    /// Tables.
    pub tables: u32,
    /// The largest of them, in elements.
    pub largest_table: Option<u64>,
    /// Why no place in the pool can hold it, and it is allocated on demand; none where one can.
    pub beyond_pool: Option<String>,
}

impl Inspection {
    /// Reads a file of up to `max-component-size` bytes. Nothing of it is run or compiled.
    ///
    /// # Errors
    /// The file cannot be read, or is too large.
    pub fn read(path: &Path, limits: &Limits) -> Result<Self, LoadError> {
        let binary = module::read(path, limits)?;
        let mut inspection = Self::of_bytes(&binary);
        inspection.file = path.display().to_string();
        Ok(inspection)
    }

    /// Has this host load the file, which compiles it within the limits, and remembers how that went.
    pub fn try_to_load(&mut self, engine: &Engine, path: &Path, limits: &Limits) {
        self.loading = match Module::load(engine, path, limits) {
            Ok(module) => Loading::Loads(module.requirements()),
            Err(error) => Loading::Refused(error.to_string()),
        };
    }

    fn of_bytes(binary: &[u8]) -> Self {
        let mut inspection = reading::read(binary);
        inspection.size = binary.len() as u64;
        inspection.digest = hexadecimal(&Sha256::digest(binary));
        let exports = |name: &str| inspection.exports.iter().any(|export| export == name);
        let optional: Vec<_> = [TIMER_HANDLER, ENCODED_HANDLER]
            .into_iter()
            .filter(|name| exports(name))
            .map(str::to_owned)
            .collect();
        inspection.world = match (exports(MODULE), exports(TIMER_HANDLER)) {
            (false, _) => None,
            (true, false) => Some(WORLD.to_owned()),
            (true, true) => Some(WORLD_WITH_TIMERS.to_owned()),
        };
        inspection.optional_interfaces = optional;
        inspection
    }

    /// The document, in several lines.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings and numbers alone: nothing in it can fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// What an import means to a module here.
fn meaning(name: &str) -> (Access, &'static str) {
    // Without the version: those of WASI differ by toolchain, and are all served.
    let interface = name.split('@').next().unwrap_or_default();
    let (package, interface) = interface.split_once('/').unwrap_or((interface, ""));
    match (package, interface) {
        ("sandgate:gateway", "types") => (Access::Given, "the types of the others"),
        ("sandgate:gateway", "broker") => (Access::Given, "publishing messages"),
        ("sandgate:gateway", "encoded-broker") => {
            (Access::Given, "publishing messages in their encoded form")
        }
        ("sandgate:gateway", "encoded-deliveries") => {
            (Access::Given, "answering encoded messages, for modules that export encoded-handler")
        }
        ("sandgate:gateway", "log") => (Access::Given, "lines in the host's log"),
        ("sandgate:gateway", "timers") => (Access::Given, "timers, for modules that export timer-handler"),
        ("sandgate:gateway", "segments") => {
            (Access::ByGrant, "shared memory: the gateway's configuration grants its pools by name")
        }
        ("wasi:filesystem", "types" | "preopens") => (Access::Empty, "files: there are none"),
        ("wasi:sockets", _) => (Access::Empty, "network: every use is refused"),
        ("wasi:cli", "environment") => (Access::Empty, "arguments and environment: there are none"),
        ("wasi:cli", "stdin" | "terminal-stdin" | "terminal-input") => {
            (Access::Empty, "standard input: it has ended")
        }
        ("wasi:cli", "stdout" | "stderr" | "terminal-stdout" | "terminal-stderr" | "terminal-output") => {
            (Access::Given, "standard output and error: lines in the host's log")
        }
        ("wasi:cli", "exit") => (Access::Given, "ending the instance, which is a failure"),
        ("wasi:clocks", "monotonic-clock" | "wall-clock") => (Access::Given, "clocks"),
        ("wasi:random", _) => (Access::Given, "random numbers"),
        ("wasi:io", "error" | "poll" | "streams") => (Access::Given, "streams and waiting, for the others"),
        _ => (Access::NotOffered, "this host does not offer it"),
    }
}

#[cfg(test)]
mod tests;
