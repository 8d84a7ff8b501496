//! The `gateway` program: exit statuses, what it says about a bad configuration, and signals.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

fn gateway(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.args(args).current_dir(directory).stderr(Stdio::piped()).env_remove("RUST_LOG");
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Reads the log up to a line that has all of these in it.
fn wait_for(log: &mut BufReader<ChildStderr>, parts: &[&str]) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "the log ended without {parts:?}");
        if parts.iter().all(|part| line.contains(part)) {
            return line.clone();
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

const LAUNCH: &str = r#"{
    "modules": [
        { "name": "hello", "loader": { "name": "builtin", "entrypoint": { "module.name": "hello_world" } },
          "args": { "interval.ms": 1 } },
        { "name": "host", "loader": { "name": "outprocess", "entrypoint": {
            "activation.type": "launch", "control.id": "host.control",
            "launch": { "path": "sh", "args": ["-c", "trap '' TERM; echo ready >&2; sleep 600"] } } }, "args": null },
        { "name": "log", "loader": { "name": "builtin", "entrypoint": { "module.name": "logger" } },
          "args": { "filename": "log.json" } } ],
    "links": [ { "source": "hello", "sink": "host" }, { "source": "hello", "sink": "log" } ] }"#;

#[test]
fn an_unusable_configuration_ends_with_64_and_all_faults() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("bad.json"), r#"{"modules": [{"nam": "a"}], "lnks": []}"#).unwrap();
    let output = gateway(directory.path(), &["bad.json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let text = stderr(&output);
    for part in
        ["bad.json: /modules/0/nam: unknown key (did you mean `name`?)", "/lnks: ", "`links` is missing"]
    {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(text.lines().all(|line| line.starts_with("bad.json: ")), "{text}");
}

#[test]
fn a_missing_file_and_a_bad_command_line_end_with_64() {
    let directory = tempfile::tempdir().unwrap();
    for args in [&["missing.json"][..], &[], &["--nonsense", "x"]] {
        let output = gateway(directory.path(), args).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(!output.stderr.is_empty());
    }
    let help = gateway(directory.path(), &["--help"]).output().unwrap();
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8(help.stdout).unwrap().contains("Examples:"));
}

#[test]
fn the_first_signal_stops_in_good_order() {
    let directory = tempfile::tempdir().unwrap();
    let config = LAUNCH.replace("trap '' TERM; echo ready >&2; sleep 600", "exec sleep 600");
    fs::write(directory.path().join("gateway.json"), config).unwrap();
    let mut child = gateway(directory.path(), &["gateway.json"]).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let line = wait_for(&mut log, &["launched"]);
    assert!(!line.contains('\u{1b}'), "colours where there is no terminal: {line:?}");
    signal(&child, Signal::TERM);
    wait_for(&mut log, &["link", "source=\"hello\"", "sink=\"log\"", "dropped=0", "waiting=0"]);
    wait_for(&mut log, &["gateway stopped"]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let log: Vec<serde_json::Value> =
        serde_json::from_slice(&fs::read(directory.path().join("log.json")).unwrap()).unwrap();
    assert_eq!(log.last().unwrap()["content"], "Log stopped");
}

#[test]
fn the_second_signal_stops_at_once_and_takes_the_hosts_along() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("gateway.json"), LAUNCH).unwrap();
    let mut child = gateway(directory.path(), &["gateway.json"]).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    // From here on the host heeds no SIGTERM, so the first signal cannot be the end.
    wait_for(&mut log, &["ready"]);
    signal(&child, Signal::INT);
    wait_for(&mut log, &["gateway stopping"]);
    signal(&child, Signal::INT);
    wait_for(&mut log, &["stopped at once"]);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    // The host had this end of the log too: it ends when the host and its children have.
    while log.read_line(&mut String::new()).unwrap() > 0 {}
}

#[test]
fn the_samples_can_be_used() {
    for sample in ["proxy_sample", "demo"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples").join(sample).join("gateway.json");
        if let Err(error) = sandgate_gateway::config::Config::load(&file, false) {
            panic!("{error}");
        }
    }
}
