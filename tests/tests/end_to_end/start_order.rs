//! Either side may come first, over both transports, and nobody waits for an absent host.

use sandgate_tests::config::{Configuration, attached, pipeline};
use sandgate_tests::log_file::{Entry, LogFile};
use sandgate_tests::programs::{running_gateway, waiting_host};
use sandgate_tests::scratch::{Scratch, free_tcp_ids};
use serde_json::{Value, json};

/// What every message has that came through the module.
pub fn assert_annotated(messages: &[Entry]) {
    for message in messages {
        assert_eq!(message.property("annotated-by"), Some("annotate"), "{message:?}");
        assert_eq!(message.property("helloWorld"), Some("from Azure IoT Gateway SDK simple sample!"));
        assert_eq!(message.content(), b"hello world");
    }
}

#[test]
fn the_gateway_first() {
    let scratch = Scratch::new();
    let (control, log) = (scratch.id("c"), scratch.file("log.json"));
    let configuration = pipeline(attached(&control), json!({"site": "lab"}), &log).json();
    let mut gateway = running_gateway(&scratch, &configuration);
    let mut host = waiting_host(&scratch, &control, "modules/annotate", &[]);
    let messages = LogFile::at(&log).wait_for(5);
    assert_annotated(&messages);
    assert_eq!(messages[0].property("site"), Some("lab"));
    gateway.stop();
    host.wait_for_line("destroyed by the gateway");
    assert!(host.is_running(), "a host that nobody launched waits for the next gateway");
    host.stop();
}

#[test]
fn the_host_first() {
    let scratch = Scratch::new();
    let (control, log) = (scratch.id("c"), scratch.file("log.json"));
    let mut host = waiting_host(&scratch, &control, "modules/annotate", &[]);
    let configuration = pipeline(attached(&control), Value::Null, &log).json();
    let mut gateway = running_gateway(&scratch, &configuration);
    assert_annotated(&LogFile::at(&log).wait_for(5));
    gateway.stop();
    host.stop();
    let left: Vec<_> = scratch.names().into_iter().filter(|name| name.contains(".message")).collect();
    assert!(left.is_empty(), "made-up sockets are removed: {left:?}");
}

#[test]
fn over_tcp_in_either_order() {
    for gateway_first in [true, false] {
        let scratch = Scratch::new();
        let log = scratch.file("log.json");
        let [control, message] = free_tcp_ids();
        let mut entrypoint = attached(&control);
        entrypoint["message.id"] = message.into();
        let configuration = pipeline(entrypoint, Value::Null, &log).json();
        let start_host = || waiting_host(&scratch, &control, "modules/annotate", &[]);
        let start_gateway = || running_gateway(&scratch, &configuration);
        let (mut gateway, mut host) = if gateway_first {
            let gateway = start_gateway();
            (gateway, start_host())
        } else {
            let host = start_host();
            (start_gateway(), host)
        };
        assert_annotated(&LogFile::at(&log).wait_for(5));
        gateway.stop();
        host.stop();
    }
}

#[test]
fn the_neighbours_of_an_absent_module_run_from_the_beginning() {
    let scratch = Scratch::new();
    let (log, other) = (scratch.file("log.json"), scratch.file("other.json"));
    // The absent module's inbox is full after two messages, and its link would make the source wait.
    let absent = json!({
        "name": "absent",
        "loader": {"name": "outprocess", "entrypoint": attached(&scratch.id("c"))},
        "queue.capacity": 2,
        "args": null,
    });
    let configuration = Configuration::new()
        .module(absent)
        .hello_world("hello", 5)
        .logger("log", &log)
        .logger("other", &other)
        .link_on_full("hello", "absent", "block")
        .link("hello", "log")
        .link("*", "other")
        .json();
    let mut gateway = running_gateway(&scratch, &configuration);
    LogFile::at(&log).wait_for(50);
    LogFile::at(&other).wait_for(50);
    gateway.stop();
    assert_eq!(gateway.count_lines("attached module"), 0);
}
