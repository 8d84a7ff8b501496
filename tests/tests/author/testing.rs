//! `wasm-host test`.

use std::fs;

use sandgate_tests::programs::workspace;
use sandgate_tests::scratch::Scratch;

use crate::tool::{guest, wasm_host};

/// Writes cases to a file and plays them.
fn play(scratch: &Scratch, module: &str, cases: &str, options: &[&str]) -> crate::tool::Answer {
    let file = scratch.write("mine.json", cases);
    let module = guest(module);
    wasm_host(scratch, &[&["test", &module, file.to_str().unwrap()], options].concat(), "")
}

#[test]
fn the_examples_pass_their_cases() {
    let scratch = Scratch::new();
    for name in ["annotate", "threshold", "sampler"] {
        let cases = workspace().join("guest-modules/cases").join(name);
        let module = guest(&format!("modules/{name}"));
        let played = wasm_host(&scratch, &["test", &module, cases.to_str().unwrap()], "").ended_with(0);
        assert!(played.lines().len() > 10 && !played.out.contains("FAIL"), "{}", played.out);
    }
}

#[test]
fn a_difference_is_shown_by_lines_and_written_for_a_build_server() {
    let scratch = Scratch::new();
    let cases = r#"[
      {"name": "good", "steps": [{"receive": {"text": "x"}, "publishes": [{"text": "x"}]}]},
      {"name": "bad", "steps": [{"receive": {"text": "x"}, "publishes": [{"text": "y"}]}]}
    ]"#;
    let results = scratch.file("results.xml");
    let played = play(&scratch, "modules/echo", cases, &["--junit", results.to_str().unwrap()]).ended_with(1);
    let lines = played.lines();
    assert!(lines.contains(&"ok   mine.json: good") && lines.contains(&"FAIL mine.json: bad"), "{lines:?}");
    assert!(
        lines.contains(&r#"     -       "text": "y""#) && lines.contains(&r#"     +       "text": "x""#),
        "{lines:?}"
    );
    assert_eq!(lines.last(), Some(&"2 cases: 1 passed, 1 failed"));
    let results = fs::read_to_string(results).unwrap();
    assert!(results.contains(r#"tests="2" failures="1""#) && results.contains("<failure"), "{results}");
    let filtered = play(&scratch, "modules/echo", cases, &["--filter", "goo"]).ended_with(0);
    assert_eq!(filtered.lines().last(), Some(&"1 cases: 1 passed, 0 failed"));
}

#[test]
fn traps_and_limits_are_what_a_case_can_expect() {
    let scratch = Scratch::new();
    let trap = r#"{"steps": [
        {"receive": {"text": "1"}, "publishes": [{"text": "1"}]},
        {"receive": {"properties": {"trap": "why not"}}, "trap": ["traps in receive: why not", "explode"]}
    ]}"#;
    play(&scratch, "fixtures/trap_receive", trap, &[]).ended_with(0);
    let unexpected = trap.replace(r#""trap": ["#, r#""error": ["#);
    let played = play(&scratch, "fixtures/trap_receive", &unexpected, &[]).ended_with(1);
    assert!(played.out.contains(r#"+   "trap": ["#), "{}", played.out);
    let timer = r#"{"config": 5000, "steps": [{"after": "4999ms"}, {"after": "1ms", "trap": "on-timer"}]}"#;
    play(&scratch, "fixtures/trap_on_timer", timer, &[]).ended_with(0);
    let spin = r#"{"steps": [{"receive": {"properties": {"spin": ""}}, "trap": "timeout-receive"}]}"#;
    play(&scratch, "fixtures/spin_receive", spin, &["-W", "timeout-receive=100ms"]).ended_with(0);
    let create = r#"{"create": {"trap": "`create`"}}"#;
    play(&scratch, "fixtures/trap_create", create, &[]).ended_with(0);
}

#[test]
fn what_cannot_be_used_is_no_difference() {
    let scratch = Scratch::new();
    for (cases, said) in [
        ("no JSON", "mine.json"),
        (r#"{"steps": [{"recieve": {}}]}"#, "unknown field `recieve`"),
        (r#"{"steps": [{"after": "soon"}]}"#, "cannot be `soon`"),
        ("[]", "no case"),
    ] {
        let played = play(&scratch, "modules/echo", cases, &[]).ended_with(64);
        assert!(played.err.contains(said), "{cases}: {}", played.err);
    }
    play(&scratch, "modules/echo", "{}", &["--filter", "something else"]).ended_with(64);
    let module = scratch.write("text.wasm", "no module");
    let cases = scratch.write("cases.json", "{}");
    let arguments = ["test", module.to_str().unwrap(), cases.to_str().unwrap()];
    wasm_host(&scratch, &arguments, "").ended_with(64);
    wasm_host(&scratch, &["test", &guest("modules/echo")], "").ended_with(64);
}

#[test]
fn the_examples_in_the_document_are_messages_and_cases_that_pass() {
    let scratch = Scratch::new();
    let document = fs::read_to_string(workspace().join("docs/testing.md")).unwrap();
    let blocks = document.split("```json\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let (mut messages, mut cases) = (0, 0);
    for block in blocks {
        if block.contains("interval.ms") {
            play(&scratch, "modules/sampler", block, &[]).ended_with(0);
            cases += 1;
        } else if block.contains("config") {
            play(&scratch, "modules/threshold", block, &[]).ended_with(0);
            cases += 1;
        } else {
            let ran = wasm_host(&scratch, &["run", &guest("modules/echo")], block).ended_with(0);
            assert_eq!(ran.lines().len(), 1, "{block}");
            messages += 1;
        }
    }
    assert_eq!((messages, cases), (1, 3));
}
