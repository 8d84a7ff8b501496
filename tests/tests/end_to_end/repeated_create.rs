//! Creates that are repeated: by a gateway without patience, and by one whose host is absent or silent.

use sandgate_tests::config::{attached, pipeline};
use sandgate_tests::pair::Pair;
use sandgate_tests::process::Process;
use sandgate_tests::programs::{running_gateway, waiting_host, wasm_host};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::{V1Gateway, V1Host};
use sandgate_wire::{Control, Status};
use serde_json::json;

/// The host has created and started so many modules, and no more.
fn assert_lives(mut host: Process, lives: usize) {
    host.stop();
    // The last line: all others have been read.
    host.wait_for_line(": stopped");
    assert_eq!((host.count_lines(": created"), host.count_lines(": started")), (lives, lives));
}

#[test]
fn creates_that_come_while_the_module_is_made_are_answered_by_one_module() {
    let scratch = Scratch::new();
    let host = waiting_host(&scratch, &scratch.id("c"), "fixtures/slow_create", &[]);
    let gateway = V1Gateway::dial(&scratch.id("c"), &scratch.id("m"));
    let create = gateway.create_frame("200");
    // The host is busy in the module's `create` from the first one on, and reads the others meanwhile or after.
    (0..100).for_each(|_| gateway.control.send(&create));
    assert!(gateway.reply().is_success());
    let others = gateway.successes_before_fence();
    assert!(others < 100, "{others} more answers to 100 Creates");
    gateway.start();
    gateway.echo();
    assert_lives(host, 1);
}

#[test]
fn creates_that_waited_for_the_host_are_answered_by_one_module() {
    let scratch = Scratch::new();
    let gateway = V1Gateway::dial(&scratch.id("c"), &scratch.id("m"));
    // The gateway is first; what it sends waits for the host to listen.
    let host = wasm_host(&scratch, &scratch.id("c"), "fixtures/count_creates", &["--no-cache"]);
    let create = gateway.create_frame(r#""once""#);
    (0..50).for_each(|_| gateway.control.send(&create));
    assert!(gateway.reply().is_success());
    let _ = gateway.successes_before_fence();
    // A second Start has nothing to start.
    gateway.start();
    gateway.start();
    let started = gateway.echo();
    assert_eq!(started.len(), 1, "one message for each module that was started");
    assert_eq!(started[0].properties().next(), Some(("created", r#""once""#)));
    assert_lives(host, 1);
}

#[test]
fn a_create_with_other_arguments_makes_another_module() {
    let scratch = Scratch::new();
    let mut host = waiting_host(&scratch, &scratch.id("c"), "fixtures/count_creates", &[]);
    let gateway = V1Gateway::dial(&scratch.id("c"), &scratch.id("m"));
    assert!(gateway.create("1").is_success());
    assert!(gateway.create("2").is_success());
    gateway.start();
    let started = gateway.echo();
    let created: Vec<_> = started.iter().flat_map(|message| message.properties()).collect();
    assert_eq!(created, [("created", "2")]);
    host.stop();
}

#[test]
fn a_create_after_start_is_a_new_attach() {
    let scratch = Scratch::new();
    let host = waiting_host(&scratch, &scratch.id("c"), "fixtures/count_creates", &[]);
    let gateway = V1Gateway::dial(&scratch.id("c"), &scratch.id("m"));
    for _ in 0..5 {
        gateway.attach("1");
        assert_eq!(gateway.echo().len(), 1);
    }
    assert_lives(host, 5);
}

#[test]
fn the_gateway_repeats_create_until_a_late_and_silent_host_answers() {
    let scratch = Scratch::new();
    let control = scratch.id("c");
    let mut entrypoint = attached(&control);
    entrypoint["message.id"] = scratch.id("m").into();
    entrypoint["timeout"] = 50.into();
    let configuration = pipeline(entrypoint, json!({"a": [1, 2]}), &scratch.file("log.json")).json();
    let mut gateway = running_gateway(&scratch, &configuration);
    // The host is late, by however long this takes, and silent.
    let host = V1Host::listen(&control);
    let create = host.next_create();
    assert_eq!(create.uri, format!("ipc://{}", scratch.id("m")));
    assert_eq!(create.arguments, r#"{"a":[1,2]}"#);
    for _ in 0..5 {
        assert_eq!(host.next_create(), create);
    }
    let message = Pair::listen(&create.uri);
    host.reply(Status::SUCCESS);
    host.wait_for(&Control::Start);
    let _greeting = message.recv();
    // Late successes, as V1 hosts send them for the Creates that were repeated, change nothing.
    host.reply(Status::SUCCESS);
    host.reply(Status::SUCCESS);
    gateway.terminate();
    assert_eq!(host.next(), Control::Destroy, "nothing comes between Start and Destroy");
    assert!(gateway.wait_exit().success());
}
