//! How a module ended when it did not end as it should: the raw facts, and a sentence that its author can use.
//!
//! On the messages' way only facts are kept. What takes longer (a verdict with source lines) is made of them
//! afterwards, elsewhere: see `verdict`.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustc_demangle::demangle;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wasmtime::component::ResourceTableError;
use wasmtime::{FrameInfo, PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::call::Call;
use crate::limits::{Exceeded, Limits};
use crate::transcript::{last_words, line};

/// Frames that a sentence names; the innermost ones tell most.
const FRAMES_SHOWN: usize = 12;

/// The end of an instance. The instance is gone; nothing else is affected.
#[derive(Clone, Debug, Error)]
#[error("{post_mortem}")]
pub struct Fault {
    /// What is known about it.
    pub post_mortem: Box<PostMortem>,
}

/// The raw facts about the end of an instance.
#[derive(Clone, Debug)]
pub struct PostMortem {
    /// When it happened.
    pub at: SystemTime,
    /// The exported function that was being called.
    pub call: Call,
    /// What happened.
    pub kind: FaultKind,
    /// What the instance had used by then.
    pub usage: Usage,
    /// The last lines that the guest wrote to its standard output and error, as it wrote them.
    pub last_lines: Vec<String>,
    /// Wasmtime's error, with the frames that it has found on the stack.
    cause: Arc<wasmtime::Error>,
}

/// What ended an instance.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The guest broke a rule of WebAssembly, or gave up (a panic is one of these).
    Trap {
        /// Wasmtime's name for it.
        trap: String,
    },
    /// The guest used more than it may.
    Limit(Exceeded),
    /// The call took longer than it may: the limit is in milliseconds.
    Deadline(Exceeded),
    /// The guest asked to end the process.
    Exit {
        /// With this status.
        code: i32,
    },
    /// The guest did nothing wrong; the host could not go on with it.
    Host {
        /// Why.
        reason: String,
    },
}

/// What an instance had used when it ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// The most memory that it used at a time, in bytes, and what it may use.
    pub memory_peak: u64,
    /// The limit `max-memory-size`.
    pub memory_limit: u64,
    /// How long the call had taken.
    pub time: Duration,
    /// Fuel that the call had used, where fuel is counted.
    pub fuel: Option<u64>,
}

/// A guest is ended because others wait for its thread.
#[derive(Debug, Error)]
#[error("all threads were busy, and this call had run for longest")]
pub(crate) struct Condemned;

impl PostMortem {
    pub(crate) fn new(
        call: Call,
        cause: wasmtime::Error,
        limits: &Limits,
        usage: Usage,
        last_lines: Vec<String>,
    ) -> Self {
        let at = SystemTime::now();
        Self { at, call, kind: kind(call, &cause, limits, &usage), usage, last_lines, cause: Arc::new(cause) }
    }

    /// The guest's functions on the stack, innermost first.
    pub(crate) fn frames(&self) -> &[FrameInfo] {
        self.cause.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default()
    }
}

fn kind(call: Call, error: &wasmtime::Error, limits: &Limits, usage: &Usage) -> FaultKind {
    if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
        return FaultKind::Limit(exceeded.clone());
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return FaultKind::Exit { code: exit.0 };
    }
    if error.is::<Condemned>() || error.is::<PoolConcurrencyLimitError>() {
        return FaultKind::Host { reason: error.root_cause().to_string() };
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return FaultKind::Limit(Exceeded::by_one("max-resources", limits.max_resources));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => {
            let (name, limit) = limits.named_timeout_of(call);
            let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            FaultKind::Deadline(Exceeded::new(name, milliseconds(limit), milliseconds(usage.time)))
        }
        // What the next instructions would have cost nobody knows.
        Some(Trap::OutOfFuel) => FaultKind::Limit(Exceeded::reached("fuel", limits.fuel.unwrap_or_default())),
        Some(Trap::StackOverflow) => {
            FaultKind::Limit(Exceeded::reached("max-wasm-stack", limits.max_wasm_stack))
        }
        Some(trap) => {
            let text = trap.to_string();
            FaultKind::Trap { trap: text.strip_prefix("wasm trap: ").unwrap_or(&text).into() }
        }
        None => by_its_text(&format!("{:#}", error.root_cause()), limits),
    }
}

/// Errors of Wasmtime that have no type of their own. `host/tests/limits.rs` holds its texts.
fn by_its_text(text: &str, limits: &Limits) -> FaultKind {
    let counted = [
        ("resource limit exceeded: instance count too high at ", "max-instances", limits.max_instances),
        ("resource limit exceeded: memory count too high at ", "max-memories", limits.max_memories),
        ("resource limit exceeded: table count too high at ", "max-tables", limits.max_tables),
    ];
    for (beginning, name, limit) in counted {
        if let Some(count) = text.strip_prefix(beginning) {
            return FaultKind::Limit(Exceeded::new(name, limit, count.parse().unwrap_or(limit)));
        }
    }
    if text.contains("fuel allocated for hostcalls has been exhausted") {
        return FaultKind::Limit(Exceeded::reached("hostcall-fuel", limits.hostcall_fuel));
    }
    if text.contains("store handle limit exceeded") {
        return FaultKind::Limit(Exceeded::by_one("max-resources", limits.max_resources));
    }
    FaultKind::Trap { trap: text.into() }
}

/// A function's name as its author wrote it.
pub(crate) fn function_name(frame: &FrameInfo) -> String {
    match frame.func_name() {
        // `{:#}` leaves out the hash that Rust appends.
        Some(name) => format!("{:#}", demangle(name)),
        None => format!("function {}", frame.func_index()),
    }
}

/// A panic of Rust goes through a dozen functions before it traps. They are the same every time, and would
/// hide the author's own. This is how many of the innermost ones they are.
pub(crate) fn panic_runtime(frames: &[String]) -> usize {
    let Some(panic) = frames.iter().position(|name| name.ends_with("rust_begin_unwind")) else {
        return 0;
    };
    let behind = &frames[panic + 1..];
    // `panic_fmt` and its kin; then what `unwrap`, `expect`, slices and others call when they fail.
    let raises = |name: &String| {
        name.starts_with("core::panicking::") || (name.starts_with("core::") && name.contains("_fail"))
    };
    panic + 1 + behind.iter().position(|name| !raises(name)).unwrap_or(behind.len())
}

impl fmt::Display for PostMortem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames: Vec<String> = self.frames().iter().map(function_name).collect();
        let Self { call, kind, last_lines, .. } = self;
        Sentence { call: *call, kind, last_lines, frames: &frames }.fmt(f)
    }
}

/// A fault in one sentence.
pub(crate) struct Sentence<'a> {
    pub(crate) call: Call,
    pub(crate) kind: &'a FaultKind,
    pub(crate) last_lines: &'a [String],
    pub(crate) frames: &'a [String],
}

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.call;
        match self.kind {
            FaultKind::Trap { trap } => write!(f, "the module trapped in `{call}`: {}", line(trap))?,
            FaultKind::Limit(exceeded) => {
                write!(f, "the module was ended in `{call}` by the limit {}", line(&exceeded.to_string()))?;
            }
            FaultKind::Deadline(Exceeded { name, limit, .. }) => {
                let name = line(name);
                write!(f, "the module was ended in `{call}`, which took longer than {limit} ms ({name})")?;
            }
            FaultKind::Exit { code } => write!(f, "the module called exit({code}) in `{call}`")?,
            FaultKind::Host { reason } => {
                write!(f, "the host ended the module in `{call}`: {}", line(reason))?;
            }
        }
        let last_words = last_words(self.last_lines);
        if !last_words.is_empty() {
            write!(f, "; its last words: {last_words}")?;
        }
        let frames = &self.frames[panic_runtime(self.frames)..];
        if !frames.is_empty() {
            let shown: Vec<String> = frames.iter().take(FRAMES_SHOWN).map(|name| line(name)).collect();
            write!(f, "; at {}", shown.join(" < "))?;
            let more = frames.len().saturating_sub(FRAMES_SHOWN);
            if more > 0 {
                write!(f, " and {more} more")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(frames: &[&str]) -> String {
        let frames: Vec<String> = frames.iter().map(|name| (*name).to_owned()).collect();
        let kind = FaultKind::Trap { trap: "unreachable".into() };
        Sentence { call: Call::Receive, kind: &kind, last_lines: &[], frames: &frames }.to_string()
    }

    #[test]
    fn the_functions_that_raise_a_panic_are_left_out() {
        let panic =
            ["abort", "__rustc::rust_panic", "__rustc::rust_begin_unwind", "core::panicking::panic_fmt"];
        let own = ["core::option::unwrap_failed", "my::module::explode", "my::module::receive"];
        let shown = sentence(&[&panic[..], &own[..]].concat());
        assert_eq!(
            shown,
            "the module trapped in `receive`: unreachable; at my::module::explode < my::module::receive"
        );
    }

    #[test]
    fn other_traps_show_all_functions_up_to_a_number() {
        assert_eq!(sentence(&["a", "b"]), "the module trapped in `receive`: unreachable; at a < b");
        let many = vec!["deep"; 20];
        assert!(sentence(&many).ends_with("deep < deep and 8 more"));
    }

    #[test]
    fn a_name_cannot_write_on_the_terminal() {
        assert!(sentence(&["\x1b[2J"]).ends_with("at \\u{1b}[2J"));
    }
}
