//! Two ends that do anything in any order, against what they should do: two queues, two numbers, two marks.

#![cfg(all(unix, not(loom)))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::VecDeque;

use proptest::prelude::*;
use sandgate_ring::{Arena, Bell, End, Push, SMALLEST_RING};

const WORDS: usize = SMALLEST_RING as usize / 8;

#[derive(Clone, Debug)]
enum Step {
    Push { sizes: Vec<usize>, kind: u8 },
    Publish,
    Pop,
    Drain,
    Acknowledge(u64),
    Acknowledged,
    WantRoom(usize),
    WantAcknowledgements,
    TakeReady,
    FallAsleep,
    Awake,
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![0_usize..40, 0_usize..700, Just(2048_usize), Just(2049_usize)];
    prop_oneof![
        6 => (prop::collection::vec(size.clone(), 0..3), any::<u8>())
            .prop_map(|(sizes, kind)| Step::Push { sizes, kind }),
        4 => Just(Step::Publish),
        4 => Just(Step::Pop),
        1 => Just(Step::Drain),
        1 => (0_u64..100).prop_map(Step::Acknowledge),
        1 => Just(Step::Acknowledged),
        2 => size.prop_map(Step::WantRoom),
        1 => Just(Step::WantAcknowledgements),
        2 => Just(Step::TakeReady),
        2 => Just(Step::FallAsleep),
        1 => Just(Step::Awake),
    ]
}

type Records = VecDeque<(u8, Vec<u8>)>;

/// A side as it should be.
#[derive(Default)]
struct Side {
    pushed: Records,
    published: Records,
    /// Words that the other has read of it and not told of.
    read: usize,
    settled: u64,
    settled_shown: u64,
    acknowledged: u64,
    /// It has found a record when it looked last, so that it looks again without being told.
    has_found: bool,
    wants_room: bool,
    wants_acknowledgements: bool,
    marked: bool,
    asleep: bool,
}

fn words(records: &Records) -> usize {
    records.iter().map(|(_, bytes)| words_of(bytes.len())).sum()
}

fn words_of(length: usize) -> usize {
    1 + length.div_ceil(8)
}

struct World {
    arenas: [Arena; 2],
    ends: [End; 2],
    sides: [Side; 2],
    /// So that every byte differs from what was there.
    next: u8,
}

impl World {
    fn new() -> Self {
        let (gateway, descriptor) = Arena::create(70, SMALLEST_RING).unwrap();
        let host = Arena::open(descriptor).unwrap();
        // Not the first of its word.
        let mut others: Vec<_> = (0..67).map(|_| gateway.allocate().unwrap()).collect();
        let end = others.pop().unwrap();
        let ends = [host.end(end.slot()).unwrap(), end];
        let [up, down] = ends;
        Self { arenas: [gateway, host], ends: [down, up], sides: Default::default(), next: 0 }
    }

    fn step(&mut self, who: usize, step: Step) {
        let [first, second] = &mut self.sides;
        let (me, peer) = if who == 0 { (first, second) } else { (second, first) };
        let (end, arena) = (&mut self.ends[who], &self.arenas[who]);
        match step {
            Step::Push { sizes, kind } => {
                let part = |size: &usize| {
                    let bytes = (0..*size).map(|at| self.next.wrapping_add(at as u8)).collect();
                    self.next = self.next.wrapping_add(31);
                    bytes
                };
                let parts: Vec<Vec<u8>> = sizes.iter().map(part).collect();
                let whole = parts.concat();
                let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                let (needed, unread) = (words_of(whole.len()), words(&me.pushed) + words(&me.published));
                match end.push(&slices, kind).unwrap() {
                    Push::Done => {
                        assert!(unread + needed <= WORDS);
                        me.pushed.push_back((kind, whole));
                        me.wants_room = false;
                    }
                    Push::Full => assert!(unread + me.read + needed > WORDS),
                    Push::TooLong => assert!(whole.len() > end.longest()),
                }
            }
            Step::Publish => {
                let news = (!me.pushed.is_empty() && !peer.has_found)
                    || (peer.read > 0 && peer.wants_room)
                    || (me.settled != me.settled_shown && peer.wants_acknowledgements);
                me.published.append(&mut me.pushed);
                peer.read = 0;
                me.settled_shown = me.settled;
                let rings = news && !peer.marked && peer.asleep;
                assert_eq!(end.publish(), if rings { Bell::Ring } else { Bell::Silent });
                peer.marked |= news;
                peer.asleep &= !rings;
            }
            Step::Pop => {
                let popped = end.pop().unwrap().map(|record| (record.kind, record.bytes.to_vec()));
                let expected = peer.published.pop_front();
                assert_eq!(popped, expected);
                me.has_found = popped.is_some();
                peer.read += expected.map_or(0, |(_, bytes)| words_of(bytes.len()));
            }
            Step::Drain => {
                let mut buffer = Vec::new();
                while let Some(kind) = end.pop_into(&mut buffer).unwrap() {
                    peer.read += words_of(buffer.len());
                    assert_eq!(Some((kind, std::mem::take(&mut buffer))), peer.published.pop_front());
                }
                assert!(peer.published.is_empty());
                me.has_found = false;
            }
            Step::Acknowledge(number) => {
                end.acknowledge(number);
                me.settled = me.settled.max(number);
            }
            Step::Acknowledged => {
                assert_eq!(end.acknowledged(100).unwrap(), peer.settled_shown);
                me.wants_acknowledgements &= me.acknowledged == peer.settled_shown;
                me.acknowledged = peer.settled_shown;
            }
            Step::WantRoom(size) => {
                let (needed, unread) =
                    (words_of(size.min(end.longest())), words(&me.pushed) + words(&me.published));
                me.wants_room = !end.want_room(size).unwrap();
                if me.wants_room {
                    assert!(unread + me.read + needed > WORDS);
                } else {
                    assert!(unread + needed <= WORDS);
                }
            }
            Step::WantAcknowledgements => {
                me.wants_acknowledgements = true;
                assert_eq!(end.want_acknowledgements(), me.acknowledged != peer.settled_shown);
            }
            Step::TakeReady => {
                let mut slots = Vec::new();
                arena.take_ready(|slot| slots.push(slot));
                assert_eq!(slots, if me.marked { vec![66] } else { vec![] });
                me.marked = false;
            }
            Step::FallAsleep => {
                me.asleep = !me.marked;
                assert_eq!(arena.fall_asleep(), me.asleep);
            }
            Step::Awake => {
                arena.awake();
                me.asleep = false;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn ends_do_what_queues_do(steps in prop::collection::vec((0_usize..2, step()), 0..200)) {
        let mut world = World::new();
        for (who, step) in steps {
            world.step(who, step);
        }
        for who in [0, 1] {
            world.step(who, Step::Publish);
        }
        for who in [0, 1] {
            world.step(who, Step::Drain);
        }
    }
}
