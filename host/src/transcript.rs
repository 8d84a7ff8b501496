//! What a guest writes to its standard output and error: lines in the log, the last of them kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

/// A longer line is cut into several.
const LINE_MAX: usize = 4 << 10;
/// How much of the end is kept for the sentence about a fault.
const KEPT: usize = 2 << 10;

/// The text that one instance writes. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Transcript {
    state: Arc<Mutex<State>>,
}

struct State {
    label: Arc<str>,
    line: Vec<u8>,
    tail: Vec<u8>,
}

impl Transcript {
    pub(crate) fn new(label: Arc<str>) -> Self {
        let state = State { label, line: Vec::new(), tail: Vec::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave the text half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, bytes: &[u8]) {
        let mut state = self.lock();
        state.keep(bytes);
        for &byte in bytes {
            if byte == b'\n' || state.line.len() == LINE_MAX {
                state.end_line();
            }
            if byte != b'\n' {
                state.line.push(byte);
            }
        }
    }

    /// Takes the last that was written, as one line, and starts anew.
    pub(crate) fn take_last_words(&self) -> String {
        let mut state = self.lock();
        if !state.line.is_empty() {
            state.end_line();
        }
        let tail = std::mem::take(&mut state.tail);
        let text = String::from_utf8_lossy(&tail);
        // Rust's runtime adds this advice to every panic; it means nothing inside a sandbox.
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("note: run with `RUST_BACKTRACE"));
        printable(&lines.collect::<Vec<_>>().join(" "))
    }
}

impl State {
    fn keep(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(KEPT)..]);
        let surplus = self.tail.len().saturating_sub(KEPT);
        self.tail.drain(..surplus);
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            let text = printable(&String::from_utf8_lossy(&line));
            tracing::info!(target: "module", module = %self.label, "{text}");
        }
    }
}

/// A text from a guest as one line of the log: cut, and fit for a terminal.
pub(crate) fn line(text: &str) -> String {
    printable(&text[..text.floor_char_boundary(LINE_MAX)])
}

/// A text from a guest, fit for a terminal: control characters are escaped.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\t' {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

impl IsTerminal for Transcript {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Transcript {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this, which the engine does not offer.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Transcript {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        Transcript::write(self, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(LINE_MAX)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Transcript {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_one_printable_line_without_advice() {
        let transcript = Transcript::new("m".into());
        transcript.write(b"\nthread main panicked at src/lib.rs:1:\nno \x1b[31mway\n");
        transcript.write(b"note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n");
        assert_eq!(transcript.take_last_words(), "thread main panicked at src/lib.rs:1: no \\u{1b}[31mway");
        assert_eq!(transcript.take_last_words(), "");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let transcript = Transcript::new("m".into());
        for _ in 0..1000 {
            transcript.write(&[b'x'; 10_000]);
        }
        let state = transcript.lock();
        assert!(state.line.len() <= LINE_MAX && state.tail.len() <= KEPT);
    }
}
