//! Modules of a host that cannot be loaded, or not soon: the others do not notice.

use std::fs;

use sandgate_tests::config::attached;
use sandgate_tests::ends::{Ends, around};
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::process::Process;
use sandgate_tests::procfs::children;
use sandgate_tests::programs::{guest, running_gateway};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::wait::until;
use serde_json::{Value, json};

fn with_middle(scratch: &Scratch) -> HostConfiguration {
    HostConfiguration::new().module("middle", &scratch.id("middle"), "modules/echo", json!({}))
}

/// In front of the good one is one whose file is cut off.
fn with_broken(scratch: &Scratch) -> HostConfiguration {
    let whole = fs::read(guest("modules/echo")).unwrap();
    let file = scratch.write("other.wasm", &whole[..whole.len() / 2]);
    HostConfiguration::new().component("other", &scratch.id("other"), &file, json!({})).module(
        "middle",
        &scratch.id("middle"),
        "modules/echo",
        json!({}),
    )
}

fn left_out(host: &Process) {
    host.wait_for_line_with(&[
        "a module of the configuration cannot be used",
        "other.wasm cannot be compiled",
    ]);
}

#[test]
fn a_module_that_cannot_be_loaded_takes_no_other_with_it() {
    let scratch = Scratch::new();
    let configuration = with_broken(&scratch);
    let host = configuration.start_anyhow(&scratch);
    let _gateway = running_gateway(&scratch, &around(&scratch, attached(&scratch.id("middle")), Value::Null));
    let ends = Ends::attach(&scratch);
    ends.send_numbers(1..=3);
    ends.expect_numbers(1..=3);
    left_out(&host);

    // A host that dies comes back with the good one.
    host.kill();
    let mut host = configuration.start_anyhow(&scratch);
    ends.send_numbers(4..=6);
    ends.expect_numbers(4..=6);
    left_out(&host);
    assert_eq!(host.count_lines("waiting for a gateway"), 1);

    // Once it is repaired it is there too, and the good one has kept its instance.
    fs::copy(guest("modules/echo"), scratch.file("other.wasm")).unwrap();
    host.hang_up();
    host.wait_for_line_with(&["waiting for a gateway", "module=\"other\""]);
    ends.send_numbers(7..=9);
    ends.expect_numbers(7..=9);
    assert_eq!(host.count_lines(": created"), 1);
    host.stop();
}

#[test]
fn a_module_that_runs_stays_as_it_was_when_its_file_breaks() {
    let scratch = Scratch::new();
    let broken = with_broken(&scratch);
    fs::copy(guest("modules/echo"), scratch.file("other.wasm")).unwrap();
    let host = broken.start_anyhow(&scratch);
    host.wait_for_nth_line(2, "waiting for a gateway");
    let _gateway = running_gateway(&scratch, &around(&scratch, attached(&scratch.id("other")), Value::Null));
    let ends = Ends::attach(&scratch);
    with_broken(&scratch).write(&scratch);
    host.hang_up();
    left_out(&host);
    ends.send_numbers(1..=3);
    ends.expect_numbers(1..=3);
    assert_eq!(host.count_lines(": created"), 1);
}

#[test]
fn a_host_of_which_no_module_can_be_loaded_does_not_stay() {
    let scratch = Scratch::new();
    let file = scratch.write("other.wasm", b"nothing of the kind");
    let configuration = HostConfiguration::new().component("other", &scratch.id("other"), &file, json!({}));
    let mut host = configuration.start_anyhow(&scratch);
    assert_eq!(host.wait_exit().code(), Some(64), "{}", host.text());
    host.wait_for_line_with(&["a module of the configuration cannot be used", "is no WebAssembly file"]);
}

/// Compiling takes a minute here, until its own limit ends it.
#[test]
fn a_host_that_compiles_serves_takes_orders_and_stops() {
    let scratch = Scratch::new();
    let mut host = with_middle(&scratch).start(&scratch);
    let slow = |limit: &str| {
        let limits = json!({"limits": {"compile-timeout": limit}});
        with_middle(&scratch).module("slow", &scratch.id("slow"), "fixtures/slow_compile", limits)
    };
    let compiles = || until("a compiler", || !children(host.pid()).is_empty());
    slow("2s").write(&scratch);
    host.hang_up();
    compiles();
    // What is asked meanwhile is done afterwards, once.
    let more = with_middle(&scratch).module("more", &scratch.id("more"), "modules/echo", json!({}));
    more.write(&scratch);
    host.hang_up();
    host.hang_up();
    host.wait_for_line_with(&["slow_compile.wasm is over the limit compile-timeout"]);
    host.wait_for_line_with(&["waiting for a gateway", "module=\"more\""]);

    slow("60s").write(&scratch);
    host.hang_up();
    compiles();
    host.stop();
    assert_eq!(host.count_lines("compile-timeout of 60 s"), 0, "nobody has waited for it");
}
