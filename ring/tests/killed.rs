//! A writer that is killed at any moment: everything that it had published is there, whole and in order.

#![cfg(all(unix, not(loom)))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::env;
use std::io::stdin;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::thread::yield_now;
use std::time::{Duration, Instant};

use sandgate_ring::{Arena, End, Push, SMALLEST_RING, Slot};

/// Says to this program that it is the writer.
const WRITER: &str = "SANDGATE_RING_TEST_WRITER";
const ROUNDS: u64 = 60;
/// Far more than a process takes to begin.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes that tell their number, from their first to their last.
fn record(number: u64) -> Vec<u8> {
    let length = 8 + number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 700;
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(length as usize, number as u8);
    bytes
}

/// What the writer does, until it is killed.
#[test]
fn writer() {
    if env::var_os(WRITER).is_none() {
        return;
    }
    let arena = Arena::open(stdin().as_fd().try_clone_to_owned().unwrap()).unwrap();
    let mut end = arena.end(Slot { number: 0, life: 1 }).unwrap();
    for number in 1.. {
        let bytes = record(number);
        while end.push(&[&bytes[..5], &bytes[5..]], number as u8).unwrap() != Push::Done {
            let _ = end.publish();
            yield_now();
        }
        if number % 3 == 0 {
            let _ = end.publish();
        }
    }
}

fn read(end: &mut End, buffer: &mut Vec<u8>, number: &mut u64) -> bool {
    let Some(kind) = end.pop_into(buffer).unwrap() else { return false };
    *number += 1;
    assert_eq!(kind, *number as u8);
    assert_eq!(*buffer, record(*number));
    true
}

#[test]
fn what_a_killed_writer_has_published_is_whole() {
    for round in 0..ROUNDS {
        let (arena, descriptor) =
            Arena::create(1, if round % 2 == 0 { SMALLEST_RING } else { 1 << 16 }).unwrap();
        let mut end = arena.allocate().unwrap();
        let mut writer = Command::new(env::current_exe().unwrap());
        writer.args(["--exact", "writer"]).env(WRITER, "1");
        let mut writer = writer.stdin(descriptor).stdout(Stdio::null()).spawn().unwrap();
        let (mut buffer, mut number) = (Vec::new(), 0);
        let begun = Instant::now();
        while number < round * 37 % 1000 + 1 {
            if !read(&mut end, &mut buffer, &mut number) {
                let _ = end.publish();
                yield_now();
                assert!(begun.elapsed() < PATIENCE, "the writer does not write");
            }
        }
        // It writes on while it is killed: in the middle of whatever it does.
        writer.kill().unwrap();
        writer.wait().unwrap();
        while read(&mut end, &mut buffer, &mut number) {}
        assert!(!read(&mut end, &mut buffer, &mut number));
    }
}
