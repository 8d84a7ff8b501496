//! The C interface, seen from C: its headers, its layouts, and its functions called by a C program.

#![allow(clippy::unwrap_used, reason = "test code: a failed expectation is a failed test")]

mod support;

use std::fmt::Write;
use std::mem::{offset_of, size_of};

use sandgate_native_interface::module::Api1;
use support::{Compiler, native, run, source};

#[test]
fn a_c_program_finds_everything_as_v1_has_it() {
    let Some(compiler) = Compiler::find() else { return };
    let program = compiler.program("values", &native().join("tests/c/values.c"));
    let output = run(&program);
    assert!(String::from_utf8_lossy(&output.stderr).contains("all of version 1.0.0 holds"));
}

/// What C makes of the headers, against what this side was compiled with and what V1's programs have.
#[test]
fn sizes_and_offsets_are_those_of_v1() {
    let Some(compiler) = Compiler::find() else { return };
    let word = size_of::<usize>();
    let api = |field: &str, offset: usize| (format!("offsetof(MODULE_API_1, {field})"), offset);
    let facts = [
        ("sizeof(MODULE_API_1)".to_owned(), size_of::<Api1>()),
        api("base", offset_of!(Api1, version)),
        api("Module_ParseConfigurationFromJson", offset_of!(Api1, parse_configuration)),
        api("Module_FreeConfiguration", offset_of!(Api1, free_configuration)),
        api("Module_Create", offset_of!(Api1, create)),
        api("Module_Destroy", offset_of!(Api1, destroy)),
        api("Module_Receive", offset_of!(Api1, receive)),
        api("Module_Start", offset_of!(Api1, start)),
        ("sizeof(MODULE_API)".to_owned(), 4),
        ("MODULE_API_VERSION_1".to_owned(), 0),
        ("sizeof(MODULE)".to_owned(), 2 * word),
        ("sizeof(MESSAGE_CONFIG)".to_owned(), 3 * word),
        ("offsetof(MESSAGE_CONFIG, source)".to_owned(), word),
        ("offsetof(MESSAGE_CONFIG, sourceProperties)".to_owned(), 2 * word),
        ("sizeof(MESSAGE_BUFFER_CONFIG)".to_owned(), 2 * word),
        ("offsetof(MESSAGE_BUFFER_CONFIG, sourceProperties)".to_owned(), word),
        ("sizeof(CONSTBUFFER)".to_owned(), 2 * word),
        ("offsetof(CONSTBUFFER, size)".to_owned(), word),
        ("BROKER_ERROR".to_owned(), 1),
        ("BROKER_INVALIDARG".to_owned(), 4),
        ("MAP_FILTER_REJECT".to_owned(), 5),
        ("CONSTMAP_KEYNOTFOUND".to_owned(), 3),
    ];
    let mut text = String::from("#include \"module_access.h\"\n");
    for (expression, value) in facts {
        writeln!(text, "_Static_assert({expression} == {value}, \"{expression}\");").unwrap();
    }
    text.push_str("int main(void) { return 0; }\n");
    compiler.program("layout", &source(&compiler, "layout.c", &text));
}

#[test]
fn each_header_stands_by_itself() {
    let Some(compiler) = Compiler::find() else { return };
    let include = native().join("include");
    let mut folders = vec![include.clone()];
    let mut headers = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&include).unwrap().display();
            // Twice, as headers that include each other do.
            let text = format!("#include \"{name}\"\n#include \"{name}\"\nint main(void) {{ return 0; }}\n");
            compiler.program("header", &source(&compiler, "header.c", &text));
            headers += 1;
        }
    }
    assert!(headers > 10, "the headers are not found any more");
}
