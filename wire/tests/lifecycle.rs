//! nng's traps that concern closing: an operation's handle must not be freed by its own completion,
//! nothing may start on a closing socket, and a socket must not cost a thread.

mod support;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use bytes::Bytes;
use sandgate_wire::channel::SendError;
use sandgate_wire::{Channel, PairChannel};
use support::{
    OPTIONS, PATIENCE, Place, RawPeer, alone, connected, dial, exchange, listen, send, until, within,
};

/// A waker that drops the last handle of a channel, on whatever thread calls it.
struct Dropper {
    channel: Mutex<Option<Arc<PairChannel>>>,
    dropped: AtomicBool,
}

impl Dropper {
    fn new(channel: Arc<PairChannel>) -> Arc<Self> {
        Arc::new(Self { channel: Mutex::new(Some(channel)), dropped: AtomicBool::new(false) })
    }

    async fn has_dropped(&self) {
        until("the waker to drop the channel", || self.dropped.load(Ordering::Acquire)).await;
    }
}

impl Wake for Dropper {
    fn wake(self: Arc<Self>) {
        let channel = self.channel.lock().unwrap().take();
        drop(channel);
        self.dropped.store(true, Ordering::Release);
    }
}

/// The address is free again only if closing did not get stuck.
async fn can_listen_again(place: &Place) {
    until("the address to be free", || PairChannel::listen(&place.address(), OPTIONS).is_ok()).await;
}

#[tokio::test]
async fn dropped_in_the_callback_of_a_receive() {
    for _ in 0..50 {
        let place = Place::new();
        let channel = Arc::new(listen(&place.address()));
        let dropper = Dropper::new(channel.clone());
        let waker = Waker::from(dropper.clone());
        assert!(channel.poll_recv(&mut Context::from_waker(&waker)).is_pending());
        drop(channel);
        let mut peer = RawPeer::greeted(&place.socket());
        // In one write: the first makes the channel go.
        peer.write(&support::frame(b"drop it").repeat(10));
        dropper.has_dropped().await;
        peer.expect_end();
        can_listen_again(&place).await;
    }
}

#[tokio::test]
async fn dropped_in_the_callback_of_a_send() {
    for _ in 0..20 {
        let place = Place::new();
        let channel = Arc::new(listen(&place.address()));
        let dropper = Dropper::new(channel.clone());
        let waker = Waker::from(dropper.clone());
        while channel.try_send(Bytes::from_static(b"frame")).is_ok() {}
        assert!(channel.poll_ready(&mut Context::from_waker(&waker)).is_pending());
        drop(channel);
        let peer = RawPeer::greeted(&place.socket());
        dropper.has_dropped().await;
        drop(peer);
        can_listen_again(&place).await;
    }
}

#[tokio::test]
async fn dropped_by_a_flush_that_is_done() {
    for _ in 0..20 {
        let place = Place::new();
        let channel = Arc::new(listen(&place.address()));
        let dropper = Dropper::new(channel.clone());
        let waker = Waker::from(dropper.clone());
        channel.try_send(Bytes::from_static(b"frame")).unwrap();
        assert!(pin!(channel.flush()).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(channel);
        let mut peer = RawPeer::greeted(&place.socket());
        assert_eq!(peer.recv(), b"frame");
        dropper.has_dropped().await;
        can_listen_again(&place).await;
    }
}

#[tokio::test]
async fn dropped_in_the_callback_that_tells_of_a_peer() {
    for _ in 0..50 {
        let place = Place::new();
        let channel = Arc::new(listen(&place.address()));
        let dropper = Dropper::new(channel.clone());
        let waker = Waker::from(dropper.clone());
        let mut watch = channel.peer();
        let mut change = pin!(watch.changed());
        assert!(change.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(channel);
        let mut peer = RawPeer::dial(&place.socket());
        peer.write(&support::HANDSHAKE);
        dropper.has_dropped().await;
        can_listen_again(&place).await;
    }
}

/// A waker may use the channel that woke it, so no lock may be held when it is called.
#[tokio::test]
async fn waker_may_use_the_channel() {
    struct User(Arc<PairChannel>, AtomicBool);
    impl Wake for User {
        fn wake(self: Arc<Self>) {
            self.0.try_send(Bytes::from_static(b"from the waker")).unwrap();
            self.0.statistics();
            let _ = self.0.poll_recv(&mut Context::from_waker(Waker::noop()));
            self.1.store(true, Ordering::Release);
        }
    }
    let place = Place::new();
    let channel = Arc::new(listen(&place.address()));
    while channel.try_send(Bytes::from_static(b"frame")).is_ok() {}
    let user = Arc::new(User(channel.clone(), AtomicBool::new(false)));
    let waker = Waker::from(user.clone());
    assert!(channel.poll_ready(&mut Context::from_waker(&waker)).is_pending());
    let mut peer = RawPeer::greeted(&place.socket());
    until("the waker", || user.1.load(Ordering::Acquire)).await;
    while peer.recv() != b"from the waker" {}
}

/// Threads send and receive as fast as they can while the channel is closed under them. An operation
/// that nng accepts while the socket closes is never completed, and would hold up every later close.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closed_under_load_from_many_threads() {
    for round in 0..200 {
        let place = Place::new();
        let (left, right) = support::pair(&place.address()).await;
        let ends: [Arc<dyn Channel>; 2] = [Arc::new(left), Arc::new(right)];
        let mut tasks = Vec::new();
        for end in &ends {
            let (sender, receiver) = (end.clone(), end.clone());
            let frame = Bytes::from(vec![1; 300]);
            tasks.push(tokio::spawn(async move { while sender.send(frame.clone()).await.is_ok() {} }));
            tasks.push(tokio::spawn(async move { while receiver.recv().await.is_ok() {} }));
        }
        until("traffic", || ends[0].statistics().received > round).await;
        within("closing under load", ends[0].close()).await;
        within("closing the other end", ends[1].close()).await;
        for task in tasks {
            within("a task to see that its end is closed", task).await.unwrap();
        }
        drop(listen(&place.address()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dropped_under_load_from_many_threads() {
    let place = Arc::new(Place::new());
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let place = place.clone();
            tokio::spawn(async move {
                let path = place.path().join(number.to_string());
                let address = sandgate_wire::Address::from_path(&path).unwrap();
                let listener = listen(&address);
                for _ in 0..30 {
                    let dialler: Arc<dyn Channel> = Arc::new(dial(&address));
                    connected(&*dialler).await;
                    let frame = Bytes::from(vec![1; 1000]);
                    while !matches!(dialler.try_send(frame.clone()), Err(SendError::Full(_))) {}
                    drop(dialler);
                    let drained = async {
                        let channel: &dyn Channel = &listener;
                        while channel.recv().await.is_ok() {}
                    };
                    tokio::select! { () = drained => {}, () = alone(&listener) => {} }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn flush_waits_until_everything_is_handed_over() {
    let place = Place::new();
    let dialler = dial(&place.address());
    for _ in 0..10 {
        dialler.try_send(Bytes::from_static(b"frame")).unwrap();
    }
    assert!(pin!(dialler.flush()).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let listener = listen(&place.address());
    within("the flush", dialler.flush()).await.unwrap();
    let statistics = dialler.statistics();
    assert_eq!((statistics.sent, statistics.waiting), (10, 0));
    for _ in 0..10 {
        assert_eq!(support::recv(&listener).await, "frame");
    }
}

#[tokio::test]
async fn flush_ends_when_the_channel_is_closed() {
    let place = Place::new();
    let dialler = Arc::new(dial(&place.address()));
    send(&*dialler, "nobody listens").await;
    let flushing = tokio::spawn({
        let dialler = dialler.clone();
        async move { dialler.flush().await }
    });
    tokio::task::yield_now().await;
    within("closing", dialler.close()).await;
    assert!(within("the flush", flushing).await.unwrap().is_err());
}

#[tokio::test]
async fn no_thread_per_socket() {
    let place = Place::new();
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let mut channels = Vec::new();
    let mut first = None;
    for number in 0..50 {
        let path = place.path().join(number.to_string());
        let address = sandgate_wire::Address::from_path(&path).unwrap();
        let (left, right) = support::pair(&address).await;
        exchange(&left, &right).await;
        channels.push((left, right));
        first.get_or_insert_with(threads);
    }
    // Tests that run at the same time have threads of their own.
    let grown = threads().saturating_sub(first.unwrap());
    assert!(grown < 40, "100 sockets added {grown} threads");
}

/// Wakes a thread: what a user without any runtime has.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(value) = poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        thread::park_timeout(PATIENCE);
    }
}

#[test]
fn works_on_plain_threads() {
    let place = Place::new();
    let (left, right) = (listen(&place.address()), dial(&place.address()));
    let echo = thread::spawn(move || {
        for _ in 0..2_000 {
            let frame = block(|context| right.poll_recv(context)).unwrap();
            while right.try_send(frame.clone()).is_err() {
                block(|context| right.poll_ready(context)).unwrap();
            }
        }
        // The last frame may still be on its way when this end goes.
        right
    });
    for number in 0..2_000_u32 {
        let frame = Bytes::copy_from_slice(&number.to_be_bytes());
        while left.try_send(frame.clone()).is_err() {
            block(|context| left.poll_ready(context)).unwrap();
        }
        assert_eq!(block(|context| left.poll_recv(context)).unwrap(), frame);
    }
    drop(echo.join().unwrap());
}
