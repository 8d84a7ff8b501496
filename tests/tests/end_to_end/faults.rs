//! Guests that trap, refuse or never return: the peer is told as V1 says, a person is told in a sentence, and
//! the next Create works.

use sandgate_tests::config::{attached, pipeline};
use sandgate_tests::log_file::LogFile;
use sandgate_tests::process::{Process, number};
use sandgate_tests::programs::{running_gateway, waiting_host};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::V1Gateway;
use sandgate_wire::Status;
use serde_json::Value;

/// A host with this guest, and a gateway that is connected to it.
fn peers(scratch: &Scratch, guest: &str, options: &[&str]) -> (Process, V1Gateway) {
    let host = waiting_host(scratch, &scratch.id("c"), guest, options);
    (host, V1Gateway::dial(&scratch.id("c"), &scratch.id("m")))
}

fn assert_faults(host: &mut Process, faults: u64) {
    host.stop();
    assert_eq!(number(&host.wait_for_line(": stopped"), "faults"), faults);
}

#[test]
fn a_trap_in_receive_is_told_with_the_guests_functions_and_can_be_created_again() {
    let scratch = Scratch::new();
    let (mut host, gateway) = peers(&scratch, "fixtures/trap_receive", &[]);
    for round in 1..=3 {
        gateway.attach("null");
        gateway.echo();
        gateway.publish(&[("trap", "on purpose")], b"");
        assert_eq!(gateway.bad_reply(), Status::DETACH);
        let sentence = host.wait_for_nth_line(round, "trapped in `receive`");
        for part in ["explode", "light_the_fuse", "this module traps in receive: on purpose"] {
            assert!(sentence.contains(part), "{part} in {sentence}");
        }
    }
    gateway.attach("null");
    gateway.echo();
    assert_faults(&mut host, 3);
}

#[test]
fn a_trap_in_create_is_answered_with_2() {
    let scratch = Scratch::new();
    let (mut host, gateway) = peers(&scratch, "fixtures/trap_create", &[]);
    for round in 1..=2 {
        assert_eq!(gateway.create("null"), Status::CREATION_ERROR);
        host.wait_for_nth_line(round, "trapped in `create`");
    }
    assert_faults(&mut host, 2);
}

#[test]
fn a_trap_in_start_is_told() {
    let scratch = Scratch::new();
    let (mut host, gateway) = peers(&scratch, "fixtures/trap_start", &[]);
    gateway.attach("null");
    assert_eq!(gateway.bad_reply(), Status::DETACH);
    host.wait_for_line("trapped in `start`");
    assert_faults(&mut host, 1);
}

#[test]
fn a_trap_in_a_timer_is_told() {
    let scratch = Scratch::new();
    let (mut host, gateway) = peers(&scratch, "fixtures/trap_on_timer", &[]);
    gateway.attach("5");
    assert_eq!(gateway.bad_reply(), Status::DETACH);
    host.wait_for_line("trapped in `on-timer`");
    assert_faults(&mut host, 1);
}

#[test]
fn a_call_that_never_returns_is_ended_at_its_deadline() {
    let scratch = Scratch::new();
    let (mut host, gateway) = peers(&scratch, "fixtures/spin_receive", &["-W", "timeout=100ms"]);
    gateway.attach("null");
    gateway.echo();
    gateway.publish(&[("spin", "1")], b"");
    assert_eq!(gateway.bad_reply(), Status::DETACH);
    host.wait_for_line("was ended in `receive`, which took longer than 100 ms");
    gateway.attach("null");
    gateway.echo();
    assert_faults(&mut host, 1);
}

#[test]
fn a_create_that_never_returns_is_answered_with_2() {
    let scratch = Scratch::new();
    let (mut host, gateway) = peers(&scratch, "fixtures/spin_create", &["-W", "timeout=100ms"]);
    assert_eq!(gateway.create("null"), Status::CREATION_ERROR);
    host.wait_for_line("was ended in `create`, which took longer than 100 ms");
    assert_faults(&mut host, 1);
}

#[test]
fn a_module_that_refuses_its_arguments_says_why() {
    let scratch = Scratch::new();
    let (mut host, gateway) = peers(&scratch, "fixtures/refuse_create", &[]);
    assert_eq!(gateway.create("null"), Status::CREATION_ERROR);
    host.wait_for_line("refused its arguments: args.color: found green, wanted red; write red");
    assert_faults(&mut host, 0);
}

#[test]
fn arguments_that_a_module_can_use_come_after_those_that_it_refused() {
    let scratch = Scratch::new();
    let (mut host, gateway) = peers(&scratch, "modules/annotate", &[]);
    assert_eq!(gateway.create("[1]"), Status::CREATION_ERROR);
    host.wait_for_line("args: found [1], wanted an object of texts");
    gateway.attach(r#"{"site":"lab"}"#);
    gateway.echo();
    host.stop();
}

/// The same with the real gateway: the module is created anew and what follows comes through.
#[test]
fn over_v1s_channels_the_gateway_creates_a_trapped_module_again() {
    let scratch = Scratch::new();
    let (control, log) = (scratch.id("c"), LogFile::at(&scratch.file("log.json")));
    let mut host = waiting_host(&scratch, &control, "fixtures/trap_on_timer", &[]);
    let mut entrypoint = attached(&control);
    entrypoint["channel"] = "pair".into();
    let configuration = pipeline(entrypoint, 100.into(), &scratch.file("log.json"));
    let configuration = configuration.link("hello", "log").json();
    let mut gateway = running_gateway(&scratch, &configuration);
    gateway.wait_for_nth_line(2, "the module is gone: detach (255)");
    host.wait_for_nth_line(3, ": started");
    log.wait_for_more(10);
    gateway.stop();
    host.stop();
}

/// A module that cannot be created is tried again, and nothing else waits for it.
#[test]
fn the_gateway_tries_a_refused_module_again() {
    let scratch = Scratch::new();
    let control = scratch.id("c");
    let mut host = waiting_host(&scratch, &control, "fixtures/refuse_create", &[]);
    let log = scratch.file("log.json");
    let configuration = pipeline(attached(&control), Value::Null, &log).link("hello", "log").json();
    let mut gateway = running_gateway(&scratch, &configuration);
    gateway.wait_for_nth_line(3, "the host answered Create with creation error (2)");
    LogFile::at(&log).wait_for(10);
    gateway.stop();
    host.stop();
}
