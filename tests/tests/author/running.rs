//! `wasm-host run`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use sandgate_tests::programs::{command, program};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::wait::until_some;

use crate::tool::{guest, wasm_host};

#[test]
fn messages_go_in_and_out_line_by_line() {
    let scratch = Scratch::new();
    let input = "{\"properties\": {\"a\": \"1\"}, \"text\": \"°C\"}\n\n{\"content\": \"/wA=\"}\n{\"json\": [1, null]}";
    let arguments = ["run", &guest("modules/annotate"), "--config", r#"{"site": "lab"}"#];
    let ran = wasm_host(&scratch, &arguments, input).ended_with(0);
    assert_eq!(
        ran.lines(),
        [
            r#"{"properties":{"a":"1","annotated-by":"annotate","site":"lab"},"text":"°C"}"#,
            r#"{"properties":{"annotated-by":"annotate","site":"lab"},"content":"/wA="}"#,
            r#"{"properties":{"annotated-by":"annotate","site":"lab"},"text":"[1,null]"}"#,
        ]
    );
    let again = wasm_host(&scratch, &["run", &guest("modules/echo")], &ran.out).ended_with(0);
    assert_eq!(again.out, ran.out, "what is written is read");
}

#[test]
fn a_line_that_is_no_message_ends_the_run_after_those_before() {
    let scratch = Scratch::new();
    let many = "{\"text\": \"x\"}\n".repeat(100);
    let ran = wasm_host(&scratch, &["run", &guest("modules/echo")], &format!("{many}{{\"txt\": 1}}\n{many}"));
    let ran = ran.ended_with(64);
    assert_eq!(ran.lines().len(), 100);
    assert!(ran.err.contains("line 101") && ran.err.contains("unknown field `txt`"), "{}", ran.err);
}

#[test]
fn the_end_is_told_by_the_exit_status() {
    let scratch = Scratch::new();
    let refused =
        wasm_host(&scratch, &["run", &guest("modules/annotate"), "--config", "7"], "").ended_with(3);
    assert!(refused.err.contains("refused its configuration: args"), "{}", refused.err);
    let input = "{\"text\": \"1\"}\n{\"properties\": {\"trap\": \"why not\"}}\n{\"text\": \"3\"}\n";
    let failed = wasm_host(&scratch, &["run", &guest("fixtures/trap_receive")], input).ended_with(2);
    assert_eq!(failed.lines().len(), 1);
    assert!(failed.err.contains("line 2: the module trapped in `receive`"), "{}", failed.err);
    assert!(failed.err.contains("\n    at ") && failed.err.contains("explode"), "{}", failed.err);
    let spin = ["run", &guest("fixtures/spin_receive"), "-W", "timeout-receive=100ms"];
    let ended = wasm_host(&scratch, &spin, "{\"properties\": {\"spin\": \"\"}}").ended_with(2);
    assert!(ended.err.contains("timeout-receive"), "{}", ended.err);
    let error =
        wasm_host(&scratch, &["run", &guest("modules/sampler"), "--config", SAMPLER], "{}").ended_with(0);
    assert!(error.err.contains("line 1: the module answered with an error"), "{}", error.err);
}

const SAMPLER: &str = r#"{"interval.ms": 1, "text": "tick", "count": 3}"#;

#[test]
fn a_configuration_can_be_a_file_and_must_be_json() {
    let scratch = Scratch::new();
    let module = guest("modules/annotate");
    scratch.write("args.json", "\"seen\"\n");
    let ran = wasm_host(&scratch, &["run", &module, "--config", "@args.json"], "{}").ended_with(0);
    assert!(ran.out.contains(r#""annotation":"seen""#), "{}", ran.out);
    let bad = wasm_host(&scratch, &["run", &module, "--config", "lab"], "{}").ended_with(64);
    assert!(bad.err.contains("--config is no JSON"), "{}", bad.err);
    let absent = wasm_host(&scratch, &["run", &module, "--config", "@absent.json"], "{}").ended_with(64);
    assert!(absent.err.contains("absent.json"), "{}", absent.err);
}

/// The program with its input open.
struct Running {
    child: Child,
    input: Option<ChildStdin>,
    out: BufReader<ChildStdout>,
}

impl Running {
    fn start(scratch: &Scratch, arguments: &[&str]) -> Self {
        let mut command = command(scratch, program("wasm-host"));
        command.arg("run").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, out) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, out }
    }

    fn send(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    fn status(&mut self) -> i32 {
        until_some("the end of wasm-host run", || self.child.try_wait().unwrap()).code().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn timers_run_until_the_input_ends() {
    let scratch = Scratch::new();
    let mut running = Running::start(&scratch, &[&guest("modules/sampler"), "--config", SAMPLER]);
    for number in 1..=3 {
        assert_eq!(running.line(), format!("{{\"properties\":{{\"n\":\"{number}\"}},\"text\":\"tick\"}}\n"));
    }
    running.input = None;
    assert_eq!(running.status(), 0);
}

#[test]
fn a_run_for_a_time_ends_with_its_input_open() {
    let scratch = Scratch::new();
    let mut running = Running::start(&scratch, &[&guest("modules/echo"), "--for", "50ms"]);
    assert_eq!(running.status(), 0);
}

#[test]
fn a_changed_file_becomes_the_next_instance() {
    let scratch = Scratch::new();
    let module = scratch.file("module.wasm");
    let put = |name: &str| {
        let next = scratch.file("next.wasm");
        fs::copy(guest(name), &next).unwrap();
        fs::rename(next, &module).unwrap();
    };
    put("modules/annotate");
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let mut running = Running::start(&scratch, &[&path(&module), "--watch"]);
    let answer = |running: &mut Running| {
        running.send(r#"{"text": "x"}"#);
        running.line()
    };
    assert!(answer(&mut running).contains("annotated-by"));
    put("modules/echo");
    until_some("the next instance", || (!answer(&mut running).contains("annotated-by")).then_some(()));
    // A line that is no message is told, and another may follow.
    running.send("{\"txt\": 1}");
    // What cannot be used leaves the old one running.
    scratch.write("module.wasm", "no module");
    assert!(!answer(&mut running).contains("annotated-by"));
    put("modules/annotate");
    until_some("the third instance", || answer(&mut running).contains("annotated-by").then_some(()));
    kill_process(Pid::from_child(&running.child), Signal::TERM).unwrap();
    assert_eq!(running.status(), 0);
}

#[test]
fn a_failure_is_kept_to_be_tried_again() {
    let scratch = Scratch::new();
    let (module, folder) = (guest("fixtures/trap_receive"), scratch.file("verdicts"));
    let run = ["run", &module, "--verdicts", folder.to_str().unwrap()];
    let failed = wasm_host(&scratch, &run, "{\"properties\": {\"trap\": \"1\"}}\n").ended_with(2);
    let line = failed.err.lines().find_map(|line| line.trim().strip_prefix("to try it again: ")).unwrap();
    let command: Vec<&str> = line.split(' ').collect();
    assert_eq!(command[0], "wasm-host");
    // The same failure again.
    wasm_host(&scratch, &command[1..], "").ended_with(0);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}
