//! Two threads, one for each side, that sleep whenever there is nothing to do. A wake-up that is lost is one that never
//! comes.

#![cfg(all(unix, not(loom)))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use sandgate_ring::{Arena, Bell, End, Push, SMALLEST_RING};

const SLOTS: usize = 70;
const RECORDS: u64 = 3000;
/// Records of a slot that may be without an acknowledgement.
const WINDOW: u64 = 40;
/// Far more than a wake-up takes on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What wakes a side.
#[derive(Default)]
struct Alarm {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Alarm {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let rung = self.rung.lock().unwrap();
        let (mut rung, waited) = self.changed.wait_timeout_while(rung, PATIENCE, |rung| !*rung).unwrap();
        assert!(!waited.timed_out(), "a wake-up is lost");
        *rung = false;
    }
}

/// One end, and how far it is.
struct Way {
    end: End,
    sent: u64,
    acknowledged: u64,
    received: u64,
    /// Anything, the same each time.
    random: u64,
    buffer: Vec<u8>,
}

impl Way {
    fn new(end: End) -> Self {
        let random = u64::from(end.slot().number) * 2 + 1;
        Self { end, sent: 0, acknowledged: 0, received: 0, random, buffer: Vec::new() }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    fn is_done(&self) -> bool {
        self.acknowledged == RECORDS && self.received == RECORDS
    }

    /// Does everything that can be done, and says what it waits for.
    fn turn(&mut self) -> Bell {
        let mut bell = Bell::Silent;
        loop {
            while let Some(kind) = self.end.pop_into(&mut self.buffer).unwrap() {
                self.received += 1;
                assert_eq!(kind, self.received as u8);
                assert_eq!(self.buffer[..8], self.received.to_le_bytes());
                assert!(self.buffer[8..].iter().all(|byte| *byte == kind));
                if self.random(3) == 0 {
                    self.end.acknowledge(self.received);
                }
            }
            self.end.acknowledge(self.received);
            self.acknowledged = self.end.acknowledged(self.sent).unwrap();
            let there_is_more = self.send();
            bell = bell.or(self.end.publish());
            if !there_is_more && !self.wait() {
                return bell;
            }
        }
    }

    /// Pushes a few; whether it did.
    fn send(&mut self) -> bool {
        let few = self.random(12);
        let mut pushed = false;
        for _ in 0..few {
            if self.sent == RECORDS || self.sent - self.acknowledged == WINDOW {
                break;
            }
            let number = self.sent + 1;
            let filler = vec![number as u8; self.random(400) as usize];
            match self.end.push(&[&number.to_le_bytes(), &filler], number as u8).unwrap() {
                Push::Done => (self.sent, pushed) = (number, true),
                Push::Full => break,
                Push::TooLong => panic!("it is short"),
            }
        }
        pushed
    }

    /// Whether there is something without waiting.
    fn wait(&mut self) -> bool {
        if self.sent == self.acknowledged && self.sent == RECORDS {
            return false;
        }
        let acknowledged = self.end.want_acknowledgements();
        let may_send = self.sent < RECORDS && self.sent - self.acknowledged < WINDOW;
        acknowledged || (may_send && self.end.want_room(408).unwrap())
    }
}

fn run(arena: &Arena, ends: Vec<End>, mine: &Alarm, theirs: &Alarm) {
    let mut ways: Vec<Way> = ends.into_iter().map(Way::new).collect();
    let mut ready: Vec<usize> = (0..ways.len()).collect();
    loop {
        for slot in ready.drain(..) {
            if ways[slot].turn().rings() {
                theirs.ring();
            }
        }
        if ways.iter().all(Way::is_done) {
            return;
        }
        if arena.take_ready(|slot| ready.push(slot as usize)) == 0 && arena.fall_asleep() {
            mine.wait();
        }
    }
}

#[test]
fn nobody_sleeps_while_there_is_something() {
    let (gateway, descriptor) = Arena::create(SLOTS as u32, SMALLEST_RING).unwrap();
    let host = Arena::open(descriptor).unwrap();
    let down: Vec<End> = (0..SLOTS).map(|_| gateway.allocate().unwrap()).collect();
    let up: Vec<End> = down.iter().map(|end| host.end(end.slot()).unwrap()).collect();
    let alarms = Arc::new([Alarm::default(), Alarm::default()]);
    thread::scope(|scope| {
        let [first, second] = &*alarms;
        scope.spawn(|| run(&gateway, down, first, second));
        scope.spawn(|| run(&host, up, second, first));
    });
    assert_eq!((0..=SLOTS).map_while(|_| gateway.allocate()).count(), SLOTS, "all were left");
}
