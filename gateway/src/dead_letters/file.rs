//! The file of dead letters: one JSON object a line, bounded in size, and never a reason to fail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sandgate_wire::Message;
use serde_json::{Value, json};
use tracing::{error, warn};

use crate::burst::Burst;

/// A file that would grow beyond this is moved aside first, over the one that was moved aside before.
const SIZE_MAX: u64 = 64 << 20;

/// What is kept of a message that was given up.
pub(super) struct Letter<'a> {
    pub(super) source: &'a str,
    pub(super) sink: &'a str,
    pub(super) attempts: u32,
    pub(super) reason: &'a str,
    pub(super) verdict: &'a str,
    pub(super) message: &'a Message,
}

pub(super) struct LetterFile {
    path: PathBuf,
    size_max: u64,
    lost: u64,
    burst: Burst,
}

impl LetterFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, size_max: SIZE_MAX, lost: 0, burst: Burst::default() }
    }

    #[cfg(test)]
    pub(super) fn with_size_max(mut self, size_max: u64) -> Self {
        self.size_max = size_max;
        self
    }

    /// Letters that could not be written.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Writes a letter, or counts it as lost and says so.
    pub(super) fn append(&mut self, letter: &Letter<'_>) {
        let Letter { source, sink, reason, .. } = letter;
        let (written, file) = (self.write(letter), self.path.display());
        match (written, self.burst.event()) {
            (Ok(()), Some(suppressed)) => {
                warn!(source, sink, reason, %file, suppressed, "a message is given up and kept as a dead letter");
            }
            (Ok(()), None) => {}
            (Err(error), event) => {
                self.lost += 1;
                if let Some(suppressed) = event {
                    let lost = self.lost;
                    error!(source, sink, reason, %file, %error, lost, suppressed, "a dead letter is lost");
                }
            }
        }
    }

    /// The file is opened for every letter: letters are rare, and it may be moved away at any time.
    fn write(&self, letter: &Letter<'_>) -> io::Result<()> {
        let line = letter.line()?;
        let mut file = open(&self.path)?;
        let mut size = file.metadata()?.len();
        if size > 0 && size + line.len() as u64 > self.size_max {
            let mut old = self.path.clone().into_os_string();
            old.push(".old");
            fs::rename(&self.path, old)?;
            file = open(&self.path)?;
            size = file.metadata()?.len();
        }
        let written = file.write_all(&line);
        if written.is_err() {
            // Half a line would spoil the next one as well. If this fails too, nothing more can be done.
            let _ = file.set_len(size);
        }
        written
    }
}

/// Opens for appending, makes the file if need be, for its owner alone. A pipe or a device is refused, which
/// could keep the writer for ever.
fn open(path: &Path) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("it is no ordinary file; give another `dead.letter.file`"));
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// A verdict that is JSON, as it usually is. Any other is kept as it came; so is one of so many values that
/// they would take far more memory than their text.
fn document(verdict: &str) -> Option<Value> {
    const VALUES_MAX: usize = 1 << 16;
    let values = verdict.bytes().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
    if values > VALUES_MAX { None } else { serde_json::from_str(verdict).ok() }
}

impl Letter<'_> {
    fn line(&self) -> io::Result<Vec<u8>> {
        let properties = self.message.properties();
        let properties: Value = properties.map(|(key, value)| (key.to_owned(), Value::from(value))).collect();
        let verdict = document(self.verdict).unwrap_or_else(|| Value::from(self.verdict));
        let mut line = serde_json::to_vec(&json!({
            "time": Timestamp::now().to_string(),
            "source": self.source,
            "sink": self.sink,
            "attempts": self.attempts,
            "reason": self.reason,
            "verdict": verdict,
            "properties": properties,
            "content": STANDARD.encode(self.message.content()),
        }))?;
        line.push(b'\n');
        Ok(line)
    }
}
