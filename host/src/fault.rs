//! How a module ended when it did not end as it should: a sentence that its author can use.

use std::fmt;
use std::time::Duration;

use rustc_demangle::demangle;
use thiserror::Error;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::transcript::line;

/// Frames that a sentence names; the innermost ones tell most.
const FRAMES_SHOWN: usize = 12;

/// The end of an instance. The instance is gone; nothing else is affected.
#[derive(Clone, Debug, Error)]
pub struct Fault {
    /// The exported function that was being called, or `instantiate`.
    pub call: &'static str,
    /// What happened.
    pub kind: FaultKind,
    /// The guest's functions on the stack, innermost first, by their names in the component.
    pub frames: Vec<String>,
    /// The last that the guest wrote to its standard error, with the message of a panic.
    pub last_words: String,
}

/// What ended an instance.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FaultKind {
    /// The guest broke a rule of WebAssembly, or gave up (a panic is one of these).
    Trap(String),
    /// The call took longer than it may.
    Deadline(Duration),
    /// The guest asked to end the process.
    Exit(i32),
}

impl Fault {
    /// Reads what Wasmtime tells about a failed call.
    pub(crate) fn new(
        call: &'static str,
        error: &wasmtime::Error,
        deadline: Duration,
        last_words: String,
    ) -> Self {
        let kind = if let Some(exit) = error.downcast_ref::<I32Exit>() {
            FaultKind::Exit(exit.0)
        } else {
            match error.downcast_ref::<Trap>() {
                Some(Trap::Interrupt) => FaultKind::Deadline(deadline),
                Some(trap) => {
                    let text = trap.to_string();
                    FaultKind::Trap(text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned())
                }
                None => FaultKind::Trap(format!("{:#}", error.root_cause())),
            }
        };
        let frames = error.downcast_ref::<WasmBacktrace>().map(function_names).unwrap_or_default();
        Self { call, kind, frames, last_words }
    }
}

fn function_names(backtrace: &WasmBacktrace) -> Vec<String> {
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        // `{:#}` leaves out the hash that Rust appends.
        Some(name) => line(&format!("{:#}", demangle(name))),
        None => format!("function {}", frame.func_index()),
    };
    backtrace.frames().iter().map(name).collect()
}

/// A panic of Rust goes through a dozen functions before it traps. They are the same every time, and would
/// hide the author's own.
fn without_panic_runtime(frames: &[String]) -> &[String] {
    let Some(panic) = frames.iter().position(|name| name.ends_with("rust_begin_unwind")) else {
        return frames;
    };
    let behind = &frames[panic + 1..];
    // `panic_fmt` and its kin; then what `unwrap`, `expect`, slices and others call when they fail.
    let raises = |name: &String| {
        name.starts_with("core::panicking::") || (name.starts_with("core::") && name.contains("_fail"))
    };
    let own = behind.iter().position(|name| !raises(name)).unwrap_or(behind.len());
    &behind[own..]
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FaultKind::Trap(trap) => write!(f, "the module trapped in `{}`: {trap}", self.call)?,
            FaultKind::Deadline(limit) => {
                write!(
                    f,
                    "the module was ended in `{}`, which took longer than {} ms",
                    self.call,
                    limit.as_millis()
                )?;
            }
            FaultKind::Exit(code) => write!(f, "the module called exit({code}) in `{}`", self.call)?,
        }
        if !self.last_words.is_empty() {
            write!(f, "; its last words: {}", self.last_words)?;
        }
        let frames = without_panic_runtime(&self.frames);
        if !frames.is_empty() {
            write!(f, "; at {}", frames[..frames.len().min(FRAMES_SHOWN)].join(" < "))?;
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
        let frames = frames.iter().map(|name| (*name).to_owned()).collect();
        let kind = FaultKind::Trap("unreachable".into());
        Fault { call: "receive", kind, frames, last_words: String::new() }.to_string()
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
}
