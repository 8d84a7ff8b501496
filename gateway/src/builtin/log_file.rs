//! V1's log file: one JSON array that is whole after every append, by writing over its last bracket.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Zoned;
use sandgate_wire::Message;
use serde_json::Value;
use thiserror::Error;

/// How far from its end the bracket of an existing file may stand, behind white space.
const TAIL: u64 = 4096;

/// What the log is written to; a file, and something smaller in tests.
pub(super) trait Storage: Send + 'static {
    fn size(&self) -> io::Result<u64>;
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn truncate(&mut self, size: u64) -> io::Result<()>;
}

impl Storage for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let mut file = self;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(bytes)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        self.write_all(bytes)
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }
}

/// Why a log file cannot be written.
#[derive(Debug, Error)]
pub(super) enum LogFileError {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file holds something else.
    #[error(
        "the file is not a JSON array (it must begin with `[` and end with `]`), so nothing is written to it; \
         move it away or choose another file"
    )]
    NotAnArray,
}

/// A JSON array in a file.
pub(super) struct LogFile<S = File> {
    storage: S,
    /// Where the closing bracket stands; `None` before there is an array.
    end: Option<u64>,
    /// Whether the array has no entry yet.
    empty: bool,
    /// An append failed half-way and the bracket could not be put back yet.
    broken: bool,
}

impl LogFile {
    /// Opens a file, or creates it. What it holds already is kept.
    pub(super) fn open(path: &Path) -> Result<Self, LogFileError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        Self::new(file)
    }
}

impl<S: Storage> LogFile<S> {
    pub(super) fn new(storage: S) -> Result<Self, LogFileError> {
        let size = storage.size()?;
        let mut tail = vec![0; size.min(TAIL) as usize];
        let start = size - tail.len() as u64;
        storage.read_at(&mut tail, start)?;
        let text = tail.trim_ascii_end();
        if text.is_empty() && start == 0 {
            return Ok(Self { storage, end: None, empty: true, broken: false });
        }
        let mut head = vec![0; size.min(TAIL) as usize];
        storage.read_at(&mut head, 0)?;
        let Some(inner) = text.strip_suffix(b"]").filter(|_| head.trim_ascii_start().starts_with(b"["))
        else {
            return Err(LogFileError::NotAnArray);
        };
        // Nothing but an empty array ends in these two.
        let empty = inner.trim_ascii_end().ends_with(b"[");
        Ok(Self { storage, end: Some(start + inner.len() as u64), empty, broken: false })
    }

    /// Appends entries, all or none. After an error the file is the array that it was, or becomes it
    /// again before the next append.
    pub(super) fn append(&mut self, entries: &[String]) -> io::Result<()> {
        if self.broken {
            self.restore()?;
        }
        let Some(entries_text) = (!entries.is_empty()).then(|| entries.join(",")) else { return Ok(()) };
        let separator = match (self.end, self.empty) {
            (None, _) => "[",
            (Some(_), true) => "",
            (Some(_), false) => ",",
        };
        let text = format!("{separator}{entries_text}]");
        let offset = self.end.unwrap_or(0);
        if let Err(error) = self.storage.write_at(text.as_bytes(), offset) {
            self.broken = true;
            // The error that counts is the first one; `broken` remembers this one.
            let _ = self.restore();
            return Err(error);
        }
        self.end = Some(offset + text.len() as u64 - 1);
        self.empty = false;
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn storage(&mut self) -> &mut S {
        &mut self.storage
    }

    /// Puts the bracket back over what a failed append has left. This needs no room on the disk.
    fn restore(&mut self) -> io::Result<()> {
        match self.end {
            Some(end) => {
                self.storage.write_at(b"]", end)?;
                self.storage.truncate(end + 1)?;
            }
            None => self.storage.truncate(0)?,
        }
        self.broken = false;
        Ok(())
    }
}

/// The local time as C's `%c` in the C locale, in which V1 writes it.
pub(super) fn time_text() -> String {
    Zoned::now().strftime("%a %b %e %H:%M:%S %Y").to_string()
}

/// V1's entry for the log's own start and stop.
pub(super) fn event_entry(time: &str, event: &str) -> String {
    format!(r#"{{"time":"{time}","content":"{event}"}}"#)
}

/// V1's entry for a message.
pub(super) fn message_entry(time: &str, message: &Message) -> String {
    let mut entry = format!(r#"{{"time":"{time}","properties":{{"#);
    for (index, (key, value)) in message.properties().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        entry.push_str(&format!("{comma}{}:{}", Value::from(key), Value::from(value)));
    }
    entry.push_str(r#"},"content":""#);
    STANDARD.encode_string(message.content(), &mut entry);
    entry.push_str(r#""}"#);
    entry
}
