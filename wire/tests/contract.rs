//! What every channel promises, tried on each kind.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandgate_wire::channel::{Closed, SendError};
use sandgate_wire::{Channel, MemoryChannel};
use support::{Place, alone, connected, exchange, fill, free_tcp_address, recv, send, until, within};

/// Two connected ends, and what must live as long as they do.
struct Ends {
    left: Arc<dyn Channel>,
    right: Arc<dyn Channel>,
    _place: Option<Place>,
}

fn memory() -> Ends {
    let (left, right) = MemoryChannel::pair(support::OPTIONS.capacity);
    Ends { left: Arc::new(left), right: Arc::new(right), _place: None }
}

async fn ipc() -> Ends {
    let place = Place::new();
    let (left, right) = support::pair(&place.address()).await;
    Ends { left: Arc::new(left), right: Arc::new(right), _place: Some(place) }
}

/// The dialler is on the left, so that the suite is not tried from the listener's side alone.
async fn tcp() -> Ends {
    let (right, left) = support::pair(&free_tcp_address()).await;
    Ends { left: Arc::new(left), right: Arc::new(right), _place: None }
}

/// Expands to one test for each kind of channel.
macro_rules! contract {
    ($($test:ident),* $(,)?) => {
        mod on_memory { $(#[tokio::test] async fn $test() { super::$test(super::memory()).await; })* }
        mod on_ipc { $(#[tokio::test] async fn $test() { super::$test(super::ipc().await).await; })* }
        mod on_tcp { $(#[tokio::test] async fn $test() { super::$test(super::tcp().await).await; })* }
    };
}

contract!(
    frames_go_both_ways,
    frames_keep_their_order,
    a_full_channel_gives_the_frame_back_and_wakes,
    a_receiver_that_does_not_read_stops_the_sender,
    a_peer_is_seen_coming_and_going,
    what_arrived_outlives_the_peer,
    both_directions_at_once,
    statistics_add_up,
    a_closed_end_refuses_and_wakes_everyone,
    closing_twice_is_closing_once,
);

async fn frames_go_both_ways(ends: Ends) {
    for _ in 0..10 {
        exchange(&*ends.left, &*ends.right).await;
    }
    let large = Bytes::from(vec![7; support::OPTIONS.frame_max]);
    send(&*ends.left, large.clone()).await;
    assert_eq!(recv(&*ends.right).await, large);
    send(&*ends.left, Bytes::new()).await;
    assert_eq!(recv(&*ends.right).await, Bytes::new());
}

/// Sends numbers; the receiving half checks that none is missing, doubled or out of order.
async fn stream(from: &dyn Channel, to: &dyn Channel, count: u32) {
    let sending = async {
        for number in 0..count {
            send(from, Bytes::copy_from_slice(&number.to_be_bytes())).await;
        }
    };
    let receiving = async {
        for number in 0..count {
            assert_eq!(recv(to).await, &number.to_be_bytes()[..]);
        }
    };
    tokio::join!(sending, receiving);
}

async fn frames_keep_their_order(ends: Ends) {
    stream(&*ends.left, &*ends.right, 20_000).await;
}

async fn both_directions_at_once(ends: Ends) {
    let Ends { left, right, _place } = ends;
    let (left_too, right_too) = (left.clone(), right.clone());
    let there = tokio::spawn(async move { stream(&*left, &*right, 20_000).await });
    let back = tokio::spawn(async move { stream(&*right_too, &*left_too, 20_000).await });
    there.await.unwrap();
    back.await.unwrap();
}

async fn a_full_channel_gives_the_frame_back_and_wakes(ends: Ends) {
    let frame = Bytes::from(vec![1; 60_000]);
    let accepted = fill(&*ends.left, &frame).await;
    let left = ends.left.clone();
    let waiting = tokio::spawn(async move { left.send(Bytes::from_static(b"last")).await });
    for _ in 0..accepted {
        assert_eq!(recv(&*ends.right).await, frame);
    }
    assert_eq!(recv(&*ends.right).await, "last");
    within("the sender", waiting).await.unwrap().unwrap();
}

async fn a_receiver_that_does_not_read_stops_the_sender(ends: Ends) {
    let frame = Bytes::from(vec![1; 60_000]);
    for _ in 0..5 {
        let accepted = fill(&*ends.left, &frame).await;
        // Two queues of 16, nng's buffer of 64, a few under way, and the kernel's: for TCP some
        // megabytes. What matters is that there is an end.
        assert!((16..=600).contains(&accepted), "{accepted}");
        // Both sides get going again, every time.
        for _ in 0..accepted {
            recv(&*ends.right).await;
        }
        exchange(&*ends.left, &*ends.right).await;
    }
}

async fn a_peer_is_seen_coming_and_going(ends: Ends) {
    let peer = *ends.left.peer().borrow();
    assert!(peer.connected);
    assert_eq!(peer.connections, 1);
    assert_eq!(ends.left.statistics().lost_connections, 0);
    connected(&*ends.right).await;
    drop(ends.right);
    alone(&*ends.left).await;
    assert_eq!(ends.left.peer().borrow().connections, 1);
    assert_eq!(ends.left.statistics().lost_connections, 1);
}

async fn what_arrived_outlives_the_peer(ends: Ends) {
    let right = &*ends.right;
    for number in 0..10_u8 {
        send(&*ends.left, Bytes::copy_from_slice(&[number])).await;
    }
    // The tenth is behind the others: when it has been read here, all have arrived. A second batch
    // stays unread while the peer leaves; whether a socket delivers it is not promised, only that
    // nothing is delivered in part or out of order.
    for number in 0..10_u8 {
        assert_eq!(recv(right).await, [number][..]);
    }
    for number in 0..10_u8 {
        send(&*ends.left, Bytes::copy_from_slice(&[number])).await;
    }
    drop(ends.left);
    alone(right).await;
    // A lost peer does not end the channel: it waits for the next.
    let mut expected = 0..10_u8;
    while let Ok(frame) = tokio::time::timeout(Duration::from_millis(20), right.recv()).await {
        assert_eq!(frame.unwrap(), [expected.next().unwrap()][..]);
    }
}

async fn statistics_add_up(ends: Ends) {
    let frame = Bytes::from(vec![1; 60_000]);
    let accepted = fill(&*ends.left, &frame).await;
    let left = ends.left.statistics();
    assert_eq!(left.sent + left.waiting, accepted);
    assert!(left.waiting >= 16);
    for _ in 0..accepted {
        recv(&*ends.right).await;
    }
    until("the last frame to be counted", || ends.left.statistics().waiting == 0).await;
    let (left, right) = (ends.left.statistics(), ends.right.statistics());
    assert_eq!((left.sent, left.received), (accepted, 0));
    assert_eq!((right.sent, right.received, right.waiting), (0, accepted, 0));
    assert_eq!((left.oversized, right.oversized), (0, 0));
    assert_eq!((left.lost_connections, right.lost_connections), (0, 0));
}

async fn a_closed_end_refuses_and_wakes_everyone(ends: Ends) {
    let frame = Bytes::from(vec![1; 60_000]);
    fill(&*ends.left, &frame).await;
    let (sender, receiver) = (ends.left.clone(), ends.left.clone());
    let sending = tokio::spawn(async move { sender.send(Bytes::from_static(b"more")).await });
    let receiving = tokio::spawn(async move { receiver.recv().await });
    tokio::task::yield_now().await;
    within("closing", ends.left.close()).await;
    assert_eq!(within("the sender", sending).await.unwrap(), Err(Closed));
    assert_eq!(within("the receiver", receiving).await.unwrap(), Err(Closed));
    assert_eq!(ends.left.try_send(frame), Err(SendError::Closed));
    assert_eq!(ends.left.recv().await, Err(Closed));
    // A reader with full buffers reads nothing from its socket, and so does not see its end either.
    let right = ends.right.clone();
    let reading = tokio::spawn(async move { while right.recv().await.is_ok() {} });
    alone(&*ends.right).await;
    reading.abort();
    assert_eq!(ends.left.statistics().lost_connections, 0, "closing is no loss");
}

async fn closing_twice_is_closing_once(ends: Ends) {
    let (first, second) = (ends.left.close(), ends.left.close());
    within("the second", second).await;
    within("the first", first).await;
    within("a third", ends.left.close()).await;
    alone(&*ends.right).await;
}
