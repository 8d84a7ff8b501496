//! Rings in shared memory, with two ends that do anything and a process that writes anything anywhere.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;

use sandgate_ring::{Arena, Bell, End, Push, SMALLEST_RING, Slot, Violation};

use crate::script::Script;

const SLOTS: u32 = 3;
const WORDS: u64 = SMALLEST_RING as u64 / 8;
/// Where the rings begin, and the words of a slot's lines.
const RINGS: u64 = 512;
const LINES: u64 = 56;

/// Until somebody scribbles, records arrive in order, once and whole, and who sleeps is woken; whatever is scribbled,
/// nothing panics, takes long or is longer than allowed.
pub(crate) fn target(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut world = World::new();
    while let Some(step) = script.next() {
        world.step(step, &mut script);
    }
    for way in 0..2 {
        for slot in 0..SLOTS as usize {
            world.publish(way, slot);
        }
    }
    for way in 0..2 {
        for slot in 0..SLOTS as usize {
            world.drain(way, slot);
            assert!(world.is_scribbled || world.sides[way].ways[slot].is_read());
        }
    }
}

struct World {
    memory: File,
    /// The gateway's, then the host's.
    sides: [Side; 2],
    is_scribbled: bool,
}

struct Side {
    arena: Arena,
    is_asleep: bool,
    ways: Vec<Way>,
}

/// An end, and what was written for it.
#[derive(Default)]
struct Way {
    end: Option<End>,
    /// Published for it, and pushed by its peer only.
    published: VecDeque<(u8, Vec<u8>)>,
    pushed: VecDeque<(u8, Vec<u8>)>,
    settled: u64,
    /// It has taken something, and has not seen yet that there is no more.
    is_reading: bool,
}

impl Way {
    fn is_read(&self) -> bool {
        self.end.is_none() || self.published.is_empty()
    }
}

impl World {
    fn new() -> Self {
        let (gateway, descriptor) = Arena::create(SLOTS, SMALLEST_RING).unwrap();
        let memory = File::from(descriptor.try_clone().unwrap());
        let sides = [gateway, Arena::open(descriptor).unwrap()];
        let sides = sides.map(|arena| {
            let ways = (0..SLOTS).map(|_| Way::default()).collect();
            Side { arena, is_asleep: false, ways }
        });
        Self { memory, sides, is_scribbled: false }
    }

    fn step(&mut self, step: u8, script: &mut Script<'_>) {
        let (side, slot) = (usize::from(step >> 7), usize::from(step >> 4) % SLOTS as usize);
        match step % 16 {
            0..3 => self.push(side, slot, script),
            3 => self.publish(side, slot),
            4 => {
                self.pop(side, slot);
            }
            5 | 8 => self.drain(side, slot),
            6 => self.acknowledge(side, slot, script.number()),
            7 => self.wants(side, slot, script.number()),
            9 => self.take_ready(side),
            10 => self.sleep(side),
            11 => self.open(side, script.byte()),
            12 => self.leave(side, slot),
            _ => self.scribble(script),
        }
    }

    /// Only a scribble is a reason for one.
    fn allowed<T>(&self, result: Result<T, Violation>) -> Option<T> {
        assert!(self.is_scribbled || result.is_ok(), "{:?}", result.err());
        result.ok()
    }

    fn push(&mut self, side: usize, slot: usize, script: &mut Script<'_>) {
        let (kind, repeats, bytes) = (script.byte(), usize::from(script.byte()), script.bytes());
        let Some(end) = &mut self.sides[side].ways[slot].end else { return };
        let whole = [bytes, &vec![kind; repeats * 9]].concat();
        let pushed = end.push(&[bytes, &whole[bytes.len()..]], kind);
        match self.allowed(pushed) {
            Some(Push::Done) => self.sides[1 - side].ways[slot].pushed.push_back((kind, whole)),
            Some(Push::TooLong) => assert!(whole.len() > SMALLEST_RING as usize / 2),
            Some(Push::Full) | None => {}
        }
    }

    fn publish(&mut self, side: usize, slot: usize) {
        let Some(end) = &mut self.sides[side].ways[slot].end else { return };
        let bell = end.publish();
        let peer = &mut self.sides[1 - side];
        let way = &mut peer.ways[slot];
        let had_records = !way.pushed.is_empty();
        way.published.append(&mut way.pushed);
        // It has taken all marks before it fell asleep. Who comes later, or has not read on, looks by itself.
        let is_awaited = had_records && way.end.is_some() && !way.is_reading;
        assert!(self.is_scribbled || !is_awaited || !peer.is_asleep || bell == Bell::Ring);
        assert!(self.is_scribbled || peer.is_asleep || bell == Bell::Silent);
        peer.is_asleep &= !bell.rings();
    }

    /// Whether there was a record.
    fn pop(&mut self, side: usize, slot: usize) -> bool {
        let way = &mut self.sides[side].ways[slot];
        let Some(end) = &mut way.end else { return false };
        let (popped, expected) = (end.pop(), way.published.pop_front());
        way.is_reading = matches!(popped, Ok(Some(_)));
        let popped = self.allowed(popped).flatten();
        if let Some(record) = &popped {
            assert!(record.bytes.len() <= SMALLEST_RING as usize / 2);
        }
        let there_was = popped.is_some();
        assert!(self.is_scribbled || popped.map(|record| (record.kind, record.bytes.to_vec())) == expected);
        there_was
    }

    fn drain(&mut self, side: usize, slot: usize) {
        let mut count = 0;
        while self.pop(side, slot) {
            count += 1;
            assert!(count <= 2 * WORDS, "nobody writes meanwhile");
        }
    }

    fn acknowledge(&mut self, side: usize, slot: usize, number: u64) {
        let way = &mut self.sides[side].ways[slot];
        way.settled = way.settled.max(number);
        let Some(end) = &mut way.end else { return };
        end.acknowledge(number);
        let acknowledged = end.acknowledged(u64::MAX);
        let peers = self.sides[1 - side].ways[slot].settled;
        if let Some(acknowledged) = self.allowed(acknowledged) {
            assert!(self.is_scribbled || acknowledged <= peers);
        }
    }

    fn wants(&mut self, side: usize, slot: usize, bytes: u64) {
        let Some(end) = &mut self.sides[side].ways[slot].end else { return };
        let _ = end.want_acknowledgements();
        let wanted = end.want_room(bytes.min(1 << 20) as usize);
        let _ = self.allowed(wanted);
    }

    fn take_ready(&mut self, side: usize) {
        let count = self.sides[side].arena.take_ready(|slot| assert!(slot < SLOTS));
        assert!(count <= SLOTS as usize);
    }

    fn sleep(&mut self, side: usize) {
        let side = &mut self.sides[side];
        side.is_asleep = side.arena.fall_asleep();
    }

    /// The gateway allocates a slot; or the host is told of one, perhaps of one that there is not.
    fn open(&mut self, side: usize, number: u8) {
        if side == 1 {
            let told = self.sides[0].ways[usize::from(number) % SLOTS as usize].end.as_ref().map(End::slot);
            let made_up = Slot { number: u32::from(number % 4), life: u32::from(number / 4 % 32) };
            let slot = if number < 128 { told.unwrap_or(made_up) } else { made_up };
            let taken = self.sides[1].arena.end(slot);
            if told == Some(slot) {
                let way = &mut self.sides[1].ways[slot.number as usize];
                way.end = way.end.take().or(taken);
            } else {
                // It leaves a life that is over, or one that will never be.
                self.is_scribbled |= taken.is_some();
            }
        } else if let Some(end) = self.sides[0].arena.allocate() {
            let slot = end.slot().number as usize;
            assert!(self.sides[0].ways[slot].end.is_none());
            assert!(self.is_scribbled || self.sides[1].ways[slot].end.is_none());
            // Nothing of the life before.
            for side in &mut self.sides {
                let end = side.ways[slot].end.take();
                side.ways[slot] = Way { end, ..Way::default() };
            }
            self.sides[0].ways[slot].end = Some(end);
        }
    }

    fn leave(&mut self, side: usize, slot: usize) {
        self.sides[side].ways[slot].end = None;
        // What it had pushed and not published.
        self.sides[1 - side].ways[slot].pushed.clear();
    }

    fn scribble(&mut self, script: &mut Script<'_>) {
        let (place, at, value) = (script.byte(), u64::from(script.byte()), script.number());
        let word = match place % 4 {
            0 => at % RINGS,
            1 => LINES + at % (16 * u64::from(SLOTS)),
            2 => RINGS + u64::from(place >> 2) % 6 * WORDS + at * 2,
            _ => RINGS + u64::from(place >> 2) % 6 * WORDS + at % 8,
        };
        // A record's head, of a length that is near one that is allowed.
        let value = if place >= 128 { (0x73_67_72 << 40) | (value & 0xfff) } else { value };
        self.memory.write_all_at(&value.to_ne_bytes(), word * 8).unwrap();
        self.is_scribbled = true;
    }
}
