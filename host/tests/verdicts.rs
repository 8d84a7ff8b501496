//! Verdicts of real modules: what they say, and that `replay` comes to the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use sandgate_host::{Call, FaultKind, Limits, Module, Verdict, replay};
use support::{engine, guest, seed};
use tokio::runtime::Handle;

async fn verdict_of(guest_name: &str, seed: Verdict) -> Verdict {
    let module = Module::load(engine(), &guest(guest_name), &Limits::default()).unwrap();
    let runtime = Handle::current();
    let played = tokio::task::spawn_blocking(move || {
        let played = replay(&seed, &module, Limits::default(), runtime).unwrap();
        let again = played.verdict.expect("the module is ended");
        // What a host would have known besides.
        Verdict { message: seed.message, attempt: seed.attempt, ..again }
    });
    played.await.unwrap()
}

async fn trap_with_lines() -> Verdict {
    verdict_of("trap_with_lines", seed(Call::Receive, "null", &[("misbehave", "1")], b"content")).await
}

#[tokio::test]
async fn a_trap_is_told_with_its_functions_files_and_lines() {
    let verdict = trap_with_lines().await;
    assert_eq!(verdict.failure, FaultKind::Trap { trap: "wasm `unreachable` instruction executed".into() });
    let own = verdict.own_frame().unwrap();
    assert!(own.function.ends_with("explode"), "{own:?}");
    let source = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../guest-modules/rust/fixtures/examples/trap_with_lines.rs"),
    )
    .unwrap();
    for frame in &verdict.frames {
        let (Some(file), Some(line)) = (&frame.file, frame.line) else { continue };
        if file.ends_with("trap_with_lines.rs") {
            assert!(source.lines().count() >= line as usize, "{frame:?}");
        }
    }
    let line = source.lines().nth(own.line.unwrap() as usize - 1).unwrap();
    assert!(line.contains("panic!"), "{own:?} is at: {line}");
    let caller = verdict.frames.iter().find(|frame| frame.function.ends_with("light_the_fuse")).unwrap();
    let line = source.lines().nth(caller.line.unwrap() as usize - 1).unwrap();
    assert!(line.contains("explode(properties)"), "{caller:?} is at: {line}");
    assert!(verdict.last_lines.iter().any(|line| line.contains("a line that can be named")), "{verdict:?}");
    assert!(verdict.memory.peak > 1 << 16 && verdict.memory.peak < verdict.memory.limit, "{verdict:?}");
    assert_eq!(verdict.digest.len(), 64);
    assert_eq!(verdict.world, "sandgate:gateway/gateway-module@0.1.0");
}

#[tokio::test]
async fn a_module_without_line_tables_is_told_by_its_functions() {
    let verdict = verdict_of("trap_receive", seed(Call::Receive, "null", &[("trap", "1")], b"")).await;
    assert!(verdict.own_frame().unwrap().function.ends_with("explode"), "{verdict:?}");
    assert!(verdict.frames.iter().all(|frame| frame.file.is_none() && frame.offset.is_some()));
}

fn program(verdict: &Path, guest_name: &str, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wasm-host"));
    command.arg("replay").arg(verdict).arg(guest(guest_name)).args(options);
    command.output().unwrap()
}

#[tokio::test]
async fn the_program_replays_a_verdict_and_says_whether_it_was_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("verdict.json");
    let expect = |output: &Output, status: i32, words: &str| {
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains(words), "{said}");
    };
    let verdict = trap_with_lines().await;
    fs::write(&path, verdict.to_json()).unwrap();
    expect(&program(&path, "trap_with_lines", &[]), 0, "the same:  yes");
    // Another module, and another one by force.
    expect(&program(&path, "echo", &[]), 64, "its digest differs");
    expect(&program(&path, "echo", &["--force"]), 1, "published: 1");
    // The same module ends otherwise within other limits.
    expect(&program(&path, "trap_with_lines", &["-W", "timeout=1s,max-instances=1"]), 1, "max-instances");
    let other = Verdict { frames: Vec::new(), ..verdict };
    fs::write(&path, other.to_json()).unwrap();
    expect(&program(&path, "trap_with_lines", &[]), 1, "the same:  no");
    fs::write(&path, "{}").unwrap();
    expect(&program(&path, "trap_with_lines", &[]), 64, "no verdict");
    expect(&program(&directory.path().join("none"), "trap_with_lines", &[]), 64, "cannot be used");
}

#[tokio::test]
async fn every_call_can_be_replayed() {
    let calls = [
        ("trap_create", Call::Create, "null"),
        ("trap_start", Call::Start, "null"),
        ("trap_on_timer", Call::OnTimer, "1000000"),
        ("trap_destroy", Call::Destroy, "null"),
        ("exit_failure", Call::Receive, "null"),
    ];
    for (guest_name, call, arguments) in calls {
        let verdict = verdict_of(guest_name, seed(call, arguments, &[("misbehave", "1")], b"")).await;
        assert_eq!(verdict.call, call, "{verdict}");
        let again = verdict_of(guest_name, Verdict { timer: Some(0), ..verdict.clone() }).await;
        assert!(verdict.is_again(&again), "{verdict}\n{again}");
    }
}

/// The document's example is a verdict of `trap_with_lines`, with the same fields.
#[tokio::test]
async fn the_document_describes_every_field_and_its_example_is_a_verdict() {
    let document = include_str!("../../docs/verdicts.md");
    let example = document.split("```json").nth(1).unwrap().split("```").next().unwrap();
    let example = Verdict::from_json(example).unwrap();
    let verdict = trap_with_lines().await;
    assert!(verdict.is_again(&example), "put this into docs/verdicts.md:\n{}", verdict.to_json());
    assert_eq!((&verdict.arguments, &verdict.message), (&example.arguments, &example.message));
    let fields = serde_json::to_value(&verdict).unwrap();
    let mut names: Vec<&String> = fields.as_object().unwrap().keys().collect();
    for inner in ["memory", "message"] {
        names.extend(fields[inner].as_object().unwrap().keys());
    }
    names.extend(fields["frames"][0].as_object().unwrap().keys());
    for name in names {
        assert!(document.contains(&format!("`{name}`")), "docs/verdicts.md describes `{name}`");
    }
}
