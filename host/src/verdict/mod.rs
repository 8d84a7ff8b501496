//! A verdict: what is known about the end of an instance, as data.
//!
//! The document is JSON; `docs/verdicts.md` describes it. It is made of a [`PostMortem`] after the fact, since
//! reading a component's line tables takes milliseconds.

mod archive;
mod message;
mod places;
mod reporter;
mod symbols;

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use archive::Archive;
pub use message::{MessageError, MessageRecord, VerdictMessage};
pub use reporter::Reporter;

use crate::call::Call;
use crate::fault::{FaultKind, PostMortem, Sentence, function_name, panic_runtime};
use crate::module::Module;
pub(crate) use places::Places;

/// The version of the document. A reader refuses a greater one.
const VERSION: u32 = 1;
/// A longer name of a function, file or module is cut.
const NAME_MAX: usize = 1 << 10;

/// What ended an instance, where, with what, and what it had used.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Verdict {
    /// The document's version, 1.
    pub version: u32,
    /// When it happened, as RFC 3339 has it, in UTC.
    pub time: String,
    /// The module's name.
    pub module: String,
    /// SHA-256 of the component, as hexadecimal digits.
    pub digest: String,
    /// The world of the contract that the component is of.
    pub world: String,
    /// The process id of the host.
    pub host: u32,
    /// What happened, in a sentence.
    pub summary: String,
    /// The call that was going on.
    pub call: Call,
    /// What ended it.
    pub failure: FaultKind,
    /// The guest's functions on the stack, innermost first, as many as the host keeps.
    pub frames: Vec<Frame>,
    /// Memory, in bytes.
    pub memory: Memory,
    /// How long the call had taken, in microseconds.
    pub time_us: u64,
    /// Fuel that the call had used; none where fuel is not counted.
    pub fuel: Option<u64>,
    /// The last lines of the guest's standard output and error.
    pub last_lines: Vec<String>,
    /// The module's arguments, as JSON text.
    pub arguments: String,
    /// The timer, for `on-timer`.
    pub timer: Option<u64>,
    /// The message, for `receive`.
    pub message: Option<VerdictMessage>,
    /// The module that published the message, where the channel tells.
    pub source: Option<String>,
    /// The message's number on its lane, where it has one.
    pub sequence: Option<u64>,
    /// Which delivery of the message this was: 1 for the first.
    pub attempt: Option<u32>,
    /// How often an instance of this module has ended by a failure, this one included; 0 where it is not
    /// counted.
    pub kills: u64,
}

/// A function on the stack.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Frame {
    /// Its name, demangled; `function N` where the component carries no names.
    pub function: String,
    /// The core module that it is in, by the name that the component gives it.
    pub core_module: Option<String>,
    /// Where its instruction is, in bytes from the beginning of the .wasm file.
    pub offset: Option<u64>,
    /// The source file, where the component carries line tables.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u32>,
    /// The column, from 1.
    pub column: Option<u32>,
}

/// What was used of the memory.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Memory {
    /// The most that the instance used at a time, in bytes.
    pub peak: u64,
    /// The limit `max-memory-size`.
    pub limit: u64,
}

/// What a post-mortem does not know itself.
#[derive(Clone, Debug, Default)]
pub struct VerdictContext {
    /// The module's name.
    pub module: String,
    /// Its arguments, as JSON text.
    pub arguments: String,
    /// The message that was being received.
    pub message: Option<MessageRecord>,
    /// The timer whose time had come.
    pub timer: Option<u64>,
    /// How often an instance of this module has ended by a failure, this one included.
    pub kills: u64,
}

impl VerdictContext {
    /// What it holds, in bytes.
    fn size(&self) -> usize {
        self.arguments.len() + self.message.as_ref().map_or(0, |message| message.frame.len())
    }
}

impl PostMortem {
    /// Names everything and looks up the source lines. This reads the component's file, and may take many
    /// milliseconds: not to be done where messages wait.
    #[must_use]
    pub fn verdict(self, module: &Module, context: VerdictContext) -> Verdict {
        let VerdictContext { module: name, arguments, message, timer, kills } = context;
        let document = message.as_ref().and_then(|record| VerdictMessage::new(&record.frame));
        let time = jiff::Timestamp::try_from(self.at).map(|time| time.to_string()).unwrap_or_default();
        let mut verdict = Verdict {
            summary: String::new(),
            version: VERSION,
            time,
            module: name,
            digest: module.digest().into(),
            world: module.world().into(),
            host: std::process::id(),
            call: self.call,
            frames: self.located_frames(module),
            failure: self.kind,
            memory: Memory { peak: self.usage.memory_peak, limit: self.usage.memory_limit },
            time_us: u64::try_from(self.usage.time.as_micros()).unwrap_or(u64::MAX),
            fuel: self.usage.fuel,
            last_lines: self.last_lines,
            arguments,
            timer,
            message: document,
            source: message.as_ref().and_then(|record| record.source.clone()),
            sequence: message.as_ref().and_then(|record| record.sequence),
            attempt: message.as_ref().map(|record| record.attempt),
            kills,
        };
        verdict.summary = verdict.to_string();
        verdict
    }

    fn located_frames(&self, module: &Module) -> Vec<Frame> {
        let offsets = self.frames().iter().filter_map(wasmtime::FrameInfo::module_offset);
        let places = module.linked.places.find(offsets, || module.read_again());
        let located = |frame: &wasmtime::FrameInfo| {
            let offset = frame.module_offset();
            let place = offset.and_then(|offset| places.get(&offset)?.as_ref());
            Frame {
                function: cut(function_name(frame)),
                core_module: frame.module().name().map(|name| cut(name.to_owned())),
                offset: offset.map(|offset| offset as u64),
                line: place.and_then(|place| place.line),
                column: place.and_then(|place| place.column),
                file: place.map(|place| place.file.clone()),
            }
        };
        self.frames().iter().map(located).collect()
    }
}

fn cut(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(NAME_MAX));
    name
}

/// Why a file is no verdict.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerdictError {
    /// The text is something else.
    #[error("this is no verdict: {0}")]
    Form(#[from] serde_json::Error),
    /// The document is of a later version.
    #[error("this verdict is of version {0}; this program knows version {VERSION}")]
    Version(u64),
}

impl Verdict {
    /// The document, in several lines.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings and numbers alone: nothing in it can fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads a document.
    ///
    /// # Errors
    /// It is no JSON, lacks something, or is of a later version.
    pub fn from_json(text: &str) -> Result<Self, VerdictError> {
        let document: serde_json::Value = serde_json::from_str(text)?;
        match document.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version > u64::from(VERSION) => Err(VerdictError::Version(version)),
            _ => Ok(serde_json::from_value(document)?),
        }
    }

    /// The innermost function of the module's own on the stack: behind those that raise a panic.
    #[must_use]
    pub fn own_frame(&self) -> Option<&Frame> {
        self.frames.get(panic_runtime(&self.functions())..)?.first()
    }

    /// Whether another failure is this one again: in the same call, of the same kind, and for a trap in the
    /// same function. Where a limit is reached, or a deadline, differs from one time to the next.
    #[must_use]
    pub fn is_again(&self, other: &Verdict) -> bool {
        let function = |verdict: &Verdict| verdict.own_frame().map(|frame| frame.function.clone());
        self.call == other.call
            && match (&self.failure, &other.failure) {
                (FaultKind::Trap { trap }, FaultKind::Trap { trap: again }) => {
                    trap == again && function(self) == function(other)
                }
                (FaultKind::Limit(limit), FaultKind::Limit(again)) => limit.name == again.name,
                (FaultKind::Exit { code }, FaultKind::Exit { code: again }) => code == again,
                (failure, again) => std::mem::discriminant(failure) == std::mem::discriminant(again),
            }
    }

    fn functions(&self) -> Vec<String> {
        self.frames.iter().map(|frame| frame.function.clone()).collect()
    }
}

/// One sentence, with the source line where it is known.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, failure, last_lines, .. } = self;
        Sentence { call: *call, kind: failure, last_lines, frames: &self.functions() }.fmt(f)?;
        if let Some(Frame { file: Some(file), line: Some(line), .. }) = self.own_frame() {
            let file = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
            write!(f, " ({}:{line})", crate::transcript::printable(&file))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Exceeded;

    fn verdict(failure: FaultKind, functions: &[&str]) -> Verdict {
        let frame = |name: &&str| Frame { function: (*name).into(), ..Frame::default() };
        Verdict {
            summary: String::new(),
            version: VERSION,
            time: "2026-01-01T00:00:00Z".into(),
            module: "m".into(),
            digest: "00".into(),
            world: "w".into(),
            host: 1,
            call: Call::Receive,
            failure,
            frames: functions.iter().map(frame).collect(),
            memory: Memory { peak: 1, limit: 2 },
            time_us: 3,
            fuel: None,
            last_lines: vec!["\x1b[2J".into()],
            arguments: "null".into(),
            timer: None,
            message: VerdictMessage::new(
                sandgate_wire::Message::new(&[("k\x1b", "v")], b"content").unwrap().frame(),
            ),
            source: None,
            sequence: Some(7),
            attempt: Some(1),
            kills: 1,
        }
    }

    fn trap(name: &str) -> FaultKind {
        FaultKind::Trap { trap: name.into() }
    }

    #[test]
    fn a_document_is_read_as_it_was_written_and_a_later_version_refused() {
        for failure in [
            trap("unreachable"),
            FaultKind::Limit(Exceeded::new("fuel", 1, 2)),
            FaultKind::Deadline(Exceeded::new("timeout-receive", 5, 6)),
            FaultKind::Exit { code: 1 },
            FaultKind::Host { reason: "r".into() },
        ] {
            let verdict = verdict(failure, &["f"]);
            let text = verdict.to_json();
            assert!(!text.contains('\x1b'), "JSON escapes what a terminal would obey");
            assert_eq!(Verdict::from_json(&text).unwrap(), verdict);
        }
        let later = verdict(trap("t"), &[]).to_json().replace("\"version\": 1", "\"version\": 2");
        assert!(Verdict::from_json(&later).unwrap_err().to_string().contains("version 2"));
        assert!(Verdict::from_json("{}").unwrap_err().to_string().contains("missing field"));
    }

    #[test]
    fn an_older_verdict_on_a_deadline_is_read_too() {
        let mut document = serde_json::to_value(verdict(trap("t"), &[])).unwrap();
        document["failure"] = serde_json::json!({"kind": "deadline", "limit_ms": 5});
        let older = Verdict::from_json(&document.to_string()).unwrap();
        assert_eq!(older.failure, FaultKind::Deadline(Exceeded::new("timeout", 5, 0)));
        let newer = verdict(FaultKind::Deadline(Exceeded::new("timeout-receive", 5, 6)), &[]);
        assert!(older.is_again(&newer));
        assert!(newer.to_string().contains("took longer than 5 ms (timeout-receive)"), "{newer}");
    }

    #[test]
    fn the_sentence_names_the_line_of_the_own_function() {
        let mut verdict =
            verdict(trap("unreachable"), &["__rustc::rust_begin_unwind", "core::panicking::panic", "own"]);
        verdict.frames[2] =
            Frame { file: Some("src/a.rs".into()), line: Some(7), ..verdict.frames[2].clone() };
        let sentence = verdict.to_string();
        assert_eq!(
            sentence,
            "the module trapped in `receive`: unreachable; its last words: \\u{1b}[2J; at own (a.rs:7)"
        );
    }

    #[test]
    fn a_failure_is_the_same_again_by_its_kind_and_its_function() {
        let first = verdict(trap("unreachable"), &["f", "g"]);
        assert!(first.is_again(&verdict(trap("unreachable"), &["f", "h"])));
        assert!(!first.is_again(&verdict(trap("unreachable"), &["g"])));
        assert!(!first.is_again(&verdict(trap("integer overflow"), &["f"])));
        let deadline = |limit| FaultKind::Deadline(Exceeded::new("timeout-receive", limit, limit + 1));
        let late = verdict(deadline(5), &["f"]);
        assert!(late.is_again(&verdict(deadline(9), &["g"])));
        assert!(!late.is_again(&first));
    }
}
