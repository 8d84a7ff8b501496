//! From the bytes of a file to code that runs.

#![allow(unsafe_code, reason = "Wasmtime cannot tell code from what only looks like it")]

use wasmtime::component::Component;
use wasmtime::{Engine, Result};

use super::folder::Code;

/// Makes a component of code.
///
/// # Errors
/// The code is for another engine, or its instances have no place in this one.
pub(crate) fn load(engine: &Engine, code: &Code) -> Result<Component> {
    // SAFETY: the bytes must be what `Component::serialize` gave. Only `Precompiled::find` makes a `Code`, of a file
    // that this process cannot have written (`guard`) and whose bytes are those that were written (`file`); that who
    // can write there puts nothing else there is what the operator vouches for by naming the folder. Wasmtime itself
    // refuses what another version made or is for another processor or other settings.
    unsafe { Component::deserialize(engine, code.bytes()) }
}
