//! A stream of numbered messages through the module under force: the test plays the source and the sink as
//! V1 hosts, so what is between them is the real gateway and the real host.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sandgate_tests::ends::{Ends, around};
use sandgate_tests::pair::Pair;
use sandgate_tests::process::{Process, number};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::decode;
use sandgate_tests::wait::until;
use serde_json::{Value, json};

/// Messages that the gateway has in flight to the host at most. So many may come twice after each blow.
pub const WINDOW: u64 = 64;
/// The wait between two bursts of the source, and the messages in one: some thousands a second.
const PAUSE: Duration = Duration::from_millis(1);
const BURST: u64 = 5;
/// Content of a message, and of each message of so many, so that a window holds more than a socket's buffer.
const CONTENT: usize = 200;
const LARGE_CONTENT: usize = 100 << 10;
const LARGE: u64 = 16;
/// Of so many messages the first is poison, in a stream that has any: what ends its module.
const POISON: u64 = 2_000;
/// Looks without a change after which nothing comes through any more.
const STILL: u32 = 5;

/// A gateway with the module under force in the middle, and the smallest window for it.
pub fn configuration(scratch: &Scratch, mut middle: Value) -> Value {
    middle["window"] = json!(WINDOW);
    let mut document = around(scratch, middle, Value::Null);
    for module in document["modules"].as_array_mut().unwrap() {
        // The gateway's own default: what finds no room in it waits.
        module.as_object_mut().unwrap().remove("queue.capacity");
    }
    document
}

/// The running stream.
pub struct Stream {
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    /// The last number, once the source has ended.
    last: Arc<OnceLock<u64>>,
    received: Arc<AtomicU64>,
    source: JoinHandle<()>,
    sink: JoinHandle<Arrivals>,
}

/// What the sink has seen.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// The newest number of an unbroken row from 1.
    pub newest: u64,
    /// Numbers that came again.
    pub duplicates: u64,
    /// The most of them that came in a row, each after a smaller one: what one blow has cost.
    pub longest: u64,
    /// Numbers that came although one before them had not come.
    pub gaps: Vec<(u64, u64)>,
    /// Numbers that came for the first time behind a larger one.
    pub late: Vec<u64>,
    /// All numbers that came.
    pub seen: HashSet<u64>,
}

impl Stream {
    /// Attaches source and sink to a gateway with [`configuration`] and lets the numbers flow.
    pub fn start(scratch: &Scratch) -> Self {
        Self::start_with(scratch, |_| false)
    }

    /// The same, with poison among the messages: they have the property `trap`, too.
    pub fn start_with_poison(scratch: &Scratch) -> Self {
        Self::start_with(scratch, is_poison)
    }

    fn start_with(scratch: &Scratch, has_poison: fn(u64) -> bool) -> Self {
        let ends = Arc::new(Ends::attach(scratch));
        let (sent, received) = <(Arc<AtomicU64>, Arc<AtomicU64>)>::default();
        let (stop, last) = <(Arc<AtomicBool>, Arc<OnceLock<u64>>)>::default();
        let sending = {
            let (ends, sent, stop) = (ends.clone(), sent.clone(), stop.clone());
            let content = vec![7; LARGE_CONTENT];
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    for _ in 0..BURST {
                        let next = sent.load(Ordering::Relaxed) + 1;
                        let size = if next % LARGE == 0 { LARGE_CONTENT } else { CONTENT };
                        let nth = next.to_string();
                        let properties = [("nth", nth.as_str()), ("trap", "now")];
                        ends.send(&properties[..1 + usize::from(has_poison(next))], &content[..size]);
                        sent.store(next, Ordering::Relaxed);
                    }
                    thread::sleep(PAUSE);
                }
            })
        };
        let receiving = {
            let (last, received) = (last.clone(), received.clone());
            thread::spawn(move || receive(&ends.sink, &last, &received))
        };
        Self { sent, stop, last, received, source: sending, sink: receiving }
    }

    /// Waits until numbers come through that were sent after now.
    pub fn wait_for_progress(&self) {
        let mark = self.sent.load(Ordering::Relaxed) + 1;
        until("numbers behind the blow", || self.received.load(Ordering::Relaxed) >= mark);
    }

    /// Waits until nothing more comes through a host that is stopped, and more is on its way than a window holds: the
    /// rest waits in the gateway.
    pub fn wait_until_sending_waits(&self) {
        let (mut last, mut looks) = (0, 0);
        until("more than a window behind what came through", || {
            let received = self.received.load(Ordering::Relaxed);
            looks = if received == last { looks + 1 } else { 0 };
            last = received;
            looks >= STILL && self.sent.load(Ordering::Relaxed) - received > 2 * WINDOW
        });
    }

    /// Stops the source, waits until everything has come through, and tells what did.
    pub fn finish(self) -> (u64, Arrivals) {
        self.stop.store(true, Ordering::Relaxed);
        self.source.join().unwrap();
        // Told only now: the source may have had a message in hand when it was stopped.
        let sent = self.sent.load(Ordering::Relaxed);
        self.last.set(sent).unwrap();
        (sent, self.sink.join().unwrap())
    }
}

/// Never the last one of a burst, at which the source stops.
pub fn is_poison(number: u64) -> bool {
    number % POISON == 1
}

fn receive(channel: &Pair, last: &OnceLock<u64>, received: &AtomicU64) -> Arrivals {
    let mut arrivals = Arrivals::default();
    let (mut arrived, mut before, mut row) = (Instant::now(), 0, 0);
    // The source has ended and the row is complete; or nothing has come for so long that it never will be.
    while last.get() != Some(&arrivals.newest) && arrived.elapsed() < Duration::from_secs(30) {
        let Some(frame) = channel.recv_within(Duration::from_millis(100)) else { continue };
        arrived = Instant::now();
        let number: u64 = decode(frame).property("nth").unwrap().parse().unwrap();
        let is_new = arrivals.seen.insert(number);
        if !is_new {
            arrivals.duplicates += 1;
            row = if number > before { row + 1 } else { 1 };
            arrivals.longest = arrivals.longest.max(row);
            before = number;
            continue;
        }
        (before, row) = (number, 0);
        if number < arrivals.newest {
            arrivals.late.push(number);
            continue;
        }
        if number > arrivals.newest + 1 {
            arrivals.gaps.push((arrivals.newest + 1, number - 1));
        }
        arrivals.newest = number;
        received.store(number, Ordering::Relaxed);
    }
    arrivals
}

/// Asserts that each number came, in order, and no more of them twice than the blows allow.
pub fn assert_complete(sent: u64, arrivals: &Arrivals, blows: u64) {
    assert_eq!(arrivals.gaps, [], "numbers from .. to that were lost or came too late");
    assert_eq!(arrivals.newest, sent, "numbers came to the end");
    assert_few_duplicates(arrivals, blows);
}

/// Asserts that no more numbers came twice than the blows allow, and none late.
pub fn assert_few_duplicates(arrivals: &Arrivals, blows: u64) {
    let (most, longest) = (blows * WINDOW, arrivals.longest);
    assert!(arrivals.duplicates <= most, "{} numbers came twice, where {most} may", arrivals.duplicates);
    assert!(longest <= WINDOW, "{longest} numbers came twice in a row, where {WINDOW} may");
    assert_eq!(arrivals.late, [0; 0], "numbers that came behind larger ones");
}

/// What a link has counted.
#[derive(Debug)]
pub struct Counts {
    pub offered: u64,
    pub delivered: u64,
    pub dropped: u64,
    pub expired: u64,
    pub dead: u64,
    /// Counted where they are, and not from the others.
    pub in_flight: u64,
}

impl Counts {
    /// Those of a gateway that has stopped.
    pub fn of(gateway: &Process, source: &str, sink: &str) -> Self {
        let (source, sink) = (format!("source=\"{source}\""), format!("sink=\"{sink}\""));
        let line = gateway.wait_for_line_with(&[": link ", &source, &sink]);
        let [offered, delivered, dropped, expired, dead, in_flight] =
            ["offered", "delivered", "dropped", "expired", "dead", "in_flight"].map(|key| number(&line, key));
        let counts = Self { offered, delivered, dropped, expired, dead, in_flight };
        assert_eq!(offered, delivered + dropped + expired + dead + in_flight, "{counts:?}");
        counts
    }
}

/// Stops the gateway and asserts that every link has counted what was sent and what arrived.
pub fn assert_counts(mut gateway: Process, sent: u64, arrivals: &Arrivals) {
    gateway.stop();
    for (source, sink, messages) in
        [("source", "middle", sent), ("middle", "sink", sent + arrivals.duplicates)]
    {
        let counts = Counts::of(&gateway, source, sink);
        assert_eq!(
            (counts.offered, counts.delivered),
            (messages, messages),
            "{source} -> {sink}: {counts:?}"
        );
    }
}
