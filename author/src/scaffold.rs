//! A new project from a template: a module that builds, with its test and the contract.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// The longest name of a project, in characters.
const NAME_MAX: usize = 64;
/// What other things are called already, in some language or other.
const TAKEN: [&str; 12] = [
    "alloc",
    "build",
    "cases",
    "core",
    "main",
    "module",
    "proc_macro",
    "sandgate",
    "sandgate-module",
    "std",
    "test",
    "wit",
];

struct Template {
    language: &'static str,
    files: &'static [File],
}

struct File {
    /// Within the project.
    path: &'static str,
    content: &'static [u8],
    /// It has placeholders. What is copied from elsewhere stays as it is.
    filled_in: bool,
}

/// Why there is no new project.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ScaffoldError {
    /// There is no template for this language.
    #[error("there is no template for `{language}`; there are {}", languages().join(", "))]
    Language {
        /// What was asked for.
        language: String,
    },
    /// The name cannot be used.
    #[error("`{name}` cannot be the name of a module: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Why not, and what can.
        reason: String,
    },
    /// The folder has something in it.
    #[error("{} is there already and not empty; give another folder", folder.display())]
    Occupied {
        /// The folder.
        folder: PathBuf,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// The languages that have a template.
#[must_use]
pub fn languages() -> Vec<&'static str> {
    TEMPLATES.iter().map(|template| template.language).collect()
}

/// Makes a project in a folder, which is made, or is empty, and gives the files that it has written, in order. A file
/// that is there is never written over.
///
/// # Errors
/// There is no such language, the name cannot be used, the folder is not empty, or the system refuses a file.
pub fn create(language: &str, name: &str, folder: &Path) -> Result<Vec<PathBuf>, ScaffoldError> {
    let template = TEMPLATES.iter().find(|template| template.language == language);
    let template = template.ok_or_else(|| ScaffoldError::Language { language: language.to_owned() })?;
    check_name(name)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| ScaffoldError::Write { path, error }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    if fs::read_dir(folder).map_err(failed(folder))?.next().is_some() {
        return Err(ScaffoldError::Occupied { folder: folder.to_owned() });
    }
    let mut written = Vec::new();
    for file in template.files {
        let path = folder.join(if file.filled_in { fill_in(file.path, name) } else { file.path.to_owned() });
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        let content = match str::from_utf8(file.content) {
            Ok(text) if file.filled_in => fill_in(text, name).into_bytes(),
            _ => file.content.to_vec(),
        };
        let made = fs::File::create_new(&path).and_then(|mut file| file.write_all(&content));
        made.map_err(failed(&path))?;
        written.push(path);
    }
    Ok(written)
}

fn fill_in(text: &str, name: &str) -> String {
    text.replace("{{name}}", name)
        .replace("{{Name}}", &capitalised(name))
        .replace("{{snake}}", &name.replace('-', "_"))
}

/// `my-module` as the name of a type: `MyModule`.
fn capitalised(name: &str) -> String {
    let words = name.split(['-', '_']);
    let capitalised = words.map(|word| word[..1].to_ascii_uppercase() + &word[1..]);
    capitalised.collect()
}

/// A name must do as a file, a package and, without its dashes, an identifier in every language.
fn check_name(name: &str) -> Result<(), ScaffoldError> {
    let refuse = |reason: &str| Err(ScaffoldError::Name { name: name.to_owned(), reason: reason.to_owned() });
    let is_plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let words_are_plain =
        name.split(['-', '_']).all(|word| word.starts_with(is_plain) && word.chars().all(is_plain));
    if !name.starts_with(|character: char| character.is_ascii_lowercase()) || !words_are_plain {
        return refuse(
            "it begins with a lower-case letter and has lower-case letters, digits, and dashes or underscores between them, as in `my-module`",
        );
    }
    if name.len() > NAME_MAX {
        return refuse(&format!("it has more than {NAME_MAX} characters"));
    }
    if TAKEN.contains(&name) {
        return refuse("that is what something else is called");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn every_template_becomes_a_project_with_its_test_and_without_placeholders() {
        for language in languages() {
            let place = tempfile::tempdir().unwrap();
            let folder = place.path().join("new/project");
            let written = create(language, "my-module", &folder).unwrap();
            assert!(written.iter().all(|path| path.starts_with(&folder) && path.is_file()), "{language}");
            let names: Vec<_> = written.iter().map(|path| path.strip_prefix(&folder).unwrap()).collect();
            assert!(names.contains(&Path::new("README.md")), "{language}");
            assert!(names.iter().any(|name| name.starts_with("cases")), "{language} has no test");
            assert!(names.iter().any(|name| name.ends_with("gateway.wit")), "{language} lacks the contract");
            for path in written.iter().filter(|path| !path.starts_with(folder.join("sandgate"))) {
                let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
                for placeholder in ["{{name}}", "{{Name}}", "{{snake}}"] {
                    assert!(!text.contains(placeholder), "{}: {placeholder}", path.display());
                }
            }
        }
    }

    #[test]
    fn the_name_is_filled_in_in_its_forms() {
        assert_eq!(
            fill_in("{{name}} {{Name}} {{snake}} {name}", "my-module_2"),
            "my-module_2 MyModule2 my_module_2 {name}"
        );
    }

    #[test]
    fn nothing_is_written_over() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("README.md");
        fs::write(&file, "mine").unwrap();
        let refused = create("rust", "site", place.path()).unwrap_err();
        assert!(matches!(refused, ScaffoldError::Occupied { .. }), "{refused}");
        assert_eq!(read(&file), "mine");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn names_that_no_language_would_take_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let long = "a".repeat(65);
        for name in ["", "A", "1a", "-a", "a-", "a--b", "a b", "a/b", "..", "é", "core", "sandgate", &long] {
            let refused = create("rust", name, &place.path().join("p")).unwrap_err();
            assert!(matches!(refused, ScaffoldError::Name { .. }), "{name}: {refused}");
        }
        for name in ["a", "site", "my-module", "my_module2", "a-1"] {
            check_name(name).unwrap();
        }
    }

    #[test]
    fn an_unknown_language_is_told_with_those_that_there_are() {
        let place = tempfile::tempdir().unwrap();
        let refused = create("cobol", "site", &place.path().join("p")).unwrap_err().to_string();
        assert!(refused.contains("`cobol`") && refused.contains("rust"), "{refused}");
    }
}
