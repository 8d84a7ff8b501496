//! A stream of numbered messages through the module under force: the test plays the source and the sink as
//! V1 hosts, so what is between them is the real gateway and the real host.

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
    /// Numbers that came although one before them had not come.
    pub gaps: Vec<(u64, u64)>,
}

impl Stream {
    /// Attaches source and sink to a gateway with [`configuration`] and lets the numbers flow.
    pub fn start(scratch: &Scratch) -> Self {
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
                        ends.send(&[("nth", &next.to_string())], &content[..size]);
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

fn receive(channel: &Pair, last: &OnceLock<u64>, received: &AtomicU64) -> Arrivals {
    let mut arrivals = Arrivals::default();
    let mut arrived = Instant::now();
    // The source has ended and the row is complete; or nothing has come for so long that it never will be.
    while last.get() != Some(&arrivals.newest) && arrived.elapsed() < Duration::from_secs(30) {
        let Some(frame) = channel.recv_within(Duration::from_millis(100)) else { continue };
        arrived = Instant::now();
        let number: u64 = decode(frame).property("nth").unwrap().parse().unwrap();
        if number <= arrivals.newest {
            arrivals.duplicates += 1;
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
    let most = blows * WINDOW;
    assert!(arrivals.duplicates <= most, "{} numbers came twice, where {most} may", arrivals.duplicates);
}

/// Stops the gateway and asserts that its counts add up on every link.
pub fn assert_counts(mut gateway: Process, sent: u64) {
    gateway.stop();
    for (source, sink) in [("source", "middle"), ("middle", "sink")] {
        let line = gateway.wait_for_line_with(&[
            "link",
            &format!("source=\"{source}\""),
            &format!("sink=\"{sink}\""),
        ]);
        let count = |key| number(&line, key);
        let sum = ["delivered", "dropped", "expired", "dead", "waiting"].map(count).iter().sum::<u64>();
        assert_eq!(count("offered"), sum, "{line}");
        assert_eq!(
            (count("dropped"), count("expired"), count("dead"), count("waiting")),
            (0, 0, 0, 0),
            "{line}"
        );
        assert!(count("delivered") >= sent, "{line}");
    }
}
