//! `wasm-host bindings` and `wasm-host componentize`, around compilers that know nothing of components. A language whose
//! compiler has not been fetched is left out, and said so; `cargo xtask guests LANGUAGE` fetches it.

use sandgate_tests::programs::workspace;
use sandgate_tests::project::Project;
use sandgate_tests::scratch::Scratch;

use crate::tool::{guest, wasm_host};

/// A new project builds and passes its test, by the commands of its own README, with the compiler that is there.
fn a_new_project_works(language: &'static str) {
    let scratch = Scratch::new();
    let Some(project) = Project::named(&scratch, language, "my-module") else { return };
    assert_eq!(project.readme(), ["make", "make test"]);
    let told: Vec<_> = project.readme().iter().map(|line| project.run(line)).collect();
    assert!(told[1].contains("2 cases: 2 passed"), "{told:?}");
}

#[test]
fn a_new_project_in_c_builds_and_passes_its_test() {
    a_new_project_works("c");
}

#[test]
fn a_new_project_in_cpp_builds_and_passes_its_test() {
    a_new_project_works("cpp");
}

#[test]
fn a_new_project_in_zig_builds_and_passes_its_test() {
    a_new_project_works("zig");
}

#[test]
fn a_new_project_in_go_builds_and_passes_its_test() {
    a_new_project_works("go");
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
