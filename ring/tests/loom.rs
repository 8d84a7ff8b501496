//! Every order in which two or three threads can meet, for what rings, doorbells and slots promise. `cargo xtask test`
//! runs it; elsewhere there is nothing in here.

#![cfg(loom)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use loom::model::Builder;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use sandgate_ring::{Arena, Bell, End, Push, Slot};

/// Words in a ring.
const RING: usize = 8;

/// What wakes a side. A wake-up that is lost is a deadlock, which loom finds.
#[derive(Clone)]
struct Alarm(Arc<(Mutex<bool>, Condvar)>);

impl Alarm {
    fn new() -> Self {
        Self(Arc::new((Mutex::new(false), Condvar::new())))
    }

    fn heed(&self, bell: Bell) {
        if bell.rings() {
            *self.0.0.lock().unwrap() = true;
            self.0.1.notify_one();
        }
    }

    /// Waits where there is no mark.
    fn sleep(&self, arena: &Arena) {
        if arena.fall_asleep() {
            let mut rung = self.0.0.lock().unwrap();
            while !*rung {
                rung = self.0.1.wait(rung).unwrap();
            }
            *rung = false;
        }
    }
}

/// `switches` bounds how often a thread is interrupted; what more of them find is seldom.
fn model(switches: usize, test: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(switches);
    builder.max_branches = 10_000;
    builder.check(test);
}

fn ends(gateway: &Arena, host: &Arena) -> (End, End) {
    let end = gateway.allocate().unwrap();
    let other = host.end(end.slot()).unwrap();
    (end, other)
}

fn push(end: &mut End, number: u8) -> Bell {
    // A word and a bit: a record is three words.
    assert_eq!(end.push(&[&[number; 9]], number), Ok(Push::Done));
    end.publish()
}

fn pop(end: &mut End) -> Option<u8> {
    let record = end.pop().unwrap()?;
    assert_eq!(record.bytes, [record.kind; 9].as_slice());
    Some(record.kind)
}

#[test]
fn records_come_whole_and_in_order() {
    model(3, || {
        let (gateway, host) = Arena::pair(1, RING);
        let (mut down, mut up) = ends(&gateway, &host);
        let writer = thread::spawn(move || {
            for number in 1..=4 {
                while down.push(&[&[number; 9]], number).unwrap() == Push::Full {
                    thread::yield_now();
                }
                let _ = down.publish();
            }
            down
        });
        let mut expected = 1;
        while expected <= 4 {
            match pop(&mut up) {
                Some(number) => {
                    assert_eq!(number, expected);
                    expected += 1;
                    let _ = up.publish();
                }
                None => thread::yield_now(),
            }
        }
        assert_eq!(pop(&mut up), None);
        drop(writer.join().unwrap());
    });
}

#[test]
fn an_arrival_wakes() {
    model(9, || arrivals_wake(1));
}

#[test]
fn an_arrival_after_another_wakes() {
    model(7, || arrivals_wake(2));
}

fn arrivals_wake(count: u8) {
    let (gateway, host) = Arena::pair(1, RING);
    let (mut down, mut up) = ends(&gateway, &host);
    let alarm = Alarm::new();
    let bell = alarm.clone();
    let writer = thread::spawn(move || {
        for number in 1..=count {
            bell.heed(push(&mut down, number));
        }
        down
    });
    let mut last = 0;
    while last < count {
        host.take_ready(|_| {
            while let Some(number) = pop(&mut up) {
                last = number;
            }
        });
        if last < count {
            alarm.sleep(&host);
        }
    }
    drop(writer.join().unwrap());
}

#[test]
fn arrivals_in_two_slots_wake() {
    model(4, || {
        let (gateway, host) = Arena::pair(2, RING);
        let mut reading = Vec::new();
        let alarm = Alarm::new();
        let writers = [(); 2].map(|()| {
            let (mut down, up) = ends(&gateway, &host);
            reading.push(up);
            let bell = alarm.clone();
            thread::spawn(move || {
                bell.heed(push(&mut down, 1));
                down
            })
        });
        let mut seen = 0;
        while seen < 2 {
            host.take_ready(|slot| seen += usize::from(pop(&mut reading[slot as usize]).is_some()));
            if seen < 2 {
                alarm.sleep(&host);
            }
        }
        for writer in writers {
            drop(writer.join().unwrap());
        }
    });
}

#[test]
fn room_wakes_who_wants_it() {
    model(8, || {
        let (gateway, host) = Arena::pair(1, RING);
        let (mut down, mut up) = ends(&gateway, &host);
        for number in 1..=2 {
            let _ = push(&mut down, number);
        }
        let alarm = Alarm::new();
        let bell = alarm.clone();
        let reader = thread::spawn(move || {
            assert_eq!(pop(&mut up), Some(1));
            bell.heed(up.publish());
            up
        });
        while down.push(&[&[3; 9]], 3).unwrap() == Push::Full {
            if !down.want_room(9).unwrap() {
                alarm.sleep(&gateway);
                gateway.take_ready(|_| ());
            }
        }
        let _ = down.publish();
        let mut up = reader.join().unwrap();
        assert_eq!((pop(&mut up), pop(&mut up)), (Some(2), Some(3)));
    });
}

#[test]
fn reading_wakes_who_wants_it() {
    model(8, || {
        let (gateway, host) = Arena::pair(1, RING);
        let (mut down, mut up) = ends(&gateway, &host);
        for number in 1..=2 {
            let _ = push(&mut down, number);
        }
        let alarm = Alarm::new();
        let bell = alarm.clone();
        let reader = thread::spawn(move || {
            for number in 1..=2 {
                assert_eq!(pop(&mut up), Some(number));
                bell.heed(up.publish());
            }
            up
        });
        while down.want_reading().unwrap() {
            alarm.sleep(&gateway);
            gateway.take_ready(|_| ());
        }
        drop(reader.join().unwrap());
    });
}

#[test]
fn acknowledgements_wake_who_wants_them() {
    model(6, || {
        let (gateway, host) = Arena::pair(1, RING);
        let (mut down, mut up) = ends(&gateway, &host);
        let alarm = Alarm::new();
        let bell = alarm.clone();
        let reader = thread::spawn(move || {
            for number in 1..=2 {
                up.acknowledge(number);
                bell.heed(up.publish());
            }
            up
        });
        while down.acknowledged(2).unwrap() < 2 {
            if !down.want_acknowledgements() {
                alarm.sleep(&gateway);
                gateway.take_ready(|_| ());
            }
        }
        drop(reader.join().unwrap());
    });
}

#[test]
fn a_ring_starts_anew_where_it_was_read() {
    model(4, || {
        let (gateway, host) = Arena::pair(1, RING);
        let (mut down, mut up) = ends(&gateway, &host);
        let reader = thread::spawn(move || {
            let mut last = 0;
            for _ in 0..6 {
                while let Some(number) = pop(&mut up) {
                    assert_eq!(number, last + 1);
                    last = number;
                    let _ = up.publish();
                }
                thread::yield_now();
            }
            (up, last)
        });
        let mut sent = 0;
        for _ in 0..4 {
            if down.push(&[&[sent + 1; 9]], sent + 1).unwrap() == Push::Done {
                sent += 1;
                let _ = down.publish();
            }
        }
        let (mut up, mut last) = reader.join().unwrap();
        while let Some(number) = pop(&mut up) {
            assert_eq!(number, last + 1);
            last = number;
        }
        assert_eq!(last, sent);
    });
}

#[test]
fn a_slot_is_empty_when_it_is_given_again() {
    model(8, || {
        let (gateway, host) = Arena::pair(1, RING);
        let (mut down, mut up) = ends(&gateway, &host);
        let again = host.clone();
        let leaving = thread::spawn(move || {
            let _ = push(&mut up, 1);
            up.acknowledge(5);
            let _ = up.publish();
            drop(up);
        });
        let _ = push(&mut down, 2);
        drop(down);
        let mut down = loop {
            match gateway.allocate() {
                Some(end) => break end,
                None => thread::yield_now(),
            }
        };
        assert_eq!(down.slot(), Slot { number: 0, life: 2 });
        // Before the host's own lock tells this thread of more.
        assert_eq!((pop(&mut down), down.acknowledged(0)), (None, Ok(0)));
        let mut up = again.end(down.slot()).unwrap();
        assert_eq!((pop(&mut up), up.acknowledged(0)), (None, Ok(0)));
        leaving.join().unwrap();
    });
}
