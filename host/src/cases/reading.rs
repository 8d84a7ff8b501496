//! Cases as they are written, and the mistakes in them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{Case, Expected, ExpectedEnd, Step};
use crate::limits::parse_time;
use crate::message_document::MessageDocument;

/// A larger file is none of cases, in bytes.
const FILE_MAX: u64 = 256 << 20;
/// More time than this passes in no step.
const AFTER_MAX: Duration = Duration::from_secs(366 * 86_400);

/// Why cases cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is very large.
    #[error("{} has more than {FILE_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is no JSON, or not of this form.
    #[error("{} holds no case: {error}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        error: serde_json::Error,
    },
    /// What the case says cannot be.
    #[error("{}, case `{case}`: {reason}", path.display())]
    Sense {
        /// The file.
        path: PathBuf,
        /// The case.
        case: String,
        /// What is wrong, and the mend.
        reason: String,
    },
    /// A folder without cases.
    #[error("there is no case in {}: a case is a file NAME.json", path.display())]
    NoCases {
        /// The folder.
        path: PathBuf,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCase {
    name: Option<String>,
    #[serde(default)]
    config: Value,
    #[serde(default)]
    create: WrittenEnd,
    #[serde(default)]
    start: WrittenEnd,
    #[serde(default)]
    steps: Vec<WrittenStep>,
    #[serde(default)]
    destroy: WrittenEnd,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEnd {
    #[serde(default)]
    publishes: Vec<MessageDocument>,
    error: Option<Texts>,
    trap: Option<Texts>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStep {
    receive: Option<MessageDocument>,
    after: Option<String>,
    #[serde(default)]
    publishes: Vec<MessageDocument>,
    error: Option<Texts>,
    trap: Option<Texts>,
}

/// One text, or several.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text, or a list of texts")]
enum Texts {
    One(String),
    Several(Vec<String>),
}

impl From<Texts> for Vec<String> {
    fn from(texts: Texts) -> Self {
        match texts {
            Texts::One(text) => vec![text],
            Texts::Several(texts) => texts,
        }
    }
}

impl Case {
    /// The cases of a file, or of all files `NAME.json` in a folder, by their names.
    ///
    /// # Errors
    /// Something cannot be read, or is no case, or a folder has none.
    pub fn read(path: &Path) -> Result<Vec<Self>, CaseError> {
        if !path.is_dir() {
            return read_file(path);
        }
        let failed = |error| CaseError::Read { path: path.to_owned(), error };
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            if file.extension().is_some_and(|extension| extension == "json") && file.is_file() {
                files.push(file);
            }
        }
        if files.is_empty() {
            return Err(CaseError::NoCases { path: path.to_owned() });
        }
        files.sort();
        let mut cases = Vec::new();
        for file in files {
            cases.extend(read_file(&file)?);
        }
        Ok(cases)
    }
}

fn read_file(path: &Path) -> Result<Vec<Case>, CaseError> {
    let failed = |error| CaseError::Read { path: path.to_owned(), error };
    let mut text = String::new();
    File::open(path).map_err(failed)?.take(FILE_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_MAX {
        return Err(CaseError::TooLarge { path: path.to_owned() });
    }
    let form = |error| CaseError::Form { path: path.to_owned(), error };
    // Not one untagged type for both: it would not say where a mistake is.
    let written = match text.trim_start().starts_with('[') {
        true => serde_json::from_str(&text).map_err(form)?,
        false => vec![serde_json::from_str::<WrittenCase>(&text).map_err(form)?],
    };
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let is_alone = written.len() == 1;
    let mut cases = Vec::new();
    for (number, mut case) in (1..).zip(written) {
        let by_file = || if is_alone { stem.to_string() } else { format!("{stem} {number}") };
        let name = case.name.take().unwrap_or_else(by_file);
        let case = checked(name.clone(), path, case);
        cases.push(case.map_err(|reason| CaseError::Sense { path: path.to_owned(), case: name, reason })?);
    }
    Ok(cases)
}

fn checked(name: String, file: &Path, written: WrittenCase) -> Result<Case, String> {
    let WrittenCase { config, create, start, steps, destroy, .. } = written;
    let create = create.checked("create", true)?;
    if !create.publishes.is_empty() {
        return Err("`create` can publish nothing: messages can be published from `start` on".to_owned());
    }
    let start = start.checked("start", false)?;
    let mut checked = Vec::new();
    for (number, step) in (1..).zip(steps) {
        checked.push(step.checked(&format!("step {number}"))?);
    }
    let destroy = destroy.checked("destroy", false)?;
    let case =
        Case { name, file: file.to_owned(), configuration: config, create, start, steps: checked, destroy };
    case.ends_once()?;
    Ok(case)
}

impl Case {
    /// What comes after the end would never be looked at.
    fn ends_once(&self) -> Result<(), String> {
        let is_bare =
            |expected: &Expected| expected.publishes.is_empty() && matches!(expected.end, ExpectedEnd::Well);
        let last_is_bare = is_bare(&self.destroy);
        let goes_on = !is_bare(&self.start) || !self.steps.is_empty() || !last_is_bare;
        if goes_on && !matches!(self.create.end, ExpectedEnd::Well) {
            return Err("`create` ends without success, so nothing can come after it".to_owned());
        }
        let is_trap = |expected: &Expected| matches!(expected.end, ExpectedEnd::Trap(_));
        if is_trap(&self.start) && !(self.steps.is_empty() && last_is_bare) {
            return Err("`start` ends with a trap, so nothing can come after it".to_owned());
        }
        match self.steps.iter().position(|(_, expected)| is_trap(expected)) {
            Some(trap) if trap + 1 < self.steps.len() || !last_is_bare => {
                Err(format!("step {} ends with a trap, so nothing can come after it", trap + 1))
            }
            _ => Ok(()),
        }
    }
}

impl WrittenEnd {
    fn checked(self, place: &str, may_refuse: bool) -> Result<Expected, String> {
        let Self { publishes, error, trap } = self;
        expected(place, may_refuse, publishes, error, trap)
    }
}

impl WrittenStep {
    fn checked(self, place: &str) -> Result<(Step, Expected), String> {
        let Self { receive, after, publishes, error, trap } = self;
        let step = match (receive, after) {
            (Some(message), None) => Step::Receive(message),
            (None, Some(time)) => {
                Step::After(parse_time(&time).filter(|time| *time <= AFTER_MAX).ok_or_else(|| {
                    format!(
                        "{place}: `after` cannot be `{time}`; give a time as in `500ms` or `2s`, up to a year"
                    )
                })?)
            }
            _ => return Err(format!("{place}: give one of `receive` and `after`")),
        };
        let may_refuse = matches!(step, Step::Receive(_));
        Ok((step, expected(place, may_refuse, publishes, error, trap)?))
    }
}

fn expected(
    place: &str,
    may_refuse: bool,
    publishes: Vec<MessageDocument>,
    error: Option<Texts>,
    trap: Option<Texts>,
) -> Result<Expected, String> {
    if publishes.iter().any(|message| message.source.is_some() || message.attempt != 1) {
        return Err(format!(
            "{place}: `source` and `attempt` are of messages that are received, not published"
        ));
    }
    let end = match (error, trap) {
        (None, None) => ExpectedEnd::Well,
        (Some(_), None) if !may_refuse => {
            return Err(format!("{place}: only `create` and `receive` can answer with an error"));
        }
        (Some(texts), None) => ExpectedEnd::Error(texts.into()),
        (None, Some(texts)) => ExpectedEnd::Trap(texts.into()),
        (Some(_), Some(_)) => return Err(format!("{place}: give one of `error` and `trap`")),
    };
    Ok(Expected { publishes, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Case>, CaseError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.json");
        fs::write(&file, text).unwrap();
        Case::read(&file)
    }

    fn refused(text: &str) -> String {
        let said = read(text).unwrap_err().to_string();
        assert!(said.contains("mine.json"), "{said}");
        said
    }

    #[test]
    fn a_case_is_called_by_its_name_or_by_its_file() {
        let names =
            |text: &str| -> Vec<String> { read(text).unwrap().into_iter().map(|case| case.name).collect() };
        assert_eq!(names("{}"), ["mine"]);
        assert_eq!(names("[{}]"), ["mine"]);
        assert_eq!(names(r#" [{}, {"name": "a"}, {}]"#), ["mine 1", "a", "mine 3"]);
    }

    #[test]
    fn a_folder_has_its_files_in_order_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Case::read(folder.path()).unwrap_err().to_string().contains("there is no case in"));
        for (file, text) in [("b.json", "{}"), ("a.json", "[{}, {}]"), ("c.txt", "no case")] {
            fs::write(folder.path().join(file), text).unwrap();
        }
        let names: Vec<_> = Case::read(folder.path()).unwrap().into_iter().map(|case| case.name).collect();
        assert_eq!(names, ["a 1", "a 2", "b"]);
        assert!(Case::read(&folder.path().join("absent")).unwrap_err().to_string().contains("cannot read"));
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        assert!(refused("{\n \"stps\": []}").contains("unknown field `stps`"));
        assert!(refused("{\n \"steps\": 7}").contains("line 2"));
        assert!(refused("[{}, {\n\"steps\": [{\"receive\": {\"text\": 1}}]}]").contains("line 2"));
        assert!(refused(r#"{"create": {"error": 1}}"#).contains("a text, or a list of texts"));
        for (step, said) in [
            ("{}", "step 2: give one of `receive` and `after`"),
            (r#"{"receive": {}, "after": "1s"}"#, "step 2: give one of"),
            (r#"{"after": "1 day"}"#, "cannot be `1 day`"),
            (r#"{"after": "99999999999s"}"#, "up to a year"),
            (r#"{"after": "1s", "error": "x"}"#, "only `create` and `receive`"),
            (r#"{"receive": {}, "error": "x", "trap": "y"}"#, "one of `error` and `trap`"),
            (r#"{"receive": {}, "publishes": [{"source": "x"}]}"#, "not published"),
        ] {
            let case = format!(r#"{{"name": "n", "steps": [{{"after": "1s"}}, {step}]}}"#);
            let refused = refused(&case);
            assert!(refused.contains(said) && refused.contains("case `n`"), "{refused}");
        }
    }

    #[test]
    fn nothing_comes_after_the_end() {
        for text in [
            r#"{"create": {"error": "x"}, "steps": [{"after": "1s"}]}"#,
            r#"{"create": {"trap": "x"}, "destroy": {"trap": "y"}}"#,
            r#"{"create": {"error": "x"}, "start": {"publishes": [{}]}}"#,
            r#"{"start": {"trap": []}, "steps": [{"after": "1s"}]}"#,
            r#"{"steps": [{"receive": {}, "trap": []}, {"after": "1s"}]}"#,
            r#"{"steps": [{"receive": {}, "trap": []}], "destroy": {"publishes": [{}]}}"#,
        ] {
            assert!(refused(text).contains("nothing can come after it"), "{text}");
        }
        assert!(refused(r#"{"create": {"publishes": [{}]}}"#).contains("from `start` on"));
        for text in [
            r#"{"create": {"error": "x"}}"#,
            r#"{"steps": [{"receive": {}, "error": []}, {"receive": {}, "trap": "x"}]}"#,
            r#"{"destroy": {"trap": "x"}}"#,
        ] {
            read(text).unwrap();
        }
    }
}
