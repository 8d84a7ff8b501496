//! A log that cannot be written is told about; nothing else stops.

use sandgate_tests::config::Configuration;
use sandgate_tests::log_file::LogFile;
use sandgate_tests::process::Process;
use sandgate_tests::programs::{command, program, running_gateway};
use sandgate_tests::scratch::Scratch;

#[test]
fn a_full_disk_is_reported_and_the_others_go_on() {
    let scratch = Scratch::new();
    let log = scratch.file("log.json");
    let configuration = Configuration::new()
        .hello_world("hello", 5)
        .logger("full", "/dev/full".as_ref())
        .logger("log", &log)
        .link("hello", "full")
        .link("hello", "log")
        .json();
    let mut gateway = running_gateway(&scratch, &configuration);
    let complaint = gateway.wait_for_line("cannot write the log");
    assert!(complaint.contains("/dev/full") && complaint.contains("No space left"), "{complaint}");
    LogFile::at(&log).wait_for(50);
    gateway.stop();
    assert_eq!(gateway.count_lines("cannot write the log"), 1, "told once, not for every entry");
    gateway.wait_for_line_with(&["log entries were lost", "/dev/full"]);
}

#[test]
fn a_log_that_may_not_grow_stays_a_whole_array() {
    let scratch = Scratch::new();
    let log = scratch.file("log.json");
    let configuration =
        Configuration::new().hello_world("hello", 5).logger("log", &log).link("hello", "log").json();
    let file = scratch.configuration(&configuration);
    let script = r#"ulimit -f 8; exec "$0" "$1""#;
    let mut shell = command(&scratch, "/bin/sh");
    let mut gateway = Process::start(shell.args(["-c", script]).arg(program("gateway")).arg(file));
    let complaint = gateway.wait_for_line("cannot write the log");
    assert!(complaint.contains("File too large"), "{complaint}");
    let messages = LogFile::at(&log).messages();
    assert!(!messages.is_empty());
    gateway.stop();
    gateway.wait_for_line("entries were lost module=");
    // A short entry may still have found room.
    assert!(LogFile::at(&log).count() >= messages.len());
}

#[test]
fn a_log_in_a_directory_that_does_not_exist_is_reported() {
    let scratch = Scratch::new();
    let log = scratch.file("log.json");
    let configuration = Configuration::new()
        .hello_world("hello", 5)
        .logger("nowhere", &scratch.file("no/such/log.json"))
        .logger("log", &log)
        .link("*", "nowhere")
        .link("hello", "log")
        .json();
    let mut gateway = running_gateway(&scratch, &configuration);
    gateway.wait_for_line_with(&["the log file cannot be used", "no/such/log.json"]);
    LogFile::at(&log).wait_for(10);
    gateway.stop();
}

#[test]
fn a_file_that_is_no_log_is_left_alone() {
    let scratch = Scratch::new();
    let file = scratch.write("letter.txt", "Dear all,");
    let configuration =
        Configuration::new().hello_world("hello", 5).logger("log", &file).link("hello", "log").json();
    let mut gateway = running_gateway(&scratch, &configuration);
    gateway.wait_for_line_with(&["the file is not a JSON array", "letter.txt"]);
    gateway.stop();
    assert_eq!(std::fs::read(file).unwrap(), b"Dear all,");
}
