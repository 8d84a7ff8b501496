//! A program with `sandgate-remote` that is killed at random moments: launched by the gateway, or started by somebody.

use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sandgate_tests::config::{attached, launched};
use sandgate_tests::process::{Process, number};
use sandgate_tests::programs::{command, program, running_gateway};
use sandgate_tests::scratch::Scratch;
use serde_json::{Value, json};

use crate::stream::{Stream, assert_complete, assert_counts, configuration};

const KILLS: u64 = 10;
/// Of a program that somebody else starts: after each death the gateway waits longer before it attaches again, and what
/// comes meanwhile must find room in an inbox.
const KILLS_BY_HAND: u64 = 5;
const ROOM: u64 = 200_000;
const ROOM_BYTES: u64 = 1 << 30;
/// What the kills are apart, in milliseconds, beside the messages that come through in between: never the same.
const APART: [u64; 5] = [0, 31, 7, 19, 3];

/// A gateway with the program in the middle.
fn around_the_program(scratch: &Scratch, entrypoint: Value) -> Process {
    let mut document = configuration(scratch, entrypoint);
    let modules = document["modules"].as_array_mut().unwrap();
    let middle = modules.iter_mut().find(|module| module["name"] == "middle").unwrap();
    middle["args"] = json!("lab");
    middle["queue.capacity"] = ROOM.into();
    middle["queue.bytes"] = ROOM_BYTES.into();
    running_gateway(scratch, &document)
}

fn kill_after_progress(stream: &Stream, nth: u64, kill: impl FnOnce()) {
    stream.wait_for_progress();
    thread::sleep(Duration::from_millis(APART[nth as usize % APART.len()]));
    kill();
}

fn assert_nothing_is_lost(stream: Stream, gateway: Process, kills: u64) {
    stream.wait_for_progress();
    let (sent, arrivals) = stream.finish();
    println!("{sent} messages, {} came twice", arrivals.duplicates);
    assert_complete(sent, &arrivals, kills);
    assert_counts(gateway, sent, &arrivals);
}

#[test]
fn nothing_is_lost_by_launched_programs_that_are_killed() {
    let scratch = Scratch::new();
    let control = scratch.id("middle");
    let path = program("rust_remote");
    let mut middle = launched(&control, path.to_str().unwrap(), &[&control], 2000);
    // Quarantine is for programs that die by themselves.
    middle["launch"]["restart.max"] = (KILLS * 2).into();
    middle["launch"]["restart.reset.ms"] = 0.into();
    let gateway = around_the_program(&scratch, middle);
    let stream = Stream::start(&scratch);
    for nth in 1..=KILLS {
        let line = gateway.wait_for_nth_line(nth as usize, "launched module=\"middle\"");
        let pid: i32 = number(&line, "pid").try_into().unwrap();
        kill_after_progress(&stream, nth, || {
            kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        });
    }
    assert_nothing_is_lost(stream, gateway, KILLS);
}

#[test]
fn nothing_is_lost_by_programs_that_are_killed_and_started_again() {
    let scratch = Scratch::new();
    let control = scratch.id("middle");
    let gateway = around_the_program(&scratch, attached(&control));
    let start = || Process::start(command(&scratch, program("rust_remote")).arg(&control));
    let mut remote = start();
    let stream = Stream::start(&scratch);
    for nth in 1..=KILLS_BY_HAND {
        kill_after_progress(&stream, nth, || remote.kill());
        remote = start();
    }
    assert_nothing_is_lost(stream, gateway, KILLS_BY_HAND);
}
