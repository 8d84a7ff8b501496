//! The file that the gateway's `logger` writes: what came through.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::wait::until;

/// A log file, read again and again.
pub struct LogFile(PathBuf);

/// A message in it.
#[derive(Clone, Debug)]
pub struct Entry {
    value: Value,
}

impl Entry {
    /// A property's value.
    #[must_use]
    pub fn property(&self, key: &str) -> Option<&str> {
        self.value["properties"][key].as_str()
    }

    /// The content, decoded.
    ///
    /// # Panics
    /// It is not Base64.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        STANDARD.decode(self.value["content"].as_str().unwrap()).unwrap()
    }
}

impl LogFile {
    /// The file, which need not be there yet.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The messages so far. A file that is read while it is written is read again.
    #[must_use]
    pub fn messages(&self) -> Vec<Entry> {
        let mut messages = Vec::new();
        until("a log file that is a JSON array", || {
            let text = match fs::read(&self.0) {
                Ok(text) => text,
                Err(_) => return true,
            };
            if text.is_empty() {
                return true;
            }
            let Ok(Value::Array(entries)) = serde_json::from_slice(&text) else { return false };
            let entries = entries.into_iter().filter(|entry| entry.get("properties").is_some());
            messages = entries.map(|value| Entry { value }).collect();
            true
        });
        messages
    }

    /// How many messages there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.messages().len()
    }

    /// Waits until there are so many more than now.
    pub fn wait_for_more(&self, more: usize) -> Vec<Entry> {
        self.wait_for(self.count() + more)
    }

    /// Waits until there are so many.
    pub fn wait_for(&self, count: usize) -> Vec<Entry> {
        let mut messages = Vec::new();
        until(&format!("{count} messages in {}", self.0.display()), || {
            messages = self.messages();
            messages.len() >= count
        });
        messages
    }
}
