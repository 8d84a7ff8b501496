//! A slow module: what waits for it is bounded, and every message is accounted for.

use sandgate_tests::config::{Configuration, attached};
use sandgate_tests::log_file::LogFile;
use sandgate_tests::process::{Process, number};
use sandgate_tests::procfs::peak_memory_kib;
use sandgate_tests::programs::{running_gateway, waiting_host};
use sandgate_tests::scratch::Scratch;
use serde_json::{Value, json};

const CAPACITY: u64 = 64;

/// `hello` -> `flood` -> `slow` -> `log`: many messages for each greeting, and a module that sleeps over each.
/// Gives what the link from `flood` to `slow` has counted at the end.
fn run_against_a_slow_module(policy: &str) -> [u64; 4] {
    let scratch = Scratch::new();
    let (flood, slow, log) = (scratch.id("f"), scratch.id("s"), scratch.file("log.json"));
    let slow_module = json!({
        "name": "slow",
        "loader": {"name": "outprocess", "entrypoint": attached(&slow)},
        "queue.capacity": CAPACITY,
        "args": 2,
    });
    let configuration = Configuration::new()
        .hello_world("hello", 20)
        .remote("flood", attached(&flood), 2000.into())
        .module(slow_module)
        .logger("log", &log)
        .link("hello", "flood")
        .link_on_full("flood", "slow", policy)
        .link("slow", "log")
        .json();
    let mut flood = waiting_host(&scratch, &flood, "fixtures/publish_flood", &[]);
    let mut slow = waiting_host(&scratch, &slow, "fixtures/sleep_receive", &[]);
    let mut gateway = running_gateway(&scratch, &configuration);
    let log = LogFile::at(&log);
    log.wait_for(20);
    let before = peak_memory_kib(gateway.pid());
    log.wait_for(520);
    let growth = peak_memory_kib(gateway.pid()) - before;
    assert!(growth < 16 << 10, "{growth} KiB while the slow module took 500 messages");
    gateway.stop();
    let counters = link(&gateway, "flood", "slow");
    flood.stop();
    slow.stop();
    counters
}

fn link(gateway: &Process, source: &str, sink: &str) -> [u64; 4] {
    let (source, sink) = (format!(r#"source="{source}""#), format!(r#"sink="{sink}""#));
    let line = gateway.wait_for_line_with(&[": link ", &source, &sink]);
    ["offered", "delivered", "dropped", "in_flight"].map(|key| number(&line, key))
}

#[test]
fn a_link_that_drops_counts_what_it_drops() {
    let [offered, delivered, dropped, waiting] = run_against_a_slow_module("drop-oldest");
    assert_eq!(offered, delivered + dropped + waiting);
    assert!(
        dropped > 0 && delivered > 500 && waiting <= CAPACITY,
        "{offered} {delivered} {dropped} {waiting}"
    );
}

#[test]
fn a_link_that_blocks_drops_nothing_while_its_sink_is_there() {
    let [offered, delivered, dropped, waiting] = run_against_a_slow_module("block");
    assert_eq!(offered, delivered + dropped + waiting);
    assert!(waiting <= CAPACITY && delivered > 500, "{offered} {delivered} {dropped} {waiting}");
}

/// The same for a module whose host never comes: the inbox keeps the newest, and the source goes on.
#[test]
fn an_absent_module_keeps_as_much_as_its_inbox_holds() {
    let scratch = Scratch::new();
    let log = scratch.file("log.json");
    let absent = json!({
        "name": "absent",
        "loader": {"name": "outprocess", "entrypoint": attached(&scratch.id("c"))},
        "queue.capacity": 8,
        "args": Value::Null,
    });
    let configuration = Configuration::new()
        .hello_world("hello", 2)
        .module(absent)
        .logger("log", &log)
        .link("hello", "absent")
        .link("hello", "log")
        .json();
    let mut gateway = running_gateway(&scratch, &configuration);
    LogFile::at(&log).wait_for(100);
    gateway.stop();
    let [offered, delivered, dropped, waiting] = link(&gateway, "hello", "absent");
    assert_eq!(offered, delivered + dropped + waiting);
    assert!(delivered <= 8 && waiting <= 8 && dropped >= 84, "{offered} {delivered} {dropped} {waiting}");
}
