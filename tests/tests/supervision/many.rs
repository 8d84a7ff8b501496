//! Many modules in one host.

use sandgate_tests::config::{Configuration, attached};
use sandgate_tests::ends::{Ends, around};
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::process::{Process, number};
use sandgate_tests::programs::{running_gateway, waiting_host};
use sandgate_tests::scratch::Scratch;
use serde_json::{Value, json};

/// `source` -> `a` -> `b` -> `c` -> `sink`, all three in one host.
fn chain(scratch: &Scratch) -> Value {
    let ids = ["source", "a", "b", "c", "sink"];
    let mut configuration = Configuration::new();
    for id in ids {
        configuration = configuration.remote(id, attached(&scratch.id(id)), Value::Null);
    }
    for pair in ids.windows(2) {
        configuration = configuration.link(pair[0], pair[1]);
    }
    configuration.json()
}

fn host_with(scratch: &Scratch, modules: [(&str, &str); 3]) -> Process {
    let mut configuration = HostConfiguration::new();
    for (id, guest) in modules {
        // A module that fails again and again is not quarantined here, nor waited for.
        let restart = json!({"max": 1000, "backoff.ms": 1, "longest.backoff.ms": 2});
        configuration = configuration.module(id, &scratch.id(id), guest, json!({"restart": restart}));
    }
    configuration.start(scratch)
}

#[test]
fn a_chain_of_modules_in_one_host_uses_one_link() {
    let scratch = Scratch::new();
    let mut host = host_with(&scratch, [("a", "modules/echo"), ("b", "modules/echo"), ("c", "modules/echo")]);
    let mut gateway = running_gateway(&scratch, &chain(&scratch));
    let ends = Ends::attach(&scratch);
    ends.send_numbers(1..=500);
    ends.expect_numbers(1..=500);
    assert_eq!(gateway.count_lines("way=\"host link\""), 3);
    // One for the listener, one for the connection.
    let sockets = sandgate_tests::procfs::unix_sockets(host.pid(), "sandgate-host-");
    assert_eq!(sockets.len(), 2, "all modules share one connection");
    gateway.stop();
    host.stop();
    assert!(scratch.names().iter().all(|name| !name.starts_with("sandgate-host-")), "the socket is removed");
}

/// A Create that a gateway repeats stands in the control channel while Start goes over the link and overtakes it.
#[test]
fn creates_that_start_has_overtaken_make_no_other_instance() {
    let scratch = Scratch::new();
    let id = scratch.id("middle");
    let host = waiting_host(&scratch, &id, "fixtures/slow_create", &[]);
    let mut entrypoint = attached(&id);
    entrypoint["timeout"] = json!(1);
    let gateway = running_gateway(&scratch, &around(&scratch, entrypoint, json!(100)));
    let ends = Ends::attach(&scratch);
    gateway.wait_for_line_with(&["started", "module=\"middle\""]);
    ends.send_numbers(1..=200);
    ends.expect_numbers(1..=200);
    assert_eq!(host.count_lines(": created"), 1);
}

#[test]
fn a_module_that_traps_leaves_its_neighbours_their_instances() {
    let scratch = Scratch::new();
    let modules = [("a", "modules/echo"), ("b", "fixtures/trap_receive"), ("c", "modules/echo")];
    let mut host = host_with(&scratch, modules);
    let mut gateway = running_gateway(&scratch, &chain(&scratch));
    let ends = Ends::attach(&scratch);
    for round in 0..5 {
        ends.send(&[("trap", "now")], b"");
        ends.send_numbers(round * 10..(round + 1) * 10);
        ends.expect_numbers(round * 10..(round + 1) * 10);
    }
    gateway.stop();
    host.stop();
    let count = |module: &str, key| {
        number(&host.wait_for_line_with(&["stopped", &format!("module=\"{module}\"")]), key)
    };
    for module in ["a", "c"] {
        assert_eq!((count(module, "faults"), count(module, "restarts")), (0, 0));
    }
    // Each was tried again twice and then given up.
    assert_eq!((count("b", "faults"), count("b", "restarts"), count("b", "dead")), (15, 15, 5));
}

#[test]
fn a_module_of_a_host_can_be_started_later_and_gone_without_the_others() {
    let scratch = Scratch::new();
    let configuration = HostConfiguration::new().module("a", &scratch.id("a"), "modules/echo", json!({}));
    let mut host = configuration.start(&scratch);
    let gateway = running_gateway(&scratch, &chain(&scratch));
    gateway.wait_for_line_with(&["started", "module=\"a\""]);
    let more = HostConfiguration::new()
        .module("a", &scratch.id("a"), "modules/echo", json!({}))
        .module("b", &scratch.id("b"), "modules/echo", json!({}))
        .module("c", &scratch.id("c"), "modules/echo", json!({}));
    more.write(&scratch);
    host.hang_up();
    let ends = Ends::attach(&scratch);
    ends.send_numbers(1..=20);
    ends.expect_numbers(1..=20);
    configuration.write(&scratch);
    host.hang_up();
    gateway.wait_for_line_with(&["attach ended", "module=\"b\""]);
    assert_eq!(gateway.count_lines("way=\"host link\""), 3);
    host.stop();
}
