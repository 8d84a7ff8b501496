//! What a guest says: lines in the log, of which there is only so much room, and the last of its standard
//! output and error kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

use crate::limits::{Exceeded, Limits};

/// A longer line is cut into several.
const LINE_MAX: usize = 4 << 10;
/// How much of the end is kept for the sentence about a fault.
const KEPT: usize = 2 << 10;

/// What the texts of one instance take of the host's memory, in bytes.
pub(crate) const HELD: usize = LINE_MAX + KEPT;
/// How often it is said that lines were dropped, and the time that `max-log-rate` is for.
const SECOND: Duration = Duration::from_secs(1);

/// The text that one instance writes. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Transcript {
    state: Arc<Mutex<State>>,
    /// Lines of the call that is going on. Beside the lock, for it begins anew with every call.
    in_call: Arc<AtomicU64>,
}

struct State {
    label: Arc<str>,
    line: Vec<u8>,
    tail: Vec<u8>,
    room: Room,
}

/// How many lines there is room for.
struct Room {
    lines_per_call: u64,
    lines_per_second: u64,
    in_call: Arc<AtomicU64>,
    in_second: u64,
    second: Instant,
    /// Dropped since it was last said, and ever.
    untold: u64,
    dropped: u64,
}

impl Transcript {
    pub(crate) fn new(label: Arc<str>, limits: &Limits) -> Self {
        let in_call = Arc::new(AtomicU64::new(0));
        let room = Room {
            lines_per_call: limits.max_log_lines_per_call,
            lines_per_second: limits.max_log_rate,
            in_call: in_call.clone(),
            in_second: 0,
            second: Instant::now(),
            untold: 0,
            dropped: 0,
        };
        let state = State { label, line: Vec::new(), tail: Vec::new(), room };
        Self { state: Arc::new(Mutex::new(state)), in_call }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave the text half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another call begins.
    pub(crate) fn begin_call(&self) {
        self.in_call.store(0, Ordering::Relaxed);
    }

    /// Lines that found no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().room.dropped
    }

    /// Takes one line for the log; `write` is called if there is room for it.
    pub(crate) fn log(&self, write: impl FnOnce(&str)) -> Result<(), Exceeded> {
        let mut state = self.lock();
        if state.admit()? {
            write(&state.label);
        }
        Ok(())
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Exceeded> {
        let mut state = self.lock();
        state.keep(bytes);
        for &byte in bytes {
            if byte == b'\n' || state.line.len() == LINE_MAX {
                state.end_line()?;
            }
            if byte != b'\n' {
                state.line.push(byte);
            }
        }
        Ok(())
    }

    /// Takes the lines that were written last, and starts anew.
    pub(crate) fn take_last_lines(&self) -> Vec<String> {
        let mut state = self.lock();
        // What ends here has no call to end for its length.
        let _ = state.end_line();
        let tail = std::mem::take(&mut state.tail);
        let text = String::from_utf8_lossy(&tail);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    }
}

impl State {
    fn keep(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(KEPT)..]);
        let surplus = self.tail.len().saturating_sub(KEPT);
        self.tail.drain(..surplus);
    }

    fn end_line(&mut self) -> Result<(), Exceeded> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() && self.admit()? {
            let text = self::line(&String::from_utf8_lossy(&line));
            tracing::info!(target: "module", module = %self.label, "{text}");
        }
        Ok(())
    }

    /// Whether there is room for one more line.
    fn admit(&mut self) -> Result<bool, Exceeded> {
        let room = &mut self.room;
        let in_call = room.in_call.fetch_add(1, Ordering::Relaxed) + 1;
        if in_call > room.lines_per_call {
            return Err(Exceeded::new("max-log-lines-per-call", room.lines_per_call, in_call));
        }
        if room.second.elapsed() >= SECOND {
            room.second = Instant::now();
            room.in_second = 0;
            self.tell_dropped();
        }
        let room = &mut self.room;
        room.in_second += 1;
        let admitted = room.in_second <= room.lines_per_second;
        if !admitted {
            room.untold += 1;
            room.dropped += 1;
        }
        Ok(admitted)
    }

    fn tell_dropped(&mut self) {
        let lines = std::mem::take(&mut self.room.untold);
        if lines > 0 {
            let limit = self.room.lines_per_second;
            tracing::warn!(module = %self.label, lines, limit, "dropped lines over the limit max-log-rate");
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.tell_dropped();
    }
}

/// The last lines of a guest as one line, without what says nothing.
pub(crate) fn last_words(lines: &[String]) -> String {
    // Rust's runtime adds this advice to every panic; it means nothing inside a sandbox.
    let lines = lines.iter().filter(|line| !line.starts_with("note: run with `RUST_BACKTRACE"));
    printable(&lines.map(String::as_str).collect::<Vec<_>>().join(" "))
}

/// A text from a guest as one line of the log: cut, and fit for a terminal.
pub(crate) fn line(text: &str) -> String {
    let mut shown = printable(&text[..text.floor_char_boundary(LINE_MAX)]);
    // What is escaped is longer than it was.
    shown.truncate(shown.floor_char_boundary(LINE_MAX));
    shown
}

/// A text from a guest, fit for a terminal: control characters are escaped.
pub(crate) fn printable(text: &str) -> String {
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
        Transcript::write(self, &bytes).map_err(|exceeded| StreamError::Trap(exceeded.into()))
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

    fn transcript(change: impl FnOnce(&mut Limits)) -> Transcript {
        let mut limits = Limits::default();
        change(&mut limits);
        Transcript::new("m".into(), &limits)
    }

    #[test]
    fn the_last_words_are_one_printable_line_without_advice() {
        let transcript = transcript(|_| {});
        transcript.write(b"\nthread main panicked at src/lib.rs:1:\nno \x1b[31mway\n").unwrap();
        transcript.write(b"note: run with `RUST_BACKTRACE=1` environment variable to display\n").unwrap();
        let lines = transcript.take_last_lines();
        assert_eq!(lines[1], "no \x1b[31mway", "as data a line stays what it is");
        assert_eq!(last_words(&lines), "thread main panicked at src/lib.rs:1: no \\u{1b}[31mway");
        assert!(transcript.take_last_lines().is_empty());
    }

    #[test]
    fn a_line_is_bounded_with_all_that_is_escaped_in_it() {
        assert_eq!(line(&"\u{1}".repeat(10_000)).len(), LINE_MAX);
        assert_eq!(line(&"é".repeat(10_000)).len(), LINE_MAX);
        assert_eq!(line("a\u{1}"), "a\\u{1}");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let transcript = transcript(|_| {});
        for _ in 0..1000 {
            transcript.write(&[b'x'; 10_000]).unwrap();
        }
        let state = transcript.lock();
        assert!(state.line.len() <= LINE_MAX && state.tail.len() <= KEPT);
    }

    #[test]
    fn lines_over_the_rate_are_dropped_and_counted_until_the_next_second() {
        let transcript = transcript(|limits| limits.max_log_rate = 3);
        let mut written = 0;
        for _ in 0..5 {
            transcript.log(|_| written += 1).unwrap();
        }
        assert_eq!((written, transcript.dropped()), (3, 2));
        transcript.lock().room.second = Instant::now().checked_sub(SECOND).unwrap();
        transcript.log(|_| written += 1).unwrap();
        assert_eq!((written, transcript.dropped(), transcript.lock().room.untold), (4, 2, 0));
    }

    #[test]
    fn a_call_has_so_many_lines_of_the_log_and_of_standard_error_together() {
        let transcript = transcript(|limits| limits.max_log_lines_per_call = 2);
        transcript.log(|_| {}).unwrap();
        transcript.write(b"one\n").unwrap();
        assert_eq!(transcript.write(b"two\n").unwrap_err().name, "max-log-lines-per-call");
        transcript.begin_call();
        transcript.log(|_| {}).unwrap();
    }
}
