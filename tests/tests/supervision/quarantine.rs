//! Modules that fail too often: left alone until somebody sees to them.

use std::process::Command;

use sandgate_tests::config::attached;
use sandgate_tests::ends::{Ends, around};
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::process::Process;
use sandgate_tests::procfs::resident;
use sandgate_tests::programs::{command, program, running_gateway, running_gateway_with};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::wait::until;
use serde_json::{Value, json};

pub(super) fn status(scratch: &Scratch) -> Value {
    let mut status: Command = command(scratch, program("gateway"));
    let output = status.args(["status", "--json", "--admin"]).arg(scratch.file("admin")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(super) fn module(status: &Value, name: &str) -> Value {
    let modules = status["modules"].as_array().unwrap();
    modules.iter().find(|module| module["name"] == name).unwrap().clone()
}

fn quarantined(scratch: &Scratch, host: &HostConfiguration) -> (Process, Process, Ends) {
    let host = host.start(scratch);
    let gateway =
        running_gateway_with(scratch, &beside_a_neighbour(scratch), &["--admin", &scratch.id("admin")]);
    let ends = Ends::attach(scratch);
    for _ in 0..3 {
        ends.send(&[("trap", "now")], b"");
        // From the neighbour, which has no part in it.
        assert_eq!(ends.receive().property("trap"), Some("now"));
    }
    gateway.wait_for_line_with(&["quarantined", "module=\"middle\""]);
    (host, gateway, ends)
}

/// `source` -> `middle` -> `sink`, and beside it `source` -> `neighbour` -> `sink`, in the same host.
fn beside_a_neighbour(scratch: &Scratch) -> Value {
    let mut document = around(scratch, attached(&scratch.id("middle")), Value::Null);
    let entrypoint = attached(&scratch.id("neighbour"));
    let neighbour = json!({"name": "neighbour", "loader": {"name": "outprocess", "entrypoint": entrypoint}, "args": null});
    document["modules"].as_array_mut().unwrap().push(neighbour);
    let links = document["links"].as_array_mut().unwrap();
    links.push(json!({"source": "source", "sink": "neighbour"}));
    links.push(json!({"source": "neighbour", "sink": "sink"}));
    document
}

fn fragile(scratch: &Scratch, most: u32) -> HostConfiguration {
    let restart = json!({"max": most, "backoff.ms": 1, "longest.backoff.ms": 2});
    HostConfiguration::new()
        .module("middle", &scratch.id("middle"), "fixtures/trap_receive", json!({"restart": restart}))
        .module("neighbour", &scratch.id("neighbour"), "modules/echo", json!({}))
}

#[test]
fn a_module_in_a_crash_loop_is_quarantined_with_its_reason_until_it_is_revived() {
    let scratch = Scratch::new();
    let (host, gateway, ends) = quarantined(&scratch, &fragile(&scratch, 4));
    let middle = module(&status(&scratch), "middle");
    assert_eq!(middle["state"], json!("quarantined"), "{middle:#}");
    assert!(middle["reason"].as_str().unwrap().contains("5 failures"), "{middle:#}");
    ends.send_numbers(1..=3);
    // The neighbour's.
    ends.expect_numbers(1..=3);
    let revived = command(&scratch, program("gateway"))
        .args(["revive", "middle", "--admin"])
        .arg(scratch.file("admin"))
        .status();
    assert!(revived.unwrap().success());
    // Of nine failures that the three messages are good for, four are left: not enough for a second quarantine.
    ends.expect_numbers(1..=3);
    until("a running module", || module(&status(&scratch), "middle")["state"] == json!("running"));
    assert_eq!(gateway.count_lines("brings it back"), 1);
    assert_eq!(host.count_lines("created module=\"neighbour\""), 1);
    let is_of_another_instance = |line: &str| line.contains("neighbour") && line.contains("anew");
    assert!(!host.text().lines().any(is_of_another_instance), "the neighbour has kept its instance");
}

#[test]
fn a_quarantined_module_stops_nobody_and_is_revived_by_another_configuration() {
    let scratch = Scratch::new();
    let (host, _gateway, ends) = quarantined(&scratch, &fragile(&scratch, 4));
    ends.send_numbers(1..=3);
    ends.expect_numbers(1..=3);
    fragile(&scratch, 1000).write(&scratch);
    host.hang_up();
    ends.expect_numbers(1..=3);
}

#[test]
fn a_quarantined_module_holds_none_of_the_memory_that_it_had() {
    let scratch = Scratch::new();
    let more = json!({"restart": {"max": 0}, "limits": {"max-memory-size": "256MiB"}});
    let host = HostConfiguration::new().module("middle", &scratch.id("middle"), "fixtures/grow_slowly", more);
    let host = host.start(&scratch);
    let before = resident(host.pid());
    let gateway = running_gateway(&scratch, &around(&scratch, attached(&scratch.id("middle")), Value::Null));
    let ends = Ends::attach(&scratch);
    ends.send(&[("misbehave", "1")], b"");
    gateway.wait_for_line_with(&["quarantined", "module=\"middle\""]);
    until("most of 256 MiB given back", || resident(host.pid()) < before + (64 << 20));
}
