//! The languages that modules are written in here, and what a module needs of its host because of the one that it is
//! written in.

use std::env;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::programs::guests;

/// The modules of every language.
pub const MODULES: [&str; 3] = ["annotate", "threshold", "sampler"];

/// A language, with three modules that do the same in all of them.
pub struct Language {
    /// Its name on the command line of `cargo xtask guests`.
    pub name: &'static str,
    /// What stands beside a module in the configuration of its host.
    settings: fn() -> Value,
    /// Whether an instance is replaced now and then, for its language's runtime needs ever more memory.
    pub is_recycled: bool,
}

const fn language(name: &'static str) -> Language {
    Language { name, settings: || json!({}), is_recycled: false }
}

const LANGUAGES: [Language; 8] = [
    language("rust"),
    language("c"),
    language("cpp"),
    language("zig"),
    language("go"),
    language("javascript"),
    language("typescript"),
    Language { settings: python, is_recycled: true, ..language("python") },
];

/// Its bindings keep a copy of every content that is published.
fn python() -> Value {
    json!({"recycle": {"memory": "96MiB"}})
}

/// In the order in which they are shown.
#[must_use]
pub fn names() -> Vec<&'static str> {
    LANGUAGES.iter().map(|language| language.name).collect()
}

impl Language {
    /// The language of this name.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn named(name: &str) -> Self {
        LANGUAGES.into_iter().find(|language| language.name == name).unwrap()
    }

    /// A module's component, where it is when it has been built.
    #[must_use]
    pub fn component(&self, module: &str) -> PathBuf {
        let folder = match self.name {
            "rust" => "modules".to_owned(),
            name => format!("languages/{name}"),
        };
        guests().join(folder).join(module).with_extension("wasm")
    }

    /// What stands beside a module in the configuration of its host.
    #[must_use]
    pub fn settings(&self) -> Value {
        (self.settings)()
    }

    /// How its modules can be had, if they are not there.
    ///
    /// # Panics
    /// They are not there, and all are to be (`SANDGATE_LANGUAGES=all`).
    #[must_use]
    pub fn is_missing(&self) -> Option<String> {
        let missing = MODULES.into_iter().find(|module| !self.component(module).is_file())?;
        let mend = format!("build them with `cargo xtask guests {}`", self.name);
        let must_be_there = env::var_os("SANDGATE_LANGUAGES").is_some_and(|all| all == "all");
        assert!(!must_be_there, "there is no {missing} in {}; {mend}", self.name);
        Some(mend)
    }
}
