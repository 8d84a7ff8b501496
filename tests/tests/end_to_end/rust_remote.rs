//! The sample `rust_remote`: a Rust program as a module, by the commands of its README and launched by a gateway.

use std::fs::File;
use std::path::Path;

use sandgate_tests::config::{Configuration, attached, launched, pipeline};
use sandgate_tests::log_file::{Entry, LogFile};
use sandgate_tests::process::{Process, number};
use sandgate_tests::procfs::Stray;
use sandgate_tests::programs::{command, program, running_gateway};
use sandgate_tests::scratch::Scratch;
use serde_json::{Value, json};

use crate::documents::{REMOTE, REMOTE_GATEWAY, checkout, shell};

/// The messages have come through the program, and through how many instances of it.
fn assert_numbered(messages: &[Entry]) -> usize {
    let mut instances = 0;
    let mut last = 0;
    for message in messages {
        assert_eq!(message.property("site"), Some("lab"), "{message:?}");
        assert_eq!(message.property("helloWorld"), Some("from Azure IoT Gateway SDK simple sample!"));
        let number = message.property("number").unwrap().parse().unwrap();
        if number == 1 {
            instances += 1;
        } else {
            assert_eq!(number, last + 1, "no message is lost or overtaken");
        }
        last = number;
    }
    instances
}

fn remote(scratch: &Scratch, control: &str) -> Process {
    let remote = Process::start(command(scratch, program("rust_remote")).arg(control));
    remote.wait_for_line("waiting for a gateway");
    remote
}

fn through_remote(entrypoint: Value, log: &Path) -> Configuration {
    pipeline(entrypoint, json!("lab"), log)
}

#[test]
fn the_commands_of_the_sample_work_as_they_are_written() {
    // The sample's addresses are the same for everybody on this machine.
    let lock = File::create("/tmp/rust_remote.lock").unwrap();
    lock.lock().unwrap();
    for gateway_first in [true, false] {
        let scratch = Scratch::new();
        checkout(&scratch);
        let lines = if gateway_first { [REMOTE_GATEWAY, REMOTE] } else { [REMOTE, REMOTE_GATEWAY] };
        let mut processes = lines.map(|line| shell(&scratch, line));
        let messages = LogFile::at(&scratch.file("rust_remote_log.json")).wait_for(2);
        assert_eq!(assert_numbered(&messages), 1);
        processes.iter_mut().for_each(Process::stop);
    }
}

#[test]
fn gateways_come_and_go_and_the_program_stays() {
    let scratch = Scratch::new();
    let control = scratch.id("c");
    let mut remote = remote(&scratch, &control);
    for round in 1..=3 {
        let log = scratch.file(&format!("{round}.json"));
        let mut gateway = running_gateway(&scratch, &through_remote(attached(&control), &log).json());
        assert_eq!(assert_numbered(&LogFile::at(&log).wait_for(5)), 1);
        match round {
            2 => gateway.stop(),
            _ => gateway.kill(),
        }
    }
    remote.stop();
    let stopped = remote.wait_for_line("stopped");
    assert_eq!((number(&stopped, "created"), number(&stopped, "failures")), (3, 0));
}

#[test]
fn programs_come_and_go_and_the_gateway_stays() {
    let scratch = Scratch::new();
    let (control, log) = (scratch.id("c"), scratch.file("log.json"));
    let mut gateway = running_gateway(&scratch, &through_remote(attached(&control), &log).json());
    for round in 1..=3 {
        let mut remote = remote(&scratch, &control);
        LogFile::at(&log).wait_for_more(5);
        match round {
            2 => remote.kill(),
            _ => remote.stop(),
        }
        gateway.wait_for_line(["attach ended", "host gone"][usize::from(round == 2)]);
    }
    gateway.stop();
    let messages = LogFile::at(&log).messages();
    let firsts = messages.iter().filter(|message| message.property("number") == Some("1"));
    assert_eq!(firsts.count(), 3, "an instance for each program");
}

#[test]
fn arguments_that_it_cannot_use_are_told_and_the_program_goes_on() {
    let scratch = Scratch::new();
    let (control, log) = (scratch.id("c"), scratch.file("log.json"));
    let mut remote = remote(&scratch, &control);
    let mut gateway = running_gateway(&scratch, &pipeline(attached(&control), json!(7), &log).json());
    remote.wait_for_line_with(&["the module has failed", "the args must be a text"]);
    gateway.wait_for_line("creation error (2)");
    gateway.stop();
    let mut gateway = running_gateway(&scratch, &through_remote(attached(&control), &log).json());
    LogFile::at(&log).wait_for(5);
    gateway.stop();
    remote.stop();
}

#[test]
fn a_launched_program_ends_with_its_gateway() {
    for killed in [false, true] {
        let scratch = Scratch::new();
        let (control, log) = (scratch.id("c"), scratch.file("log.json"));
        let path = program("rust_remote");
        let entrypoint = launched(&control, path.to_str().unwrap(), &[&control], 2000);
        let mut gateway = running_gateway(&scratch, &through_remote(entrypoint, &log).json());
        let line = gateway.wait_for_line("launched module=");
        let remote = Stray::new(number(&line, "pid").try_into().unwrap());
        assert_eq!(assert_numbered(&LogFile::at(&log).wait_for(5)), 1);
        if killed {
            gateway.kill();
        } else {
            gateway.stop();
            let end = gateway.wait_for_line("host exited");
            assert!(end.contains("exit status: 0"), "{end}");
        }
        remote.wait_end();
    }
}

#[test]
fn a_program_without_an_id_says_how_it_is_used() {
    let scratch = Scratch::new();
    let mut remote = Process::start(&mut command(&scratch, program("rust_remote")));
    assert_eq!(remote.wait_exit().code(), Some(1));
    remote.wait_for_line("usage: rust_remote CONTROL_ID");
}
