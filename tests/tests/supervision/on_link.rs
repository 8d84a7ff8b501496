//! Modules without sockets of their own: gateways find them by their names on the link of their host.

use sandgate_tests::config::Configuration;
use sandgate_tests::ends::Ends;
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::process::Process;
use sandgate_tests::procfs::unix_sockets;
use sandgate_tests::programs::running_gateway;
use sandgate_tests::scratch::Scratch;
use serde_json::{Value, json};

const LINK: &str = "host.link";
const MODULES: [&str; 3] = ["a", "b", "c"];

fn host(scratch: &Scratch) -> Process {
    let link = scratch.id(LINK);
    let add = |file: HostConfiguration, name: &&str| file.module_on_link(name, "modules/echo", json!({}));
    MODULES.iter().fold(HostConfiguration::new().link(&link), add).start_with(scratch, &["-v"])
}

fn named(scratch: &Scratch, name: &str) -> Value {
    json!({"activation.type": "none", "link.id": scratch.id(LINK), "link.module": name})
}

/// `source` -> `a` -> `b` -> `c` -> `sink`.
fn chain(scratch: &Scratch) -> Value {
    let attached = |name: &str| sandgate_tests::config::attached(&scratch.id(name));
    let mut configuration = Configuration::new();
    for end in ["source", "sink"] {
        configuration = configuration.remote(end, attached(end), Value::Null);
    }
    for name in MODULES {
        configuration = configuration.remote(name, named(scratch, name), Value::Null);
    }
    for pair in ["source", "a", "b", "c", "sink"].windows(2) {
        configuration = configuration.link(pair[0], pair[1]);
    }
    configuration.json()
}

/// A gateway with one module, which is what `name` is in the host.
fn single(scratch: &Scratch, name: &str) -> Value {
    Configuration::new().remote("single", named(scratch, name), Value::Null).json()
}

#[test]
fn a_chain_of_modules_is_found_by_its_names_and_has_no_sockets() {
    let scratch = Scratch::new();
    let mut host = host(&scratch);
    for round in 1..=2 {
        let mut gateway = running_gateway(&scratch, &chain(&scratch));
        let ends = Ends::attach(&scratch);
        ends.send_numbers(1..=500);
        ends.expect_numbers(1..=500);
        assert_eq!(gateway.count_lines("way=\"host link\""), 3);
        // One for the listener, one for the connection.
        assert_eq!(unix_sockets(host.pid(), LINK).len(), 2);
        let made_up = scratch.names().iter().filter(|name| name.ends_with(".message")).count();
        assert_eq!(made_up, 2, "for the ends, which are V1's: {:?}", scratch.names());
        gateway.stop();
        host.wait_for_nth_line(3 * round, "destroyed by the gateway");
    }
    host.stop();
    assert!(!scratch.names().contains(&LINK.to_owned()), "the socket is removed");
}

#[test]
fn a_host_that_was_killed_is_replaced_by_the_next_one_and_nothing_is_lost() {
    let scratch = Scratch::new();
    let mut hosts = vec![host(&scratch)];
    let _gateway = running_gateway(&scratch, &chain(&scratch));
    let ends = Ends::attach(&scratch);
    for round in 0..4 {
        ends.send_numbers(round * 10..round * 10 + 10);
        ends.expect_numbers_behind_a_death(round * 10..round * 10 + 10);
        hosts.pop().unwrap().kill();
        hosts.push(host(&scratch));
    }
}

#[test]
fn a_name_that_no_module_has_is_refused_and_asked_for_again() {
    let scratch = Scratch::new();
    let host = host(&scratch);
    let gateway = running_gateway(&scratch, &single(&scratch, "absent"));
    gateway.wait_for_line("the host answered Create with");
    host.wait_for_nth_line(2, "a gateway asks for a module that is not here module=\"absent\"");
}

#[test]
fn a_module_belongs_to_one_gateway_until_that_goes_or_lets_go_of_it() {
    let scratches = [Scratch::new(), Scratch::new(), Scratch::new()];
    let host = host(&scratches[0]);
    let document = single(&scratches[0], "a");
    let first = running_gateway(&scratches[0], &document);
    first.wait_for_line("started module=\"single\"");
    let mut second = running_gateway(&scratches[1], &document);
    host.wait_for_nth_line(2, "another gateway has it");
    assert_eq!(second.count_lines("started"), 0);
    first.kill();
    second.wait_for_line("started module=\"single\"");
    let third = running_gateway(&scratches[2], &document);
    host.wait_for_nth_line(5, "another gateway has it");
    second.stop();
    third.wait_for_line("started module=\"single\"");
}
