//! Either side may go and come back while the other runs, by force or in good order, again and again.

use sandgate_tests::config::{attached, pipeline};
use sandgate_tests::log_file::LogFile;
use sandgate_tests::programs::{running_gateway, waiting_host};
use sandgate_tests::scratch::Scratch;
use serde_json::Value;

use crate::start_order::assert_annotated;

const ROUNDS: usize = 3;

#[test]
fn a_host_that_is_killed_and_comes_back_is_created_and_started_again() {
    let scratch = Scratch::new();
    let (control, log) = (scratch.id("c"), LogFile::at(&scratch.file("log.json")));
    let configuration = pipeline(attached(&control), Value::Null, &scratch.file("log.json")).json();
    let mut gateway = running_gateway(&scratch, &configuration);
    for round in 1..=ROUNDS {
        let host = waiting_host(&scratch, &control, "modules/annotate", &[]);
        host.wait_for_line("started");
        // What is counted as more cannot come from the host before.
        assert_annotated(&log.wait_for_more(5));
        host.kill();
        gateway.wait_for_nth_line(round, "host gone");
    }
    gateway.stop();
    let statistics = gateway.wait_for_line("channel statistics");
    assert!(statistics.contains(&format!("attaches={ROUNDS}")), "{statistics}");
}

#[test]
fn a_host_that_is_stopped_detaches_and_is_created_and_started_again() {
    let scratch = Scratch::new();
    let (control, log) = (scratch.id("c"), LogFile::at(&scratch.file("log.json")));
    let configuration = pipeline(attached(&control), Value::Null, &scratch.file("log.json")).json();
    let mut gateway = running_gateway(&scratch, &configuration);
    for round in 1..=ROUNDS {
        let mut host = waiting_host(&scratch, &control, "modules/annotate", &[]);
        host.wait_for_line("started");
        assert_annotated(&log.wait_for_more(5));
        host.stop();
        // The link says so first, or the control channel.
        gateway.wait_for_nth_line(round, "attach ended");
    }
    gateway.stop();
}

#[test]
fn a_gateway_that_is_killed_and_comes_back_finds_the_host() {
    let scratch = Scratch::new();
    let control = scratch.id("c");
    let mut host = waiting_host(&scratch, &control, "modules/annotate", &[]);
    for round in 1..=ROUNDS {
        let log = scratch.file(&format!("{round}.json"));
        let gateway = running_gateway(&scratch, &pipeline(attached(&control), Value::Null, &log).json());
        assert_annotated(&LogFile::at(&log).wait_for(5));
        host.wait_for_nth_line(round, ": started");
        gateway.kill();
    }
    host.stop();
    host.wait_for_line(": stopped");
    assert_eq!(host.count_lines(": created"), ROUNDS);
}

#[test]
fn a_gateway_that_is_stopped_and_comes_back_finds_the_host() {
    let scratch = Scratch::new();
    let control = scratch.id("c");
    let mut host = waiting_host(&scratch, &control, "modules/annotate", &[]);
    for round in 1..=ROUNDS {
        let log = scratch.file(&format!("{round}.json"));
        let configuration = pipeline(attached(&control), Value::Null, &log).json();
        let mut gateway = running_gateway(&scratch, &configuration);
        assert_annotated(&LogFile::at(&log).wait_for(5));
        gateway.stop();
        host.wait_for_nth_line(round, "destroyed by the gateway");
    }
    host.stop();
    host.wait_for_line(": stopped");
    assert_eq!(host.count_lines(": created"), ROUNDS);
}
