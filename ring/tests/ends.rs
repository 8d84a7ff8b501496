//! What ends, doorbells and slots promise, one thing at a time.

#![cfg(all(unix, not(loom)))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use sandgate_ring::{Arena, ArenaError, Bell, End, Push, Record, SMALLEST_RING, Slot, Violation};

const PAGE: u64 = 4096;

fn arenas(slots: u32, ring_bytes: u32) -> (Arena, Arena) {
    let (gateway, descriptor) = Arena::create(slots, ring_bytes).unwrap();
    (gateway, Arena::open(descriptor).unwrap())
}

fn ends(gateway: &Arena, host: &Arena) -> (End, End) {
    let end = gateway.allocate().unwrap();
    let other = host.end(end.slot()).unwrap();
    (end, other)
}

fn ready(arena: &Arena) -> Vec<u32> {
    let mut slots = Vec::new();
    assert_eq!(arena.take_ready(|slot| slots.push(slot)), slots.len());
    slots
}

#[test]
fn records_go_both_ways_and_are_seen_when_they_are_published() {
    let (gateway, host) = arenas(3, SMALLEST_RING);
    let (mut down, mut up) = ends(&gateway, &host);
    assert_eq!(down.push(&[b"one", b" and ", b"a half of it"], 7), Ok(Push::Done));
    assert_eq!(up.pop(), Ok(None));
    let _ = down.publish();
    let bytes = Bytes::from_static(b"one and a half of it");
    assert_eq!(up.pop(), Ok(Some(Record { kind: 7, bytes })));
    assert_eq!(up.pop(), Ok(None));
    assert_eq!(up.push(&[], 255), Ok(Push::Done));
    let _ = up.publish();
    let mut buffer = b"what was there".to_vec();
    assert_eq!(down.pop_into(&mut buffer), Ok(Some(255)));
    assert!(buffer.is_empty());
    assert_eq!(down.pop_into(&mut buffer), Ok(None));
}

#[test]
fn a_ring_is_full_until_it_is_read_and_what_is_too_long_never_fits() {
    let (gateway, host) = arenas(1, SMALLEST_RING);
    let (mut down, mut up) = ends(&gateway, &host);
    let longest = down.longest();
    assert_eq!((longest, gateway.longest()), (2048, 2048));
    let bytes = vec![1; longest + 1];
    assert_eq!(down.push(&[&bytes], 0), Ok(Push::TooLong));
    assert_eq!(down.push(&[&bytes[1..]], 0), Ok(Push::Done));
    assert_eq!(down.push(&[&bytes[1..]], 0), Ok(Push::Full));
    assert_eq!(down.push(&[&bytes[..longest - 16]], 0), Ok(Push::Done));
    assert_eq!(down.push(&[], 0), Ok(Push::Full));
    let _ = down.publish();
    assert_eq!(down.want_room(0), Ok(false));
    assert_eq!(up.pop().unwrap().unwrap().bytes.len(), longest);
    assert_eq!(up.pop().unwrap().unwrap().bytes.len(), longest - 16);
    let _ = up.publish();
    assert_eq!(down.want_room(longest), Ok(true));
    assert_eq!(down.push(&[&bytes[1..]], 0), Ok(Push::Done));
}

#[test]
fn who_has_pushed_enough_for_now_is_told_when_the_peer_reads_on() {
    let (gateway, host) = arenas(1, SMALLEST_RING);
    let (mut down, mut up) = ends(&gateway, &host);
    assert_eq!(down.want_reading(), Ok(false), "there is nothing to read");
    for _ in 0..2 {
        assert_eq!(down.push(&[b"x"], 0), Ok(Push::Done));
    }
    let _ = down.publish();
    assert_eq!(down.want_room(1), Ok(true));
    assert_eq!(down.want_reading(), Ok(true));
    assert!(up.pop().unwrap().is_some());
    assert_eq!(ready(&gateway), []);
    let _ = up.publish();
    assert_eq!(ready(&gateway), [0]);
    assert_eq!(down.want_reading(), Ok(true));
    assert!(up.pop().unwrap().is_some());
    let _ = up.publish();
    assert_eq!(ready(&gateway), [0]);
    assert_eq!(down.want_reading(), Ok(false));
}

#[test]
fn one_of_many_rings_for_a_sleeper() {
    let (gateway, host) = arenas(200, SMALLEST_RING);
    let mut pairs: Vec<_> = (0..200).map(|_| ends(&gateway, &host)).collect();
    assert!(host.fall_asleep());
    let mut bells = Vec::new();
    for at in [3, 64, 199, 3] {
        assert_eq!(pairs[at].0.push(&[b"x"], 0), Ok(Push::Done));
        bells.push(pairs[at].0.publish());
    }
    assert_eq!(bells, [Bell::Ring, Bell::Silent, Bell::Silent, Bell::Silent]);
    assert!(!host.fall_asleep());
    assert_eq!(ready(&host), [3, 64, 199]);
    assert_eq!(ready(&host), []);
    assert_eq!(ready(&gateway), []);
    assert!(host.fall_asleep());
    host.awake();
    assert_eq!(pairs[5].0.push(&[b"x"], 0), Ok(Push::Done));
    assert_eq!(pairs[5].0.publish(), Bell::Silent);
    assert_eq!(ready(&host), [5]);
    // Nothing new is no reason to wake anybody.
    assert!(host.fall_asleep());
    assert_eq!(pairs[5].0.publish(), Bell::Silent);
}

#[test]
fn room_and_acknowledgements_are_told_to_who_wants_them() {
    let (gateway, host) = arenas(1, SMALLEST_RING);
    let (mut down, mut up) = ends(&gateway, &host);
    for number in 0..2_u64 {
        assert_eq!(down.push(&[&[0; 2000]], 0), Ok(Push::Done));
        let _ = down.publish();
        assert!(up.pop().unwrap().is_some());
        up.acknowledge(number + 1);
        if number == 0 {
            assert!(gateway.fall_asleep());
            assert_eq!(up.publish(), Bell::Silent);
            assert_eq!(down.acknowledged(1), Ok(1));
            assert!(!down.want_acknowledgements());
            assert_eq!(ready(&gateway), []);
        } else {
            assert_eq!(up.publish(), Bell::Ring);
            assert_eq!(ready(&gateway), [0]);
            assert!(down.want_acknowledgements());
            assert_eq!(down.acknowledged(2), Ok(2));
        }
    }
    while down.push(&[&[0; 100]], 0).unwrap() == Push::Done {}
    assert_eq!(down.publish(), Bell::Silent);
    assert_eq!(down.want_room(100), Ok(false));
    assert!(gateway.fall_asleep());
    assert!(up.pop().unwrap().is_some());
    // An acknowledgement is not what it waits for.
    up.acknowledge(3);
    assert_eq!(up.publish(), Bell::Ring);
    assert_eq!(ready(&gateway), [0]);
    assert_eq!(down.push(&[&[0; 100]], 0), Ok(Push::Done));
    assert!(gateway.fall_asleep());
    assert!(up.pop().unwrap().is_some());
    up.acknowledge(2);
    assert_eq!(up.publish(), Bell::Silent, "it has pushed, and waits no more");
    assert_eq!(down.acknowledged(3), Ok(3), "an acknowledgement is not taken back");
}

#[test]
fn a_slot_is_given_again_when_both_have_left() {
    let (gateway, host) = arenas(2, SMALLEST_RING);
    let (mut down, mut up) = ends(&gateway, &host);
    let first = down.slot();
    assert_eq!(first, Slot { number: 0, life: 1 });
    assert_eq!(down.push(&[b"of the first life"], 0), Ok(Push::Done));
    down.acknowledge(17);
    let _ = down.publish();
    assert_eq!(up.push(&[b"of the first life"], 0), Ok(Push::Done));
    up.acknowledge(18);
    let _ = up.publish();
    drop(down);
    let (down, _up) = ends(&gateway, &host);
    assert_eq!(down.slot(), Slot { number: 1, life: 1 });
    assert!(gateway.allocate().is_none(), "the host has not left");
    drop(up);
    let again = gateway.allocate().unwrap();
    assert_eq!(again.slot(), Slot { number: 0, life: 2 });
    assert!(host.end(first).is_none(), "that was another life");
    let mut other = host.end(again.slot()).unwrap();
    assert!(host.end(again.slot()).is_none(), "it is taken");
    assert_eq!(other.pop(), Ok(None));
    assert_eq!(other.acknowledged(0), Ok(0));
    drop(other);
    assert!(gateway.allocate().is_none(), "the gateway has not left");
    drop(again);
    assert_eq!(gateway.allocate().unwrap().slot(), Slot { number: 0, life: 3 });
}

#[test]
fn each_side_does_what_is_its_own() {
    let (gateway, host) = arenas(1, SMALLEST_RING);
    assert!(host.allocate().is_none());
    assert!(gateway.end(Slot { number: 0, life: 1 }).is_none());
    assert!(host.end(Slot { number: 1, life: 1 }).is_none());
    assert!(host.end(Slot { number: u32::MAX, life: 1 }).is_none());
    assert!(host.end(Slot { number: 0, life: 0 }).is_none());
}

#[test]
fn memory_is_used_when_it_is() {
    let (gateway, host) = arenas(16_384, 256 * 1024);
    assert!(gateway.resident().unwrap() <= 2 * PAGE);
    let (mut down, mut up) = ends(&gateway, &host);
    let base = gateway.resident().unwrap();
    // A ring that never holds much uses one page of it, however much goes through.
    for number in 0..2000_u32 {
        assert_eq!(down.push(&[&number.to_le_bytes(), &[3; 300]], 0), Ok(Push::Done));
        let _ = down.publish();
        let record = up.pop().unwrap().unwrap();
        assert_eq!(&record.bytes[..4], number.to_le_bytes());
        let _ = up.publish();
    }
    assert!(gateway.resident().unwrap() <= base + PAGE);
    // A burst uses more of it, and no more than there is.
    while down.push(&[&[3; 300]], 0).unwrap() == Push::Done {}
    let _ = down.publish();
    let burst = gateway.resident().unwrap();
    assert!(burst >= base + 256 * 1024 - PAGE && burst <= base + 256 * 1024);
}

#[test]
fn a_descriptor_that_is_no_arena_is_refused() {
    let file = || memfd_create("other", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC).unwrap();
    let sealed = |file: OwnedFd, size: u64| {
        ftruncate(&file, size).unwrap();
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL).unwrap();
        file
    };
    let (_, arena) = Arena::create(1, SMALLEST_RING).unwrap();
    let size = File::from(arena.as_fd().try_clone_to_owned().unwrap()).metadata().unwrap().len();
    let unsealed = file();
    ftruncate(&unsealed, size).unwrap();
    assert!(matches!(Arena::open(unsealed), Err(ArenaError::NotSealed)));
    assert!(matches!(Arena::open(File::open("/dev/null").unwrap().into()), Err(ArenaError::NotSealed)));
    for size in [0, 8, size, size + 1, 1 << 40] {
        assert!(matches!(Arena::open(sealed(file(), size)), Err(ArenaError::Header)), "{size}");
    }
    let arena = File::from(arena);
    let mut header = [0; 32];
    arena.read_exact_at(&mut header, 0).unwrap();
    let other = sealed(file(), size + PAGE);
    let other = File::from(other);
    other.write_all_at(&header, 0).unwrap();
    assert!(matches!(Arena::open(other.into()), Err(ArenaError::Size { .. })));
    arena.write_all_at(&[255], 16).unwrap();
    assert!(Arena::open(arena.into()).is_err());
    assert!(matches!(Arena::create(0, SMALLEST_RING), Err(ArenaError::Limits { .. })));
}

#[test]
fn what_a_peer_claims_is_checked() {
    // The words of the only slot's lines: the gateway's, then the host's.
    let lines = 8 + 2 * 24;
    let (gateway, descriptor) = Arena::create(1, SMALLEST_RING).unwrap();
    let memory = File::from(descriptor.try_clone().unwrap());
    let write = |word: u64, value: u64| memory.write_all_at(&value.to_ne_bytes(), word * 8).unwrap();
    let _host = Arena::open(descriptor).unwrap();
    let mut down = gateway.allocate().unwrap();
    let (tail, head, acknowledged) = (lines + 8, lines + 10, lines + 11);
    for published in [513, u64::MAX, 1 << 63] {
        write(tail, published);
        assert_eq!(down.pop(), Err(Violation::Published { published, consumed: 0 }));
    }
    write(tail, 2);
    assert_eq!(down.pop(), Err(Violation::Record { header: 0, words: 2 }));
    let ring = 512 + 512;
    for (length, fits) in [(8, true), (9, false), (u32::MAX, false)] {
        let header = 0x73_67_72 << 40 | u64::from(length);
        write(ring, header);
        let next = down.pop();
        if fits {
            assert!(next.unwrap().is_some());
            assert_eq!(down.pop(), Ok(None));
            write(tail, 1);
            assert_eq!(down.pop(), Err(Violation::Published { published: 1, consumed: 2 }));
            write(tail, 4);
            // An origin is any word: that only moves what is taken for a record.
            write(tail + 1, u64::MAX - 1);
            assert_eq!(down.pop(), Err(Violation::Record { header: 0, words: 2 }));
        } else {
            assert!(next.is_err());
        }
    }
    write(head, 1);
    assert_eq!(down.want_room(2048), Ok(true), "nothing is wrong with it until it is looked at");
    while down.push(&[&[0; 1000]], 0) == Ok(Push::Done) {}
    assert_eq!(down.push(&[&[0; 1000]], 0), Err(Violation::Consumed { consumed: 1, published: 0 }));
    write(acknowledged, 5);
    assert_eq!(down.acknowledged(5), Ok(5));
    write(acknowledged, 4);
    assert_eq!(down.acknowledged(5), Err(Violation::Acknowledged { acknowledged: 4, least: 5, most: 5 }));
    write(acknowledged, 7);
    assert_eq!(down.acknowledged(6), Err(Violation::Acknowledged { acknowledged: 7, least: 5, most: 6 }));
}
