//! What is wrong with a configuration: every fault with its place and the mend.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Where it is.
    pub place: Place,
    /// What is wrong and how to mend it.
    pub text: String,
}

/// Where in the file a fault is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// The file as a whole.
    File,
    /// Line and column, from 1, where the text stops being JSON.
    Position(usize, usize),
    /// A JSON pointer (RFC 6901) to the value, such as `/modules/1/loader/entrypoint/control.id`.
    /// V1's keys have dots in them, so a dotted path would be ambiguous. Empty: the whole document.
    Pointer(String),
}

/// A configuration that cannot be used, with everything that is wrong with it.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub struct ConfigError {
    /// The file that was read.
    pub file: PathBuf,
    /// Every fault; at least one.
    pub faults: Vec<Fault>,
}

impl Fault {
    pub(super) fn file(text: impl Into<String>) -> Self {
        Self { place: Place::File, text: text.into() }
    }

    pub(super) fn at(pointer: &str, text: impl Into<String>) -> Self {
        Self { place: Place::Pointer(pointer.to_owned()), text: text.into() }
    }
}

impl fmt::Display for Fault {
    /// The place with a colon, ready to stand behind the file's name, and the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File => write!(f, ": {}", self.text),
            Place::Position(line, column) => write!(f, ":{line}:{column}: {}", self.text),
            Place::Pointer(pointer) if pointer.is_empty() => write!(f, ": {}", self.text),
            Place::Pointer(pointer) => write!(f, ": {pointer}: {}", self.text),
        }
    }
}

impl fmt::Display for ConfigError {
    /// One line for each fault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{}{fault}", self.file.display())?;
        }
        Ok(())
    }
}

/// ` (did you mean …?)` when a known name is close to the one given, else nothing.
pub(crate) fn suggestion<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    closest(given, known).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

/// The known name that is close enough to have been meant.
pub(crate) fn closest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A hostile name of a megabyte is not worth comparing.
    if given.len() > 100 {
        return None;
    }
    let given = given.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(&given, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}
