//! Reading the logger's file while it grows.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// One entry of the log.
pub struct Entry(Value);

/// What the module `threshold` says in a message.
pub struct Reading {
    pub time: String,
    pub value: f64,
    pub average: f64,
    pub alert: String,
}

impl Entry {
    /// The message of this entry; none where the logger speaks of itself.
    pub fn reading(&self) -> Option<Reading> {
        let Entry(entry) = self;
        let content = STANDARD.decode(entry["content"].as_str()?).ok()?;
        let content: Value = serde_json::from_slice(&content).ok()?;
        Some(Reading {
            time: entry["time"].as_str()?.to_owned(),
            value: content["value"].as_f64()?,
            average: content["average"].as_f64()?,
            alert: entry["properties"]["alert"].as_str()?.to_owned(),
        })
    }
}

/// A log file and how far it is read.
pub struct LogTail {
    path: PathBuf,
    /// Behind the last whole entry. What follows is read again: the logger overwrites the closing bracket.
    read: u64,
}

impl LogTail {
    /// A file that may not exist yet.
    pub fn new(path: PathBuf) -> Self {
        LogTail { path, read: 0 }
    }

    /// The entries that came since the last call.
    pub fn read(&mut self) -> Result<Vec<Entry>> {
        let Ok(mut file) = File::open(&self.path) else { return Ok(Vec::new()) };
        let mut rest = Vec::new();
        file.seek(SeekFrom::Start(self.read))
            .and_then(|_| file.read_to_end(&mut rest))
            .with_context(|| format!("{} cannot be read", self.path.display()))?;
        let (entries, length) = whole_entries(&rest);
        self.read += length as u64;
        Ok(entries)
    }
}

/// The whole entries at the beginning of a part of the array, and their length.
fn whole_entries(text: &[u8]) -> (Vec<Entry>, usize) {
    let mut entries = Vec::new();
    let mut length = 0;
    while let Some(begin) = text[length..].iter().position(|byte| *byte == b'{') {
        let mut values = serde_json::Deserializer::from_slice(&text[length + begin..]).into_iter();
        let Some(Ok(value)) = values.next() else { break };
        length += begin + values.byte_offset();
        entries.push(Entry(value));
    }
    (entries, length)
}

#[cfg(test)]
mod tests {
    use super::whole_entries;

    #[test]
    fn reads_whole_entries_and_leaves_the_rest_for_later() {
        let (entries, length) = whole_entries(br#"[{"n":1},{"n":2}"#);
        assert_eq!((entries.len(), length), (2, 16));
        let (entries, length) = whole_entries(br#","#);
        assert_eq!((entries.len(), length), (0, 0));
        let (entries, length) = whole_entries(br#",{"n":{"m":3}},{"n":"#);
        assert_eq!((entries.len(), length), (1, 14));
        assert_eq!(entries[0].0["n"]["m"], 3);
    }

    #[test]
    fn reads_a_message_and_passes_over_the_logger_itself() {
        let log = br#"[{"time":"now","content":"Log started"},
            {"time":"now","properties":{"alert":"true"},"content":"eyJ2YWx1ZSI6MC41LCJhdmVyYWdlIjowLjI1fQ=="}]"#;
        let (entries, _) = whole_entries(log);
        assert!(entries[0].reading().is_none());
        let reading = entries[1].reading().expect("a reading");
        assert_eq!((reading.value, reading.average, reading.alert.as_str()), (0.5, 0.25, "true"));
    }
}
