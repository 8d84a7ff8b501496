//! Verdicts kept as files, the newest of them.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::Verdict;
use sandgate_attach::Burst;

/// Files that are kept; the oldest gives way.
const FILES_MAX: usize = 100;
const ENDING: &str = ".verdict.json";

/// A directory of verdicts. Cloning shares it.
#[derive(Clone)]
pub struct Archive {
    directory: Arc<Path>,
    complaints: Arc<Mutex<Burst>>,
}

impl Archive {
    /// Keeps verdicts in this directory, which is made if it is missing.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn new(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        Ok(Self { directory: directory.into(), complaints: Arc::default() })
    }

    /// Keeps a verdict as `TIME-MODULE.verdict.json`, and gives that file. What cannot be written is told to the log,
    /// once a second.
    pub fn keep(&self, verdict: &Verdict) -> Option<PathBuf> {
        self.write(verdict).inspect_err(|error| self.complain(error)).ok()
    }

    fn complain(&self, error: &io::Error) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = complaints.note() {
            let directory = self.directory.display();
            tracing::warn!(%directory, %error, count, "verdicts cannot be kept");
        }
    }

    fn write(&self, verdict: &Verdict) -> io::Result<PathBuf> {
        // A module's name comes from a person or a file's name; it must not lead elsewhere.
        let plain = |character: char| if character.is_alphanumeric() { character } else { '-' };
        let module: String = verdict.module.chars().take(64).map(plain).collect();
        let time: String = verdict.time.chars().map(plain).collect();
        let unfinished = self.directory.join(format!(".{time}-{module}"));
        let mut file = fs::File::create(&unfinished)?;
        let written = file.write_all(verdict.to_json().as_bytes());
        let finished = self.directory.join(format!("{time}-{module}{ENDING}"));
        if let Err(error) = written.and_then(|()| fs::rename(&unfinished, &finished)) {
            // On a full disk there is nothing else to be done about it.
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        self.remove_oldest()?;
        Ok(finished)
    }

    fn remove_oldest(&self) -> io::Result<()> {
        let mut files: Vec<PathBuf> = fs::read_dir(&self.directory)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_str().is_some_and(|path| path.ends_with(ENDING)))
            .collect();
        // Their names begin with the time.
        files.sort();
        let surplus = files.len().saturating_sub(FILES_MAX);
        files.iter().take(surplus).try_for_each(fs::remove_file)
    }
}
