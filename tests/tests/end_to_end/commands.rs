//! The commands of the documents that need nothing but files in the working directory: they are run as they stand.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use sandgate_tests::config::{Configuration, launched};
use sandgate_tests::process::Process;
use sandgate_tests::programs::{command, guest, with_programs, workspace};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::V1Gateway;
use sandgate_tests::wait::until_some;
use serde_json::{Value, json};

pub(crate) const NEW: &str = "wasm-host new rust my-module";
pub(crate) const RUN: &str = r#"wasm-host run threshold.wasm --config '{"pointer": "/value", "window": 2, "above": 10}' < messages.ndjson"#;
pub(crate) const INSPECT: &str = "wasm-host inspect annotate.wasm";
pub(crate) const TEST: &str = "wasm-host test annotate.wasm guest-modules/cases/annotate";
pub(crate) const REPLAY: &str = "wasm-host replay verdict.json site.wasm";
pub(crate) const SERVE: &str = "wasm-host --control /tmp/site.control site.wasm";
pub(crate) const SERVE_WITHIN: &str =
    "wasm-host --control /tmp/site.control -W timeout=200ms,max-memory-size=64MiB site.wasm";
pub(crate) const LENIENT: &str = "gateway --v1-lenient old.json";
pub(crate) const ADMINISTERED: &str = "gateway --admin gateway.admin gateway.json";
pub(crate) const STATUS: &str = "gateway status --admin gateway.admin";
pub(crate) const REVIVE: &str = "gateway revive --admin gateway.admin alerts";

/// A line in a shell, in the test's own folder and with its own folder for sockets.
fn typed(scratch: &Scratch, line: &str) -> Command {
    let mut shell = command(scratch, "/bin/sh");
    let line = line.replace("/tmp/", &format!("{}/", scratch.path().display()));
    shell.args(["-c", &format!("exec {line}")]).env("PATH", with_programs());
    shell
}

/// Runs a line that ends by itself and well, and gives what it wrote to standard output.
fn run(scratch: &Scratch, line: &str) -> String {
    let output = typed(scratch, line).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn module(scratch: &Scratch, name: &str, file: &str) {
    symlink(guest(name), scratch.file(file)).unwrap();
}

#[test]
fn the_tools_for_authors_do_what_is_typed() {
    let scratch = Scratch::new();
    for name in ["annotate", "threshold"] {
        module(&scratch, &format!("modules/{name}"), &format!("{name}.wasm"));
    }
    symlink(workspace().join("guest-modules"), scratch.file("guest-modules")).unwrap();
    assert!(run(&scratch, NEW).contains("my-module"));
    assert!(scratch.file("my-module/README.md").is_file());
    scratch.write("messages.ndjson", "{\"json\": {\"value\": 8}}\n");
    assert!(run(&scratch, RUN).contains(r#""average":"8""#));
    assert!(run(&scratch, INSPECT).contains("sandgate:gateway/gateway-module@"));
    assert!(run(&scratch, TEST).contains(" 0 failed"));
}

#[test]
fn a_host_serves_and_its_verdict_is_replayed() {
    let scratch = Scratch::new();
    module(&scratch, "fixtures/trap_receive", "site.wasm");
    let mut limited = Process::start(&mut typed(&scratch, SERVE_WITHIN));
    limited.wait_for_line("waiting for a gateway");
    limited.stop();
    // The same, and verdicts are kept.
    let mut host = Process::start(&mut typed(&scratch, &format!("{SERVE} --verdicts verdicts")));
    let gateway = V1Gateway::dial(&scratch.id("site.control"), &scratch.id("site.message"));
    gateway.attach("null");
    gateway.publish(&[("trap", "why not")], b"");
    let verdict = until_some("a verdict", || {
        let files = fs::read_dir(scratch.file("verdicts")).ok()?;
        let mut files = files.map(|file| file.unwrap().path());
        files.find(|file| file.extension().is_some_and(|end| end == "json"))
    });
    host.stop();
    fs::copy(verdict, scratch.file("verdict.json")).unwrap();
    assert!(run(&scratch, REPLAY).contains("traps in receive: why not"));
}

#[test]
fn a_gateway_is_administered() {
    let scratch = Scratch::new();
    let mut entrypoint = launched(&scratch.id("c"), "/bin/sh", &["-c", "exit 3"], 0);
    entrypoint["launch"]["restart.max"] = json!(1);
    let configuration = Configuration::new().remote("alerts", entrypoint, Value::Null);
    scratch.configuration(&configuration.json());
    let mut gateway = Process::start(&mut typed(&scratch, ADMINISTERED));
    gateway.wait_for_line("host is quarantined");
    let quarantined = || run(&scratch, STATUS).contains("quarantined").then_some(());
    until_some("the status says quarantined", quarantined);
    assert_eq!(run(&scratch, REVIVE), "alerts is revived\n");
    gateway.stop();
}

#[test]
fn an_old_configuration_is_taken_with_warnings() {
    let scratch = Scratch::new();
    let mut old = Configuration::new().hello_world("hello", 20).json();
    old["modules"][0]["a key that V1 ignored"] = json!(1);
    scratch.write("old.json", old.to_string());
    let mut gateway = Process::start(&mut typed(&scratch, LENIENT));
    gateway.wait_for_line_with(&["WARN", "a key that V1 ignored"]);
    gateway.wait_for_line("gateway running");
    gateway.stop();
}
