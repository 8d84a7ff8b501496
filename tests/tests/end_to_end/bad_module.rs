//! Modules and arguments that `wasm-host` cannot use: exit status 64, and a sentence with the mend.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

use sandgate_tests::process::Process;
use sandgate_tests::programs::{command, guest, program, waiting_host};
use sandgate_tests::scratch::Scratch;

/// Starts a host that must end with this status, and gives what it wrote.
fn ended<A: AsRef<OsStr>>(scratch: &Scratch, arguments: &[A], status: i32, sentence: &str) {
    let mut host = Process::start(command(scratch, program("wasm-host")).args(arguments));
    assert_eq!(host.wait_exit().code(), Some(status), "{}", host.text());
    host.wait_for_line(sentence);
    assert_eq!(host.count_lines("waiting for a gateway"), 0);
}

fn refused(scratch: &Scratch, module: &Path, sentence: &str) {
    let control = scratch.file("c");
    ended(scratch, &["--control".as_ref(), control.as_os_str(), module.as_os_str()], 64, sentence);
    assert!(!control.exists(), "nobody can have seen this host");
}

#[test]
fn a_file_that_is_missing() {
    let scratch = Scratch::new();
    let file = scratch.file("missing.wasm");
    refused(&scratch, &file, &format!("cannot read the module {}: No such file", file.display()));
    refused(&scratch, scratch.path(), "cannot read the module");
}

#[test]
fn files_that_are_no_webassembly() {
    let scratch = Scratch::new();
    for content in [&b""[..], b"\0as", b"\0asm", b"#!/bin/sh\n", &[0x7F, b'E', b'L', b'F', 2, 1, 1, 0, 0]] {
        let file = scratch.write("module.wasm", content);
        refused(&scratch, &file, "is no WebAssembly file; give a component");
    }
}

#[test]
fn a_core_module() {
    let scratch = Scratch::new();
    let file = scratch.write("core.wasm", b"\0asm\x01\0\0\0");
    refused(&scratch, &file, "is a core WebAssembly module, not a component; build it for wasm32-wasip2");
}

#[test]
fn a_component_of_another_world() {
    let scratch = Scratch::new();
    let file = scratch.write("empty.wasm", b"\0asm\x0d\0\x01\0");
    refused(&scratch, &file, "it lacks the export `sandgate:gateway/module@0.1.0`");
}

#[test]
fn a_component_that_is_cut_off() {
    let scratch = Scratch::new();
    let whole = fs::read(guest("modules/echo")).unwrap();
    let file = scratch.write("half.wasm", &whole[..whole.len() / 2]);
    refused(&scratch, &file, "half.wasm cannot be compiled");
}

#[test]
fn addresses_that_are_none() {
    let scratch = Scratch::new();
    let module = guest("modules/echo");
    let module = module.to_str().unwrap();
    let long = format!("/tmp/{}", "x".repeat(200));
    for (address, sentence) in [
        ("http://x", "`http://` is no known kind of address"),
        ("tcp://x", "write tcp://HOST:PORT"),
        ("", "--control"),
        (&long, "has 205 bytes, the system allows 107"),
    ] {
        ended(&scratch, &["--control", address, module], 64, sentence);
    }
}

#[test]
fn a_control_address_that_cannot_be_bound() {
    let scratch = Scratch::new();
    let module = guest("modules/echo");
    let module = module.to_str().unwrap();
    let nowhere = scratch.id("no/such/c");
    ended(&scratch, &["--control", &nowhere, module], 1, "there is no directory");
    let file = scratch.write("file", "a letter");
    ended(&scratch, &["--control", file.to_str().unwrap(), module], 1, "it is no socket");
    assert_eq!(fs::read(file).unwrap(), b"a letter");
}

#[test]
fn a_control_address_in_use() {
    let scratch = Scratch::new();
    let module = guest("modules/echo");
    let mut first = waiting_host(&scratch, &scratch.id("c"), "modules/echo", &[]);
    let arguments = ["--control", &scratch.id("c"), module.to_str().unwrap()];
    ended(&scratch, &arguments, 1, "another process does already");
    assert!(first.is_running() && scratch.file("c").exists(), "the first is not disturbed");
    first.stop();
    // A socket that a dead process has left is no obstacle.
    drop(UnixListener::bind(scratch.file("c")).unwrap());
    waiting_host(&scratch, &scratch.id("c"), "modules/echo", &[]).stop();
}

#[test]
fn a_command_line_that_cannot_be_used() {
    let scratch = Scratch::new();
    let module = guest("modules/echo");
    let module = module.to_str().unwrap();
    ended(&scratch, &[module], 64, "--control");
    ended(&scratch, &["--control", "c", "-W", "timeout=0", module], 64, "a time from 1 ms to 86400 s");
    ended(&scratch, &["--control", "c", "--no-such", module], 64, "--no-such");
    ended(&scratch, &["--help"], 0, "Usage: wasm-host");
    ended(&scratch, &["--version"], 0, "wasm-host ");
}
