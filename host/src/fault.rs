//! How a module ended when it did not end as it should: a sentence that its author can use.

use std::fmt;
use std::time::Duration;

use rustc_demangle::demangle;
use thiserror::Error;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

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
                Some(trap) => FaultKind::Trap(trap.to_string()),
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
        Some(name) => format!("{:#}", demangle(name)),
        None => format!("function {}", frame.func_index()),
    };
    backtrace.frames().iter().map(name).collect()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FaultKind::Trap(trap) => write!(f, "trapped in `{}`: {trap}", self.call)?,
            FaultKind::Deadline(limit) => {
                write!(f, "was ended in `{}`, which took longer than {} ms", self.call, limit.as_millis())?;
            }
            FaultKind::Exit(code) => write!(f, "called exit({code}) in `{}`", self.call)?,
        }
        if !self.last_words.is_empty() {
            write!(f, "; its last words: {}", self.last_words)?;
        }
        if !self.frames.is_empty() {
            write!(f, "; at {}", self.frames[..self.frames.len().min(FRAMES_SHOWN)].join(" < "))?;
            let more = self.frames.len().saturating_sub(FRAMES_SHOWN);
            if more > 0 {
                write!(f, " and {more} more")?;
            }
        }
        Ok(())
    }
}
