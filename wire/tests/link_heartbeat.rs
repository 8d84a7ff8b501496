//! Heartbeats, with a clock that the tests turn.

mod support;

use std::time::Duration;

use sandgate_wire::link::{Beats, Frame, Lane, LinkError, Side, Signal};
use support::link::{End, GATEWAY, HOST, RawEnd, WINDOW, parcel};
use tokio::time::{Instant, advance};

const BEATS: Beats = Beats { every: Duration::from_millis(250), patience: Duration::from_millis(900) };

#[tokio::test(start_paused = true)]
async fn a_host_that_says_nothing_is_silent_after_the_patience() {
    let (_peer, stream) = RawEnd::pair();
    let gateway = End::new(Side::Gateway);
    let began = Instant::now();
    let ended = gateway.carry_with(stream, HOST, BEATS).await.unwrap();
    assert!(matches!(ended, LinkError::Silent(patience) if patience == BEATS.patience), "{ended:?}");
    let took = began.elapsed();
    assert!(took >= BEATS.patience && took < BEATS.patience + Duration::from_millis(10), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_answers_lives_until_it_stops() {
    let (mut peer, stream) = RawEnd::pair();
    let gateway = End::new(Side::Gateway);
    let began = Instant::now();
    let carried = gateway.carry_with(stream, HOST, BEATS);
    for number in 1..=40 {
        assert_eq!(peer.next().await, Some(Frame::Ping { sequence: number }));
        peer.send(Frame::Pong { sequence: number }).await;
    }
    assert!(began.elapsed() >= BEATS.every * 39);
    assert!(!carried.is_finished());
    assert!(matches!(carried.await.unwrap(), LinkError::Silent(_)));
}

#[tokio::test(start_paused = true)]
async fn whatever_arrives_is_a_sign_of_life() {
    let (mut peer, stream) = RawEnd::pair();
    let gateway = End::new(Side::Gateway);
    let carried = gateway.carry_with(stream, HOST, BEATS);
    // One byte at a time of a frame that is skipped in the end.
    for byte in (Frame::Unknown { kind: 99 }).encode().unwrap() {
        advance(BEATS.patience / 3).await;
        peer.write(&[byte]).await;
    }
    assert!(!carried.is_finished());
}

/// The machine may sleep, or the gateway be busy: then it has not listened.
#[tokio::test(start_paused = true)]
async fn a_gateway_that_was_stopped_itself_does_not_blame_the_host() {
    let (mut peer, stream) = RawEnd::pair();
    let gateway = End::new(Side::Gateway);
    let carried = gateway.carry_with(stream, HOST, BEATS);
    assert_eq!(peer.next().await, Some(Frame::Ping { sequence: 1 }));
    for _ in 0..3 {
        advance(BEATS.patience * 5).await;
        tokio::task::yield_now().await;
        assert!(!carried.is_finished());
    }
    let awake = Instant::now();
    assert!(matches!(carried.await.unwrap(), LinkError::Silent(_)));
    assert!(awake.elapsed() >= BEATS.patience, "the clock began anew");
}

#[tokio::test(start_paused = true)]
async fn a_host_is_not_blamed_while_nobody_takes_its_signals() {
    let (mut peer, stream) = RawEnd::pair();
    let mut gateway = End::new(Side::Gateway);
    gateway.lanes.add(&Lane::new(1, 1, WINDOW));
    let carried = gateway.carry_with(stream, HOST, BEATS);
    peer.open(WINDOW).await;
    for _ in 0..200 {
        peer.signal(Signal::Statistics { module: 1, epoch: 1, json: "{}".into() }).await;
    }
    tokio::time::sleep(BEATS.patience * 20).await;
    assert!(!carried.is_finished());
    for _ in 0..201 {
        gateway.signal().await;
    }
    // Now that everything has been taken the host's silence counts.
    assert!(matches!(carried.await.unwrap(), LinkError::Silent(_)));
}

#[tokio::test(start_paused = true)]
async fn a_host_never_gives_its_gateway_up() {
    let (_peer, stream) = RawEnd::pair();
    let host = End::new(Side::Host);
    let carried = host.carry_with(stream, GATEWAY, BEATS);
    tokio::time::sleep(BEATS.patience * 100).await;
    assert!(!carried.is_finished());
}

#[tokio::test]
async fn a_host_answers_in_front_of_what_waits() {
    let (mut peer, stream) = RawEnd::pair();
    let host = End::new(Side::Host);
    let window = sandgate_wire::link::Window { messages: 100_000, bytes: 1 << 30 };
    let lane = Lane::new(1, 1, window);
    host.lanes.add(&lane);
    // Many times what the socket holds.
    for number in 0..200 {
        lane.try_send(parcel(number, 100_000)).unwrap();
    }
    let _carried = host.carry(stream, GATEWAY);
    peer.signal(Signal::Open { module: 1, epoch: 1, window, received: 0 }).await;
    assert!(matches!(peer.next().await, Some(Frame::Signal(Signal::Opened { .. }))));
    assert!(matches!(peer.next().await, Some(Frame::Parcel { sequence: 1, .. })));
    peer.send(Frame::Ping { sequence: 77 }).await;
    let mut before = 0;
    loop {
        match peer.next().await.unwrap() {
            Frame::Parcel { .. } => before += 1,
            Frame::Pong { sequence: 77 } => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(before < 100, "{before} parcels came before the answer");
}
