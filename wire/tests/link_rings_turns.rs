//! What goes through rings in one go, while others wait for the thread.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::SendFlags;
use sandgate_ring::Push;
use support::link::{next_parcel, next_settled, parcel};
use support::rings::{
    GATEWAY_HEAD, GATEWAY_MARKS, GATEWAY_TAIL, HOST_HEAD, HOST_TAIL, HostileHost, Memory, encoded,
};
use support::within;
use tokio::time::timeout;

/// Bytes of a piece.
const PIECE: usize = 16 << 10;
/// Words in a ring.
const RING_WORDS: u64 = 32 << 10;

/// A thread that does one thing over and over.
struct Rush {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Memory>,
}

impl Rush {
    /// Begins once it has done it for the first time.
    fn begin(memory: Memory, what: fn(&Memory)) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        what(&memory);
        let thread = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                what(&memory);
            }
            memory
        });
        Self { is_over, thread }
    }

    fn end(self) -> Memory {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Wakers that count.
#[derive(Default)]
struct Counter(AtomicU32);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whoever sends takes note of what is settled, and with it of what the peer has written before: nobody is told of that
/// once more.
#[tokio::test]
async fn a_piece_that_comes_while_something_is_sent_wakes_who_receives() {
    let mut host = HostileHost::connect().await;
    let woken = Arc::new(Counter::default());
    let waker = Waker::from(woken.clone());
    assert!(host.lane.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    host.rings.acknowledge(1);
    host.push(&encoded(1, 200_000)[..PIECE], 2);
    // This is the first, so only now is there something to settle.
    host.lane.try_send(parcel(1, 8)).unwrap();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
}

/// A gateway's thread has others to serve.
#[tokio::test]
async fn of_what_nobody_waits_for_a_turn_is_taken() {
    let mut host = HostileHost::connect().await;
    let mut sent = 0;
    while host.rings.push(&[&encoded(sent + 1, 40_000)], 1).unwrap() == Push::Done {
        sent += 1;
    }
    let _ = host.rings.publish();
    assert!(sent > 5);
    host.ring();
    within("a look", async {
        while host.lane.statistics().received == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(host.lane.statistics().received, 4);
    // Who waits for room goes on with it.
    host.lane.try_send(parcel(1, 8)).unwrap();
    assert!(timeout(Duration::ZERO, host.lane.all_settled()).await.is_err());
    assert_eq!(host.lane.statistics().received, sent);
    for expected in 1..=sent {
        assert_eq!(next_parcel(&host.lane).await.0, expected);
    }
}

/// Whatever lies in the rings when a connection ends has come, also behind a parcel that is longer than what is read in one go.
#[tokio::test]
async fn all_that_is_in_the_rings_in_the_end_has_come() {
    let mut host = HostileHost::connect().await;
    host.lane.try_send(parcel(1, 8)).unwrap();
    let large = encoded(1, 200_000);
    let (pieces, last) = large.split_at(large.len() / PIECE * PIECE);
    pieces.chunks(PIECE).for_each(|piece| host.push(piece, 2));
    host.push(last, 1);
    host.push(&encoded(2, 8), 1);
    host.rings.acknowledge(1);
    let _ = host.rings.publish();
    drop(host.lane.close());
    assert_eq!(next_parcel(&host.lane).await, (1, 1));
    assert_eq!(next_parcel(&host.lane).await, (2, 2));
    assert_eq!(next_settled(&host.lane).await, 1);
}

/// It would be read for ever, by a thread that has others to serve.
#[tokio::test]
async fn of_a_host_that_writes_on_no_more_is_read_in_the_end_than_a_ring_holds() {
    let mut host = HostileHost::connect().await;
    // Of these a ring holds four, with a word in front of each.
    let record = encoded(1, 64 << 10);
    let record = &record[..(64 << 10) - 8];
    for _ in 0..4 {
        host.push(record, 1);
    }
    let lane = host.lane.clone();
    let rush =
        Rush::begin(host.memory, |memory| memory.store(HOST_TAIL, memory.load(GATEWAY_HEAD) + RING_WORDS));
    drop(lane.close());
    let memory = rush.end();
    let read = memory.load(GATEWAY_HEAD);
    // The last one began within it.
    assert!(read <= RING_WORDS + RING_WORDS / 4, "{read}");
}

/// Nobody else has a turn while it is written to, so that is a turn's worth at a time.
#[tokio::test]
async fn a_host_that_says_at_once_that_it_has_read_everything_gets_all_of_it() {
    let host = HostileHost::connect().await;
    let rush = Rush::begin(host.memory, |memory| {
        memory.store(HOST_HEAD, memory.load(GATEWAY_TAIL));
        GATEWAY_MARKS.into_iter().for_each(|word| memory.store(word, 1));
    });
    host.lane.try_send(parcel(1, 900_000)).unwrap();
    assert_eq!(host.lane.statistics().sent, 0);
    within("the rest", async {
        while host.lane.statistics().sent == 0 {
            let _ = rustix::net::send(&host.bell, &[0], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
            tokio::task::yield_now().await;
        }
    })
    .await;
    rush.end();
}
