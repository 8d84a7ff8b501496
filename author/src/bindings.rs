//! Writes what a module's sources need of Sandgate into a folder: the bindings of the contract, generated for C and C++,
//! and the layer above them that authors meet. The folder holds nothing else, and can be written anew at any time.

mod c;
mod c_v1;
mod go;
mod zig;

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

/// A language whose bindings can be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Language {
    /// C, C11 or newer.
    C,
    /// C with the interface of V1's native modules.
    CForV1,
    /// C++, C++23 or newer.
    Cpp,
    /// Go, 1.24 or newer.
    Go,
    /// Zig, 0.17.
    Zig,
}

/// The name of a language that has no bindings here.
#[derive(Debug, Error)]
#[error("`{0}` has no bindings of this kind; there are: {names}", names = Language::names())]
pub struct UnknownLanguage(String);

/// Why the bindings cannot be written.
#[derive(Debug, Error)]
pub enum BindingsError {
    /// A folder or file cannot be written.
    #[error("{path} cannot be written: {error}", path = path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The generator does not understand the contract: a fault of this program.
    #[error("the contract cannot be bound: {0}")]
    Generate(String),
}

impl Language {
    /// All, with the names that [`FromStr`] takes.
    pub const ALL: [(&'static str, Language); 5] = [
        ("c", Language::C),
        ("c-v1", Language::CForV1),
        ("cpp", Language::Cpp),
        ("go", Language::Go),
        ("zig", Language::Zig),
    ];

    fn names() -> String {
        Self::ALL.map(|(name, _)| name).join(", ")
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, language)| *language).ok_or_else(|| UnknownLanguage(text.to_owned()))
    }
}

/// Files by their names below the folder, which may have folders of their own.
type Sources = Vec<(String, Vec<u8>)>;

/// Files of an SDK, as they stand in the repository.
fn as_they_stand(files: &[(&str, &str)]) -> Sources {
    files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

/// Writes a language's bindings into a folder, which is made where it is missing, and returns the files' names.
///
/// Files that are there already with the same text are left alone, so that nothing is compiled anew for them.
pub fn write(language: Language, folder: &Path) -> Result<Vec<String>, BindingsError> {
    let sources = match language {
        Language::C => c::sources()?,
        Language::CForV1 => c_v1::sources()?,
        Language::Cpp => c::sources_for_cpp()?,
        Language::Go => go::sources(),
        Language::Zig => zig::sources(),
    };
    for (name, text) in &sources {
        let path = folder.join(name);
        let put = || {
            if fs::read(&path).is_ok_and(|old| old == *text) {
                return Ok(());
            }
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&path, text)
        };
        put().map_err(|error| BindingsError::Write { path: path.clone(), error })?;
    }
    Ok(sources.into_iter().map(|(name, _)| name).collect())
}

#[cfg(test)]
mod tests {
    use super::{Language, write};

    #[test]
    fn every_language_gets_files_and_those_that_are_as_they_should_be_are_left_alone() {
        for (name, language) in Language::ALL {
            assert_eq!(name.parse::<Language>().unwrap(), language);
            let place = tempfile::tempdir().unwrap();
            let folder = place.path().join("new/bindings");
            let names = write(language, &folder).unwrap();
            let written = |name: &String| std::fs::metadata(folder.join(name)).unwrap().modified().unwrap();
            let before: Vec<_> = names.iter().map(written).collect();
            assert_eq!(write(language, &folder).unwrap(), names);
            assert_eq!(names.iter().map(written).collect::<Vec<_>>(), before, "{name}");
        }
    }

    #[test]
    fn an_unknown_language_is_told_those_that_there_are() {
        let error = "cobol".parse::<Language>().unwrap_err().to_string();
        assert!(error.contains("`cobol`") && error.contains("c, c-v1, cpp, go, zig"), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        std::fs::write(&file, "mine").unwrap();
        let error = write(Language::Zig, &file).unwrap_err().to_string();
        assert!(error.contains("file/sandgate.zig cannot be written"), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    }
}
