//! Modules that send to each other in a circle, with more messages than there is room for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use sandgate_tests::config::{Configuration, attached};
use sandgate_tests::ends::Ends;
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::process::{Process, number};
use sandgate_tests::programs::{command, program, running_gateway};
use sandgate_tests::scratch::Scratch;
use serde_json::{Value, json};

/// Messages that wait for a module at most.
const ROOM: u64 = 16;
/// Numbers that go in. Each of them goes round for ever, or until it has to give way.
const NUMBERS: u64 = 100_000;
/// Once one so large comes out, newer ones have found their way among those that go round.
const FAR: u64 = 2_000;

/// `source` -> `first` <-> `second` -> `sink`.
fn circle(scratch: &Scratch) -> Value {
    let mut document = Configuration::new()
        .remote("source", attached(&scratch.id("source")), Value::Null)
        .remote("first", attached(&scratch.id("first")), Value::Null)
        .remote("second", attached(&scratch.id("second")), Value::Null)
        .remote("sink", attached(&scratch.id("sink")), Value::Null)
        .link("source", "first")
        .link("first", "second")
        .link("second", "first")
        .link("second", "sink")
        .json();
    for module in document["modules"].as_array_mut().unwrap() {
        module["queue.capacity"] = ROOM.into();
    }
    document
}

#[test]
fn a_circle_of_modules_goes_on_and_accounts_for_what_it_drops() {
    let scratch = Scratch::new();
    let mut host = HostConfiguration::new()
        .module("first", &scratch.id("first"), "modules/echo", json!({}))
        .module("second", &scratch.id("second"), "modules/echo", json!({}))
        .start(&scratch);
    let mut gateway = running_gateway(&scratch, &circle(&scratch));
    let ends = Ends::attach(&scratch);
    let is_over = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let mut numbers = (1..=NUMBERS).take_while(|_| !is_over.load(Ordering::Relaxed));
            numbers.by_ref().fold(0, |_, number| {
                ends.send_numbers([number]);
                number
            })
        });
        while ends.receive_number() < FAR {}
        is_over.store(true, Ordering::Relaxed);
        sending.join().unwrap()
    });
    // With nothing new coming in, what is there still goes round.
    for _ in 0..10 * ROOM {
        let _ = ends.receive_number();
    }
    assert!(gateway.is_running() && host.is_running());
    gateway.stop();
    host.stop();
    let mut dropped = 0;
    for (source, sink) in [("source", "first"), ("first", "second"), ("second", "first"), ("second", "sink")]
    {
        let (source_is, sink_is) = (format!("source=\"{source}\""), format!("sink=\"{sink}\""));
        let line = gateway.wait_for_line_with(&[": link ", &source_is, &sink_is]);
        let count = |key| number(&line, key);
        let sum: u64 = ["delivered", "dropped", "expired", "dead", "in_flight"].map(count).iter().sum();
        assert_eq!(count("offered"), sum, "{line}");
        match (source, sink) {
            ("source", _) => assert!(count("offered") <= sent && count("dropped") == 0, "{line}"),
            ("first", "second") | ("second", "first") => dropped += count("dropped"),
            _ => {}
        }
    }
    assert!(dropped > 0, "more went round than there was room for");
}

#[test]
fn a_circle_in_which_all_wait_for_each_other_is_refused() {
    let scratch = Scratch::new();
    let mut document = circle(&scratch);
    for link in document["links"].as_array_mut().unwrap() {
        link["on.full"] = json!("block");
    }
    let file = scratch.configuration(&document);
    let mut gateway = Process::start(command(&scratch, program("gateway")).arg(file));
    assert_eq!(gateway.wait_exit().code(), Some(64), "{}", gateway.text());
    gateway.wait_for_line("so its modules can wait for each other");
}
