//! Hosts that the gateway launches: started again when they die, ended in good order or by force, and never
//! left behind.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sandgate_tests::config::{Configuration, launched, pipeline};
use sandgate_tests::log_file::LogFile;
use sandgate_tests::process::{Process, number};
use sandgate_tests::procfs::{Stray, children};
use sandgate_tests::programs::{guest, program, running_gateway};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::V1Host;
use sandgate_tests::wait::until_some;
use sandgate_wire::Control;
use serde_json::{Value, json};

use crate::start_order::assert_annotated;

/// A gateway that launches a `wasm-host` with `annotate`.
fn launching_gateway(scratch: &Scratch, log: &Path) -> Process {
    let (control, host, module) = (scratch.id("c"), program("wasm-host"), guest("modules/annotate"));
    let args = ["--control", &control, module.to_str().unwrap()];
    let entrypoint = launched(&control, host.to_str().unwrap(), &args, 2000);
    running_gateway(scratch, &pipeline(entrypoint, Value::Null, log).json())
}

fn pid_of(line: &str) -> u32 {
    number(line, "pid").try_into().unwrap()
}

/// The nth host that the gateway has launched.
fn host(gateway: &Process, nth: usize) -> Stray {
    Stray::new(pid_of(&gateway.wait_for_nth_line(nth, "launched module=")))
}

#[test]
fn a_launched_host_that_is_killed_is_started_again() {
    let scratch = Scratch::new();
    let log = LogFile::at(&scratch.file("log.json"));
    let mut gateway = launching_gateway(&scratch, &scratch.file("log.json"));
    let mut pids = Vec::new();
    for nth in 1..=3 {
        let host = host(&gateway, nth);
        gateway.wait_for_nth_line(nth, "attached module=");
        assert_annotated(&log.wait_for_more(5));
        pids.push(host.pid());
        host.kill();
        host.wait_end();
    }
    let last = host(&gateway, 4);
    pids.push(last.pid());
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 4, "every host is a process of its own");
    gateway.wait_for_nth_line(4, "attached module=");
    log.wait_for_more(5);
    gateway.stop();
    assert!(!last.is_running(), "the gateway has ended its host");
}

#[test]
fn a_gateway_that_stops_ends_its_host_in_good_order() {
    let scratch = Scratch::new();
    let mut gateway = launching_gateway(&scratch, &scratch.file("log.json"));
    let host = host(&gateway, 1);
    LogFile::at(&scratch.file("log.json")).wait_for(5);
    gateway.stop();
    assert!(!host.is_running());
    let end = gateway.wait_for_line("host exited");
    assert!(end.contains("exit status: 0"), "{end}");
    gateway.wait_for_line("destroyed by the gateway");
    assert_eq!(gateway.count_lines("SIGTERM"), 0);
}

#[test]
fn a_gateway_that_stops_before_its_host_attached_ends_it() {
    let scratch = Scratch::new();
    let (control, module) = (scratch.id("c"), guest("modules/annotate"));
    // The host listens where the gateway does not look.
    let args = ["--control", &scratch.id("elsewhere"), module.to_str().unwrap()];
    let entrypoint = launched(&control, "wasm-host", &args, 2000);
    let configuration = Configuration::new().remote("remote", entrypoint, Value::Null).json();
    let mut gateway = running_gateway(&scratch, &configuration);
    let host = host(&gateway, 1);
    gateway.wait_for_line("waiting for a gateway");
    gateway.stop();
    assert!(!host.is_running());
}

#[test]
fn a_gateway_that_is_killed_takes_its_host_along() {
    let scratch = Scratch::new();
    let gateway = launching_gateway(&scratch, &scratch.file("log.json"));
    let host = host(&gateway, 1);
    LogFile::at(&scratch.file("log.json")).wait_for(5);
    gateway.kill();
    host.wait_end();
}

#[test]
fn a_host_that_heeds_nothing_is_killed_after_the_grace_period() {
    let scratch = Scratch::new();
    let control = scratch.id("c");
    // The process ignores SIGTERM, and so does its child; the channel is served by the test.
    let script = scratch.write("deaf.sh", "trap '' TERM\nsleep 1000\nsleep 1000\n");
    let entrypoint = launched(&control, "/bin/sh", &[script.to_str().unwrap()], 100);
    let configuration = Configuration::new().remote("remote", entrypoint, Value::Null).json();
    let host = V1Host::listen(&control);
    let mut gateway = running_gateway(&scratch, &configuration);
    let shell = self::host(&gateway, 1);
    let child = until_some("the script's child", || children(shell.pid()).first().copied());
    let child = Stray::new(child);
    let _message = host.serve();
    gateway.wait_for_line("started module=");

    gateway.terminate();
    host.wait_for(&Control::Destroy);
    gateway.wait_for_line("host still runs; sending SIGTERM");
    gateway.wait_for_line("host has not heeded SIGTERM; sending SIGKILL");
    assert!(gateway.wait_exit().success());
    assert!(!shell.is_running());
    child.wait_end();
}

#[test]
fn a_program_that_does_not_exist_is_named_and_the_others_go_on() {
    let scratch = Scratch::new();
    let log = scratch.file("log.json");
    let configuration = pipeline(launched(&scratch.id("c"), "/nowhere/wasm-hots", &[], 0), Value::Null, &log)
        .link("hello", "log")
        .json();
    let mut gateway = running_gateway(&scratch, &configuration);
    let complaint = gateway.wait_for_line("cannot launch the host");
    assert!(complaint.contains("there is no program `/nowhere/wasm-hots`"), "{complaint}");
    LogFile::at(&log).wait_for(10);
    gateway.stop();
}

#[test]
fn a_program_that_may_not_be_executed_is_named() {
    let scratch = Scratch::new();
    let plain = scratch.write("host", "no program");
    std::fs::set_permissions(&plain, std::fs::Permissions::from_mode(0o600)).unwrap();
    let entrypoint = launched(&scratch.id("c"), plain.to_str().unwrap(), &[], 0);
    let configuration = Configuration::new().remote("remote", entrypoint, json!(null)).json();
    let mut gateway = running_gateway(&scratch, &configuration);
    let complaint = gateway.wait_for_line("cannot launch the host");
    assert!(complaint.contains("chmod +x") && complaint.contains(plain.to_str().unwrap()), "{complaint}");
    gateway.stop();
}

#[test]
fn a_program_that_ends_at_once_is_started_again_and_again() {
    let scratch = Scratch::new();
    let log = scratch.file("log.json");
    let entrypoint = launched(&scratch.id("c"), "/bin/sh", &["-c", "exit 3"], 0);
    let mut gateway =
        running_gateway(&scratch, &pipeline(entrypoint, Value::Null, &log).link("hello", "log").json());
    let end = gateway.wait_for_line("it is launched again");
    assert!(end.contains("exit status: 3"), "{end}");
    gateway.wait_for_nth_line(3, "launched module=");
    LogFile::at(&log).wait_for(10);
    gateway.stop();
}
