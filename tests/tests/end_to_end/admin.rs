//! Administration of a running gateway: status, revival, and the counters that they show.

use std::fs;
use std::process::Output;

use sandgate_tests::config::{Configuration, attached, launched};
use sandgate_tests::log_file::LogFile;
use sandgate_tests::process::{Process, number};
use sandgate_tests::programs::{command, program, waiting_host};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::wait::{until, until_some};
use serde_json::{Value, json};

/// A gateway with an administration socket, which runs.
fn administered_gateway(scratch: &Scratch, configuration: &Value) -> Process {
    let file = scratch.configuration(configuration);
    let gateway = Process::start(command(scratch, program("gateway")).args(["--admin", "admin"]).arg(file));
    gateway.wait_for_line("gateway running");
    gateway
}

fn run(scratch: &Scratch, args: &[&str]) -> Output {
    command(scratch, program("gateway")).args(args).output().unwrap()
}

fn status(scratch: &Scratch) -> Value {
    let output = run(scratch, &["status", "--admin", "admin", "--json"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A module's status, as soon as it is in this state.
fn module_in_state(scratch: &Scratch, name: &str, state: &str) -> Value {
    until_some(&format!("{name} is {state}"), || {
        let status = status(scratch);
        let module = status["modules"].as_array()?.iter().find(|module| module["name"] == name)?;
        (module["state"] == state).then(|| module.clone())
    })
}

#[test]
fn a_status_shows_modules_and_links() {
    let scratch = Scratch::new();
    let log = scratch.file("log.json");
    let configuration =
        Configuration::new().hello_world("hello", 5).logger("log", &log).link("hello", "log").json();
    let mut gateway = administered_gateway(&scratch, &configuration);
    LogFile::at(&log).wait_for(3);
    module_in_state(&scratch, "log", "running");
    let output = run(&scratch, &["status", "--admin", "admin"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(!table.contains('\u{1b}'), "colours where there is no terminal: {table}");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<_> = table.lines().map(words).collect();
    assert_eq!(lines[0], ["MODULE", "KIND", "STATE", "SINCE", "DETAILS"]);
    assert_eq!(lines[1][..3], ["hello", "builtin", "running"]);
    assert_eq!(lines[5][..2], ["hello", "log"]);
    assert!(lines[5][2].parse::<u64>().unwrap() >= 3, "{table}");
    gateway.stop();
    assert!(!scratch.file("admin").exists());
}

#[test]
fn a_crash_loop_is_quarantined_and_revived_by_command() {
    let scratch = Scratch::new();
    let log = scratch.file("log.json");
    let mut entrypoint = launched(&scratch.id("c"), "/bin/sh", &["-c", "exit 3"], 0);
    entrypoint["launch"]["restart.max"] = json!(1);
    let configuration = Configuration::new()
        .hello_world("hello", 5)
        .remote("broken", entrypoint, Value::Null)
        .logger("log", &log)
        .link("hello", "broken")
        .link("hello", "log")
        .json();
    let mut gateway = administered_gateway(&scratch, &configuration);
    gateway.wait_for_line("host is quarantined");
    let broken = module_in_state(&scratch, "broken", "quarantined");
    let reason = broken["reason"].as_str().unwrap();
    assert!(reason.contains("more than 1 exits") && reason.contains("exit status: 3"), "{reason}");
    assert_eq!(broken["launches"], 2);
    LogFile::at(&log).wait_for_more(5);

    let healthy = run(&scratch, &["revive", "--admin", "admin", "log"]);
    assert_eq!(healthy.status.code(), Some(1));
    assert!(String::from_utf8(healthy.stderr).unwrap().contains("only a quarantined module"));
    let revived = run(&scratch, &["revive", "--admin", "admin", "broken"]);
    assert_eq!(String::from_utf8(revived.stdout).unwrap(), "broken is revived\n");
    gateway.wait_for_nth_line(2, "host is quarantined");
    assert_eq!(module_in_state(&scratch, "broken", "quarantined")["launches"], 4);
    gateway.stop();
}

#[test]
fn a_module_whose_host_is_not_there_is_absent() {
    let scratch = Scratch::new();
    let control = scratch.id("c");
    let configuration = Configuration::new().remote("remote", attached(&control), Value::Null).json();
    let mut gateway = administered_gateway(&scratch, &configuration);
    let absent = module_in_state(&scratch, "remote", "absent");
    assert!(absent["reason"].as_str().unwrap().contains("no host is at"), "{absent}");
    let host = waiting_host(&scratch, &control, "modules/annotate", &[]);
    module_in_state(&scratch, "remote", "running");
    host.kill();
    module_in_state(&scratch, "remote", "absent");
    gateway.stop();
}

#[test]
fn what_is_too_old_expires_and_the_counters_add_up() {
    let scratch = Scratch::new();
    let control = scratch.id("c");
    let mut configuration = Configuration::new()
        .hello_world("hello", 20)
        .remote("remote", attached(&control), Value::Null)
        .link("hello", "remote")
        .json();
    configuration["links"][0]["time.to.live.ms"] = json!(200);
    let mut gateway = administered_gateway(&scratch, &configuration);
    let route = || status(&scratch)["routes"][0].clone();
    let count = |route: &Value, counter: &str| route[counter].as_u64().unwrap();
    // What waits here for longer than 200 ms is too old when the host comes.
    until("messages wait", || count(&route(), "waiting") > 20);
    let mut host = waiting_host(&scratch, &control, "modules/annotate", &[]);
    until("messages expired, and later ones not", || {
        let route = route();
        let settled: u64 =
            ["delivered", "dropped", "expired", "dead", "waiting"].map(|key| count(&route, key)).iter().sum();
        assert_eq!(count(&route, "offered"), settled, "{route}");
        count(&route, "expired") > 0 && count(&route, "delivered") > 0
    });
    // Counted where the messages are. Between two greetings nothing moves.
    host.stop();
    until("as many in flight as waiting", || {
        let route = route();
        count(&route, "waiting") > 0 && count(&route, "waiting") == count(&route, "in.flight")
    });
    gateway.stop();
    let line = gateway.wait_for_line(": link ");
    let count = |key| number(&line, key);
    let settled: u64 = ["delivered", "dropped", "expired", "dead", "in_flight"].map(count).iter().sum();
    assert_eq!(count("offered"), settled, "{line}");
}

#[test]
fn an_administration_socket_that_cannot_be_made_or_reached_is_named() {
    let scratch = Scratch::new();
    fs::write(scratch.file("admin"), "precious").unwrap();
    let file = scratch.configuration(&Configuration::new().json());
    let output = run(&scratch, &["--admin", "admin", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8(output.stderr).unwrap().contains("admin exists and is no socket"));
    let output = run(&scratch, &["status", "--admin", "nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no gateway answers at nowhere"));
    for args in [&["status"][..], &["revive", "--admin", "admin"], &["--admin", "admin"]] {
        assert_eq!(run(&scratch, args).status.code(), Some(64), "{args:?}");
    }
}
