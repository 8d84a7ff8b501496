//! Files that are no modules are refused with a sentence that says what is wrong and what to do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;

use sandgate_host::{Limits, LoadError, Module};

/// An empty core module and an empty component.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn refusal(path: &Path) -> LoadError {
    match Module::load(support::engine(), path, &Limits::default()) {
        Err(error) => error,
        Ok(_) => panic!("{} is no module", path.display()),
    }
}

fn refusal_of(bytes: &[u8]) -> LoadError {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.wasm");
    fs::write(&path, bytes).unwrap();
    let error = refusal(&path);
    assert!(error.to_string().contains("m.wasm"), "the sentence names the file: {error}");
    error
}

#[test]
fn a_missing_file() {
    let error = refusal(Path::new("/nowhere/module.wasm"));
    assert!(matches!(error, LoadError::Read { .. }), "{error}");
    assert!(error.to_string().contains("/nowhere/module.wasm"));
}

#[test]
fn something_else_than_webassembly() {
    for bytes in [&b""[..], b"\0asm", b"#!/bin/sh\n", b"\x7fELF\0\0\0\0\0"] {
        assert!(matches!(refusal_of(bytes), LoadError::NotWasm { .. }));
    }
}

#[test]
fn a_core_module() {
    let error = refusal_of(CORE_MODULE);
    assert!(matches!(error, LoadError::CoreModule { .. }), "{error}");
    assert!(error.to_string().contains("wasm32-wasip2"), "{error}");
}

#[test]
fn a_component_of_another_world() {
    let error = refusal_of(EMPTY_COMPONENT);
    assert!(matches!(error, LoadError::World { .. }), "{error}");
    assert!(error.to_string().contains("sandgate:gateway/module@0.1.0"), "{error}");
}

#[test]
fn a_broken_component() {
    let whole = fs::read(support::guest("echo")).unwrap();
    let error = refusal_of(&whole[..whole.len() / 2]);
    assert!(matches!(error, LoadError::Compile { .. }), "{error}");
}
