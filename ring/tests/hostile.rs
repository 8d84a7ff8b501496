//! A peer that writes anything anywhere. Whatever it does is one of the things that ends can say; nothing is read twice,
//! nothing grows, nobody panics.

#![cfg(all(unix, not(loom)))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proptest::prelude::*;
use sandgate_ring::{Arena, End, Push, SMALLEST_RING, Violation};

const SLOTS: u32 = 3;
/// Where the rings begin; before that is what both sides say of themselves.
const RINGS: u64 = 4096;

/// The arena's memory as another process has it.
struct Memory {
    file: File,
    words: u64,
}

impl Memory {
    fn new(file: File) -> Self {
        let words = file.metadata().unwrap().len() / 8;
        Self { file, words }
    }

    fn write(&self, word: u64, value: u64) {
        self.file.write_all_at(&value.to_ne_bytes(), word % self.words * 8).unwrap();
    }
}

/// One side, which does whatever it can with whatever it has.
struct Party {
    arena: Arena,
    ends: Vec<End>,
    buffer: Vec<u8>,
    violations: u64,
}

impl Party {
    fn new(arena: Arena, ends: Vec<End>) -> Self {
        Self { arena, ends, buffer: Vec::new(), violations: 0 }
    }

    fn count<T>(&mut self, result: Result<T, Violation>) -> Option<T> {
        if result.is_err() {
            self.violations += 1;
        }
        result.ok()
    }

    fn turn(&mut self, choice: u64) {
        let at = (choice >> 8) as usize % self.ends.len();
        let size = (choice >> 16) as usize % 2100;
        let end = &mut self.ends[at];
        match choice % 12 {
            0..3 => {
                let pushed = end.push(&[&[1; 3], &vec![2; size]], 3);
                if let Some(pushed) = self.count(pushed) {
                    assert_eq!(pushed == Push::TooLong, size + 3 > 2048);
                }
            }
            3 | 4 => {
                let _ = end.publish();
            }
            5 | 6 => {
                let mut buffer = std::mem::take(&mut self.buffer);
                // As many as there can be, and a few more.
                for _ in 0..600 {
                    let popped = self.ends[at].pop_into(&mut buffer);
                    match self.count(popped) {
                        Some(Some(_)) => assert!(buffer.len() <= 2048),
                        _ => break,
                    }
                }
                assert!(buffer.capacity() <= 4096);
                self.buffer = buffer;
            }
            7 => {
                let acknowledged = end.acknowledged(choice >> 40);
                if let Some(acknowledged) = self.count(acknowledged) {
                    assert!(acknowledged <= choice >> 40);
                }
            }
            8 => {
                let wanted = end.want_room(size);
                let _ = self.count(wanted);
                let _ = self.ends[at].want_acknowledgements();
            }
            9 => {
                end.acknowledge(choice >> 50);
            }
            10 => assert!(self.arena.take_ready(|slot| assert!(slot < SLOTS)) <= SLOTS as usize),
            _ => {
                if self.arena.fall_asleep() {
                    self.arena.awake();
                }
            }
        }
    }
}

fn parties() -> ([Party; 2], Memory) {
    let (gateway, descriptor) = Arena::create(SLOTS, SMALLEST_RING).unwrap();
    let memory = Memory::new(File::from(descriptor.try_clone().unwrap()));
    let host = Arena::open(descriptor).unwrap();
    let down: Vec<End> = (0..SLOTS).map(|_| gateway.allocate().unwrap()).collect();
    let up = down.iter().map(|end| host.end(end.slot()).unwrap()).collect();
    ([Party::new(gateway, down), Party::new(host, up)], memory)
}

/// What a record of so many bytes begins with.
fn header(length: u64) -> u64 {
    (0x73_67_72 << 40) | length
}

/// A word that is likely to matter, and what to put there.
fn scribble() -> impl Strategy<Value = (u64, u64)> {
    let control = 0..RINGS / 8;
    // Lines of the slots; the first words of rings.
    let lines = 56_u64..56 + 16 * u64::from(SLOTS);
    let starts = (0_u64..6, 0_u64..20).prop_map(|(ring, word)| RINGS / 8 + ring * 512 + word);
    let word = prop_oneof![4 => lines, 2 => starts, 1 => control, 1 => any::<u64>()];
    let value = prop_oneof![0_u64..600, any::<u64>(), (0_u64..2100).prop_map(header), Just(u64::MAX)];
    (word, value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn between_any_two_steps(
        steps in prop::collection::vec((0_usize..2, any::<u64>(), prop::option::weighted(0.3, scribble())), 0..150),
    ) {
        let (mut parties, memory) = parties();
        for (who, choice, scribble) in steps {
            if let Some((word, value)) = scribble {
                memory.write(word, value);
            }
            parties[who].turn(choice);
        }
    }
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state ^ *state >> 29
}

#[test]
fn at_the_same_moment() {
    let ([mut gateway, mut host], memory) = parties();
    let is_over = AtomicBool::new(false);
    let turns = |party: &mut Party, mut state: u64| {
        for turn in 0..100_000_000 {
            party.turn(random(&mut state));
            // The scribbler may begin late.
            if turn >= 200_000 && party.violations > 0 {
                break;
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut state = 3;
            while !is_over.load(Ordering::Relaxed) {
                let choice = random(&mut state);
                let word = if choice & 1 == 0 { random(&mut state) % 128 } else { random(&mut state) };
                let value = random(&mut state) >> (random(&mut state) % 64);
                memory.write(word, if choice & 6 == 0 { header(value % 2048) } else { value });
            }
        });
        let first = scope.spawn(|| turns(&mut gateway, 1));
        let second = scope.spawn(|| turns(&mut host, 2));
        let ended = [first.join(), second.join()];
        is_over.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
    });
    assert!(gateway.violations > 0 && host.violations > 0);
}

#[test]
fn a_host_that_lies_about_leaving_gets_what_it_deserves() {
    let (gateway, descriptor) = Arena::create(1, SMALLEST_RING).unwrap();
    let memory = Memory::new(File::from(descriptor.try_clone().unwrap()));
    let host = Arena::open(descriptor).unwrap();
    let down = gateway.allocate().unwrap();
    let up = host.end(down.slot()).unwrap();
    // The host's line of the only slot: it left a life that is not over yet.
    let left = 56 + 8 + 5;
    memory.write(left, 1);
    assert!(gateway.allocate().is_none(), "the gateway's end is there");
    let first = down.slot();
    drop(down);
    memory.write(left, 7);
    assert!(gateway.allocate().is_none(), "there was no such life");
    memory.write(left, 1);
    let down = gateway.allocate().unwrap();
    assert_eq!((down.slot().number, down.slot().life), (first.number, 2));
    assert!(host.end(down.slot()).is_none(), "the host's own end of the life before is there");
    drop(up);
    assert!(host.end(down.slot()).is_some());
}
