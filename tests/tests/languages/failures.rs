//! What ends an instance is told with the function of the module's own source where it happened, whatever the language.
//! The modules are built as new projects are.

use std::fs;
use std::path::Path;

use sandgate_tests::book::texts;
use sandgate_tests::programs::{command, guest, program};
use sandgate_tests::project::Project;
use sandgate_tests::scratch::Scratch;

/// What is told of a module that gets one message with this text as its property `trap`.
fn ended(scratch: &Scratch, component: &Path, configuration: &str, text: &str, status: i32) -> String {
    let input = format!("{{\"properties\": {{\"trap\": \"{text}\"}}}}\n");
    let input = scratch.write("messages.ndjson", input);
    let mut host = command(scratch, program("wasm-host"));
    host.args(["run", "-W", "compile-timeout=600s", "--config", configuration]).arg(component);
    let output = host.stdin(fs::File::open(input).unwrap()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{told}");
    told
}

/// The verdict on a module that is all of its project.
fn verdict_on(language: &'static str, file: &str, source: &str, texts: &[&str]) -> Option<Vec<String>> {
    let scratch = Scratch::new();
    let project = Project::new(&scratch, language)?;
    fs::write(project.file(file), source).unwrap();
    project.build();
    Some(texts.iter().map(|text| ended(&scratch, &project.component(), "null", text, 2)).collect())
}

fn has(verdict: &str, words: &[&str]) {
    for word in words {
        assert!(verdict.contains(word), "no {word:?} in {verdict}");
    }
}

#[test]
fn a_failure_in_rust_names_its_function() {
    let scratch = Scratch::new();
    let verdict = ended(&scratch, &guest("fixtures/trap_receive"), "null", "why not", 2);
    has(&verdict, &["this module traps in receive: why not", "\n    at trap_receive::explode"]);
}

const C: &str = r#"
#include <assert.h>
#include <string.h>
#include "sandgate.h"

__attribute__((noinline)) static int reading(const char *text) {
    assert(*text == 'a' && "a word with an a");
    return *text;
}

__attribute__((noinline)) static int deep(volatile char *above, int count) {
    volatile char here[4096];
    memset((void *)here, count, sizeof here);
    return count == 0 ? above[0] : deep(here, count - 1) + here[7] + above[0];
}

const char *module_create(const char *configuration) {
    (void)configuration;
    return NULL;
}

void module_start(void) {}

const char *module_receive(sandgate_message *message, const sandgate_delivery *delivery) {
    (void)delivery;
    const char *text = sandgate_property(message, "trap");
    char last = 0;
    /* Half a mebibyte of stack, where there is a quarter. */
    int is_deep = strcmp(text, "deep") == 0;
    int sum = is_deep ? deep(&last, 128) : reading(text);
    return sum == 0 ? "nothing" : sandgate_publish(message);
}

void module_destroy(void) {}
"#;

/// Also of a stack that has become too deep: that is no damage to what lies beside it.
#[test]
fn a_failure_in_c_names_its_function() {
    let verdicts = verdict_on("c", "module.c", C, &["x", "deep"]).unwrap();
    has(&verdicts[0], &["a word with an a", "\n    at reading\n", "\n    at module_receive\n"]);
    has(&verdicts[1], &["out of bounds memory access", "\n    at deep\n"]);
}

const CPP: &str = r#"
#include <vector>
#include "sandgate.hpp"

class Site : public sandgate::Module {
    std::vector<int> values_{1, 2, 3};

    sandgate::Result create(const std::string&) override { return {}; }

    [[gnu::noinline]] int reading(std::size_t index) { return values_.at(index); }

    sandgate::Result receive(sandgate::Message& message, const sandgate::Delivery&) override {
        message.set_property("value", std::to_string(reading(message.content().size() + 3)));
        return message.publish();
    }
};

SANDGATE_MODULE(Site);
"#;

#[test]
fn a_failure_in_cpp_names_its_function() {
    let Some(verdicts) = verdict_on("cpp", "module.cpp", CPP, &["x"]) else { return };
    has(&verdicts[0], &["\n    at Site::reading(unsigned long)\n", "\n    at Site::receive("]);
}

const ZIG: &str = r#"
const std = @import("std");
const sandgate = @import("sandgate");

const Site = struct {
    values: [4]u32 = .{ 1, 2, 3, 4 },

    pub const Args = std.json.Value;
    pub const example = "null";

    pub fn create(_: Args) !Site {
        return .{};
    }

    pub fn receive(self: *Site, message: *sandgate.Message, _: sandgate.Delivery) !void {
        if (self.reading(message.content.len + 4) == 0) return sandgate.fail("nothing", .{});
    }

    noinline fn reading(self: *Site, index: usize) u32 {
        return self.values[index];
    }
};

pub const std_options = sandgate.options;
pub const panic = sandgate.panic;

comptime {
    sandgate.exportModule(Site);
}
"#;

#[test]
fn a_failure_in_zig_names_its_function() {
    let Some(verdicts) = verdict_on("zig", "module.zig", ZIG, &["x"]) else { return };
    has(&verdicts[0], &["panic: index out of bounds: index 4, len 4", "\n    at module.Site.reading\n"]);
}

const GO: &str = r#"
package main

import "sandgate.example/sandgate"

type module struct{ values []int }

func create(_ any) (sandgate.Module, error) { return &module{[]int{1, 2, 3}}, nil }

//go:noinline
func (m *module) reading(index int) int { return m.values[index] }

func (m *module) Receive(message *sandgate.Message, _ sandgate.Delivery) error {
	m.reading(len(message.Content) + 3)
	return nil
}

func init() { sandgate.Export("null", create) }

func main() {}
"#;

#[test]
fn a_failure_in_go_names_its_function() {
    // Go writes no signs into the names.
    let Some(verdicts) = verdict_on("go", "module.go", GO, &["x"]) else { return };
    has(&verdicts[0], &["index out of range [3] with length 3", "\n    at main.__module_.reading\n"]);
}

const JAVASCRIPT: &str = r#"
import { component } from "./sdk/sandgate.js";

class Site {
    start() {
        if (this.failing === "start") this.reading(undefined);
    }

    create(configuration) {
        this.failing = configuration;
    }

    receive() {
        this.reading(undefined);
    }

    reading(values) {
        return values.celsius;
    }
}

export const { module } = component(Site);
"#;

#[test]
fn a_failure_in_javascript_names_its_function_and_line() {
    let failure = ["cannot read property 'celsius' of undefined", "at reading (/module.js:18:"];
    failures_are_told("javascript", "module.js", JAVASCRIPT, &failure);
}

const TYPESCRIPT: &str = r#"
import { component, type Module } from "./sdk/sandgate.js";

type Values = { celsius: number };

class Site implements Module {
    start() {
        this.reading(JSON.parse("null"));
    }

    reading(values: Values) {
        return values.celsius;
    }
}

export const { module } = component(Site);
"#;

/// The lines are those of the emitted JavaScript, where the type is gone and nothing else.
#[test]
fn a_failure_in_typescript_names_its_function_and_line() {
    let Some(verdicts) = verdict_on("typescript", "module.ts", TYPESCRIPT, &["x"]) else { return };
    has(&verdicts[0], &["cannot read property 'celsius' of null", "at reading (/build/module.js:7:"]);
}

const PYTHON: &str = r#"
from sandgate import GatewayModule, component


class Site(GatewayModule):
    def create(self, configuration):
        self.failing = configuration

    def start(self):
        if self.failing == "start":
            self.reading({})

    def receive(self, message, delivery):
        self.reading({})

    def reading(self, values):
        return values["celsius"]


Module, _ = component(Site)
"#;

#[test]
fn a_failure_in_python_names_its_function_and_line() {
    failures_are_told("python", "module.py", PYTHON, &["KeyError: 'celsius'", "line 17, in reading"]);
}

/// A failure of `start` gives a verdict with the language's own stack; one of `receive` is an answer with the stack on a
/// line, the same that the language's page shows.
fn failures_are_told(language: &'static str, file: &str, source: &str, words: &[&str]) {
    let scratch = Scratch::new();
    let Some(project) = Project::new(&scratch, language) else { return };
    fs::write(project.file(file), source).unwrap();
    project.build();
    has(&ended(&scratch, &project.component(), "\"start\"", "", 2), words);
    let shown = texts(&format!("docs/languages/{language}.md"), "text");
    let [line] = &shown[..] else { panic!("{shown:?}") };
    let (_, shown) = line.split_once("failed to handle messages: ").unwrap();
    let (shown, _) = shown.split_once(" module=").unwrap();
    has(&ended(&scratch, &project.component(), "null", "", 0), &[shown]);
}
