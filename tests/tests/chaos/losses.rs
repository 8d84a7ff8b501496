//! Messages that may be given up, under force: each is accounted for by what became of it.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sandgate_tests::config::launched;
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::process::number;
use sandgate_tests::programs::{program, running_gateway};
use sandgate_tests::scratch::Scratch;
use serde_json::{Value, json};

use crate::stream::{Counts, Stream, WINDOW, assert_few_duplicates, configuration, is_poison};

/// Hosts that are stopped for a while, then killed.
const BLOWS: u64 = 20;
/// How old a message may become, and how many wait: fewer than come while a host is stopped.
const TIME_TO_LIVE_MS: u64 = 100;
const ROOM: u64 = 300;
/// Longer than what waits may live, and than it takes to fill the room.
const STOPPED: Duration = Duration::from_millis(250);

/// `source` -> `middle` -> `sink`, with a middle that is ended by poison, and a link to it that drops its oldest, lets
/// go what is too old, and puts poison aside.
fn configuration_with_losses(scratch: &Scratch) -> Value {
    let control = scratch.id("middle");
    let restart = json!({"max": 10_000, "backoff.ms": 1, "longest.backoff.ms": 2});
    let host = HostConfiguration::new()
        .module("middle", &control, "fixtures/trap_receive", json!({"restart": restart}))
        .write(scratch);
    let path = program("wasm-host");
    let args = ["--config", host.to_str().unwrap()];
    let mut middle = launched(&control, path.to_str().unwrap(), &args, 2000);
    // Quarantine is for hosts that die by themselves.
    middle["launch"]["restart.max"] = (BLOWS * 2).into();
    middle["launch"]["restart.reset.ms"] = 0.into();
    let mut document = configuration(scratch, middle);
    let modules = document["modules"].as_array_mut().unwrap();
    let middle = modules.iter_mut().find(|module| module["name"] == "middle").unwrap();
    middle["queue.capacity"] = ROOM.into();
    let links = document["links"].as_array_mut().unwrap();
    let link = links.iter_mut().find(|link| link["sink"] == "middle").unwrap();
    link["on.full"] = json!("drop-oldest");
    link["time.to.live.ms"] = TIME_TO_LIVE_MS.into();
    link["redelivery.max"] = 2.into();
    document
}

/// The numbers of the messages that were put aside.
fn dead_letters(scratch: &Scratch) -> Vec<u64> {
    let text = fs::read_to_string(scratch.file("dead-letters.ndjson")).unwrap();
    let letters = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    letters.map(|letter| letter["properties"]["nth"].as_str().unwrap().parse().unwrap()).collect()
}

#[test]
fn every_message_that_does_not_come_through_is_accounted_for() {
    let scratch = Scratch::new();
    let mut gateway = running_gateway(&scratch, &configuration_with_losses(&scratch));
    let stream = Stream::start_with_poison(&scratch);
    for nth in 1..=BLOWS {
        let line = gateway.wait_for_nth_line(nth as usize, "launched module=\"middle\"");
        let pid = Pid::from_raw(number(&line, "pid").try_into().unwrap()).unwrap();
        stream.wait_for_progress();
        kill_process(pid, Signal::STOP).unwrap();
        thread::sleep(STOPPED);
        kill_process(pid, Signal::KILL).unwrap();
    }
    stream.wait_for_progress();
    let (sent, arrivals) = stream.finish();
    assert!(gateway.is_running());
    gateway.stop();
    let [to, from] =
        [("source", "middle"), ("middle", "sink")].map(|(source, sink)| Counts::of(&gateway, source, sink));
    println!("{sent} messages, {} came through, {} twice; {to:?}", arrivals.seen.len(), arrivals.duplicates);
    assert_few_duplicates(&arrivals, BLOWS);
    // All of it was seen to happen.
    assert!(to.dropped > 0 && to.expired > 0 && to.dead > 0, "{to:?}");
    assert_eq!((to.offered, to.in_flight), (sent, 0), "{to:?}");
    let came = arrivals.seen.len() as u64;
    assert_eq!((from.offered, from.delivered), (came + arrivals.duplicates, from.offered), "{from:?}");
    // A host may have died after a message came through, and before that was settled; then it may have been too late for
    // the next one.
    assert!((to.delivered..=to.delivered + BLOWS * WINDOW).contains(&came), "{came} came, {to:?}");
    let letters = dead_letters(&scratch);
    assert_eq!(letters.len() as u64, to.dead);
    assert_eq!(letters.iter().collect::<BTreeSet<_>>().len(), letters.len(), "each once");
    assert!(
        letters.iter().all(|number| is_poison(*number))
            && arrivals.seen.iter().all(|number| !is_poison(*number))
    );
}
