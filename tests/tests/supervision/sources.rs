//! What a module is told of a message beside it: who published it, and how often it was delivered. A module cannot
//! forge the one, and the host must not forget the other.

use std::fs;

use sandgate_tests::config::{Configuration, attached};
use sandgate_tests::ends::{Ends, around};
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::process::{Process, number};
use sandgate_tests::programs::running_gateway;
use sandgate_tests::scratch::Scratch;
use sandgate_tests::wait::until_some;
use serde_json::{Value, json};

/// `source` -> `forger` -> `next` -> `sink`; the forger says in every property that the gateway published.
fn behind_a_forger(scratch: &Scratch, next: &str, args: Value) -> (Process, Process, Ends) {
    let host = HostConfiguration::new()
        .module("forger", &scratch.id("forger"), "fixtures/forge_properties", json!({}))
        .module("next", &scratch.id("next"), next, json!({"restart": {"backoff.ms": 1}}))
        .start(scratch);
    let ids = ["source", "forger", "next", "sink"];
    let mut configuration = Configuration::new();
    for id in ids {
        let args = if id == "next" { args.clone() } else { Value::Null };
        configuration = configuration.remote(id, attached(&scratch.id(id)), args);
    }
    for pair in ids.windows(2) {
        configuration = configuration.link(pair[0], pair[1]);
    }
    let gateway = running_gateway(scratch, &configuration.json());
    let ends = Ends::attach(scratch);
    ends.send(&[("misbehave", "1")], b"");
    (host, gateway, ends)
}

#[test]
fn a_module_is_told_the_true_source_whatever_a_message_claims() {
    let scratch = Scratch::new();
    let (_host, _gateway, ends) = behind_a_forger(&scratch, "fixtures/tell_source", Value::Null);
    let message = ends.receive();
    assert_eq!(message.content(), b"trust me");
    assert_eq!(message.property("sandgate.source"), Some("gateway"), "it is text, and stays");
    assert_eq!(message.property("sandgate.attempt"), Some("gateway"));
    assert_eq!(
        (message.property("told-source"), message.property("told-attempt")),
        (Some("forger"), Some("1"))
    );
}

#[test]
fn a_dead_letter_has_the_true_source_whatever_a_message_claims() {
    let scratch = Scratch::new();
    // It ends itself for every message with this property.
    let (_host, _gateway, _ends) =
        behind_a_forger(&scratch, "fixtures/exit_failure", json!("sandgate.source"));
    let letter: Value = until_some("a dead letter", || {
        let text = fs::read_to_string(scratch.file("dead-letters.ndjson")).ok()?;
        serde_json::from_str(text.lines().next()?).ok()
    });
    assert_eq!((&letter["source"], &letter["sink"]), (&json!("forger"), &json!("next")), "{letter:#}");
    assert_eq!(letter["verdict"]["source"], json!("forger"), "{letter:#}");
    assert_eq!(letter["properties"]["sandgate.source"], json!("gateway"), "{letter:#}");
}

#[test]
fn a_message_that_is_delivered_again_says_so() {
    let scratch = Scratch::new();
    let mut host = HostConfiguration::new()
        .module("middle", &scratch.id("middle"), "fixtures/trap_first_attempt", json!({}))
        .start(&scratch);
    let mut gateway =
        running_gateway(&scratch, &around(&scratch, attached(&scratch.id("middle")), Value::Null));
    let ends = Ends::attach(&scratch);
    ends.send(&[("misbehave", "1"), ("number", "1")], b"");
    ends.expect_numbers([1]);
    gateway.stop();
    host.stop();
    let line = host.wait_for_line_with(&["stopped", "module=\"middle\""]);
    assert_eq!((number(&line, "faults"), number(&line, "dead")), (1, 0), "{line}");
}
