//! The file of dead letters: one JSON object a line, bounded in size, and never a reason to fail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sandgate_wire::Message;
use serde_json::{Value, json};
use tracing::{error, warn};

use crate::burst::Burst;

/// A file that would grow beyond this is moved aside first, over the one that was moved aside before: the
/// letters in that one are lost.
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
    tally: Arc<LetterTally>,
    kept: Burst,
    lost: Burst,
}

/// What became of the letters that came to the file, since the gateway began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LetterCounts {
    /// Letters that were written.
    pub written: u64,
    /// Letters that could not be written. Nothing is left of them but this.
    pub lost: u64,
    /// Letters that had been written, now or by an earlier gateway, and made room for newer ones.
    pub thrown_away: u64,
}

/// The same while it is counted: for who asks while a letter is being written.
#[derive(Debug, Default)]
pub(super) struct LetterTally {
    written: AtomicU64,
    lost: AtomicU64,
    thrown_away: AtomicU64,
}

impl LetterTally {
    pub(super) fn counts(&self) -> LetterCounts {
        let [written, lost, thrown_away] =
            [&self.written, &self.lost, &self.thrown_away].map(|count| count.load(Ordering::Relaxed));
        LetterCounts { written, lost, thrown_away }
    }
}

impl LetterFile {
    pub(super) fn new(path: PathBuf, tally: Arc<LetterTally>) -> Self {
        Self { path, size_max: SIZE_MAX, tally, kept: Burst::default(), lost: Burst::default() }
    }

    #[cfg(test)]
    pub(super) fn with_size_max(mut self, size_max: u64) -> Self {
        self.size_max = size_max;
        self
    }

    /// Writes a letter, or counts it as lost and says so.
    pub(super) fn append(&mut self, letter: &Letter<'_>) {
        let Letter { source, sink, reason, .. } = letter;
        let written = self.write(letter);
        let file = self.path.display();
        match written {
            Ok(()) => {
                self.tally.written.fetch_add(1, Ordering::Relaxed);
                if let Some(suppressed) = self.kept.event() {
                    warn!(source, sink, reason, %file, suppressed, "a message is given up and kept as a dead letter");
                }
            }
            Err(error) => {
                let lost = self.tally.lost.fetch_add(1, Ordering::Relaxed) + 1;
                if let Some(suppressed) = self.lost.event() {
                    error!(source, sink, reason, %file, %error, lost, suppressed, "a dead letter is lost");
                }
            }
        }
    }

    /// The file is opened for every letter: letters are rare, and it may be moved away at any time.
    fn write(&mut self, letter: &Letter<'_>) -> io::Result<()> {
        let line = letter.line()?;
        let mut file = open(&self.path)?;
        let mut size = file.metadata()?.len();
        if size > 0 && size + line.len() as u64 > self.size_max {
            self.move_aside()?;
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

    /// Makes room. What was moved aside before is thrown away, and told of.
    fn move_aside(&mut self) -> io::Result<()> {
        let mut old = self.path.clone().into_os_string();
        old.push(".old");
        let old = PathBuf::from(old);
        let letters = count_lines(&old);
        fs::rename(&self.path, &old)?;
        if letters > 0 {
            self.tally.thrown_away.fetch_add(letters, Ordering::Relaxed);
            let file = old.display();
            warn!(%file, letters, "old dead letters are thrown away for newer ones; move the file away in time");
        }
        Ok(())
    }
}

/// How many lines a file has. One that is not there, or cannot be read, has none.
fn count_lines(path: &Path) -> u64 {
    let mut buffer = vec![0; 64 << 10];
    let mut lines = 0;
    if let Ok(mut file) = File::open(path) {
        while let Ok(count @ 1..) = file.read(&mut buffer) {
            lines += buffer[..count].iter().filter(|byte| **byte == b'\n').count() as u64;
        }
    }
    lines
}

/// Opens for appending, makes the file if need be, for its owner alone. A pipe or a device is refused, which
/// could keep the writer for ever.
fn open(path: &Path) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("it is no ordinary file; give another `dead.letter.file`"));
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
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
