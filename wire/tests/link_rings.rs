//! Rings between an honest end and a peer that does with them what it likes.

mod support;

use std::future::poll_fn;
use std::os::fd::AsFd;

use rustix::net::RecvFlags;
use sandgate_ring::{Arena, Push};
use sandgate_wire::link::frame::Slot;
use sandgate_wire::link::{Arrival, Features, Frame, Lane, LinkError, Side, Signal, Violation, Window};
use support::link::{End, Ends, GATEWAY, HOST, RawEnd, WINDOW, next_parcel, parcel, send_with};
use support::rings::{EPOCH, HostileHost, MODULE, encoded, end, receive_with};
use support::within;
use tokio::task::JoinHandle;

#[tokio::test]
async fn a_record_that_is_no_parcel_ends_the_connection() {
    let mut host = HostileHost::connect().await;
    host.push(&[0; 8], 1);
    host.ends_for(|violation| matches!(violation, Violation::Malformed(_))).await;
}

#[tokio::test]
async fn a_record_of_another_kind_ends_the_connection() {
    let mut host = HostileHost::connect().await;
    host.push(&[0; 40], 9);
    host.ends_for(|violation| matches!(violation, Violation::OutOfPlace(9))).await;
}

#[tokio::test]
async fn a_gap_ends_the_connection() {
    let mut host = HostileHost::connect().await;
    let mut record = vec![0; 40];
    record[7] = 2;
    host.push(&record, 1);
    let gap = |violation: &Violation| matches!(violation, Violation::Gap { expected: 1, found: 2 });
    host.ends_for(gap).await;
}

#[tokio::test]
async fn what_was_not_sent_is_not_settled() {
    let mut host = HostileHost::connect().await;
    host.lane.try_send(parcel(1, 8)).unwrap();
    host.rings.acknowledge(2);
    let _ = host.rings.publish();
    host.ends_for(|violation| matches!(violation, Violation::Rings(_))).await;
}

/// Pieces of a parcel that never ends.
#[tokio::test]
async fn a_parcel_is_no_longer_in_pieces_than_whole() {
    let mut host = HostileHost::connect().await;
    let lane = host.lane.clone();
    let _consumer = tokio::spawn(async move { lane.recv().await });
    let piece = vec![0; 16 << 10];
    while !host.carried.is_finished() {
        if host.rings.push(&[&piece], 2).unwrap() == Push::Done {
            let _ = host.rings.publish();
            host.ring();
        }
        tokio::task::yield_now().await;
    }
    host.ends_for(|violation| matches!(violation, Violation::Malformed(_))).await;
}

/// Room is made for it, and a lie about it costs the liar no more than that.
#[tokio::test]
async fn the_size_that_a_message_claims_is_a_hint_and_no_more() {
    const BODY: usize = 200_000;
    for claimed in [0, 10, 100_000, BODY as u32, u32::MAX] {
        let mut host = HostileHost::connect().await;
        let mut record = encoded(1, BODY);
        let body = record.len() - BODY;
        record[body..body + 2].copy_from_slice(&[0xa1, 0x60]);
        record[body + 2..body + 6].copy_from_slice(&claimed.to_be_bytes());
        let (pieces, last) = record.split_at(record.len() / (16 << 10) * (16 << 10));
        pieces.chunks(16 << 10).for_each(|piece| host.push(piece, 2));
        host.push(last, 1);
        host.ring();
        let arrival = within("the parcel", host.lane.recv()).await.unwrap();
        let Arrival::Parcel { parcel, .. } = arrival else { panic!("{arrival:?}") };
        assert_eq!(parcel.body, record[body..]);
    }
}

/// They would cost nothing, so there could be any number of them.
#[tokio::test]
async fn a_piece_has_its_length() {
    for length in [0, 1, 100] {
        let mut host = HostileHost::connect().await;
        host.push(&vec![0; length], 2);
        host.ends_for(|violation| matches!(violation, Violation::OutOfPlace(2))).await;
    }
}

#[tokio::test]
async fn a_parcel_that_comes_again_and_again_ends_the_connection() {
    let mut host = HostileHost::connect().await;
    let record = encoded(1, 8);
    for _ in 0..=WINDOW.messages + 1 {
        host.push(&record, 1);
    }
    host.broken_by(|violation| matches!(violation, Violation::Window(1))).await;
}

/// It waits for room, and for nothing else: whoever makes some on leaving has to say so.
#[tokio::test]
async fn who_leaves_rings_wakes_who_waits_for_room_in_them() {
    let mut host = HostileHost::connect().await;
    let mut sequence = 1;
    while host.rings.push(&[&encoded(sequence, 40_000)], 1).unwrap() == Push::Done {
        sequence += 1;
    }
    // Nobody rings, so the gateway does not look.
    let _ = host.rings.publish();
    assert!(!host.rings.want_room(40_000).unwrap());
    let mut byte = [0];
    while rustix::net::recv(&host.bell, &mut byte, RecvFlags::DONTWAIT).is_ok() {}
    assert!(host.arena.fall_asleep());
    drop(host.lane.close());
    assert!(rustix::net::recv(&host.bell, &mut byte, RecvFlags::DONTWAIT).is_ok());
}

#[tokio::test]
async fn a_host_that_uses_no_rings_is_served_on_the_socket() {
    let gateway = end(Side::Gateway);
    let lane = Lane::new(MODULE, EPOCH, WINDOW);
    gateway.lanes.add(&lane);
    let (mut peer, stream) = RawEnd::pair();
    let _carried = gateway.carry(stream, HOST);
    receive_with(&peer.stream).await;
    peer.send(Frame::Rings { used: false }).await;
    peer.open(WINDOW).await;
    lane.send(parcel(1, 8)).await.unwrap();
    assert!(matches!(peer.recv().await, Frame::Parcel { sequence: 1, .. }));
}

#[tokio::test]
async fn a_lane_that_is_not_for_rings_has_none() {
    let gateway = end(Side::Gateway);
    let lane = Lane::on_socket(MODULE, EPOCH, WINDOW);
    gateway.lanes.add(&lane);
    let (mut peer, stream) = RawEnd::pair();
    let _carried = gateway.carry(stream, HOST);
    receive_with(&peer.stream).await;
    peer.send(Frame::Rings { used: true }).await;
    peer.open(WINDOW).await;
    lane.send(parcel(1, 8)).await.unwrap();
    assert!(matches!(peer.recv().await, Frame::Parcel { sequence: 1, .. }));
}

/// A host, and a gateway that says what it likes at first.
fn hostile_gateway() -> (RawEnd, End, JoinHandle<LinkError>) {
    let host = end(Side::Host);
    let (peer, stream) = RawEnd::pair();
    let carried = host.carry(stream, GATEWAY);
    (peer, host, carried)
}

#[tokio::test]
async fn rings_without_memory_end_the_connection() {
    let (peer, _host, carried) = hostile_gateway();
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    send_with(&peer.stream, &Frame::Rings { used: true }, &[ours.as_fd()]).await;
    let ended = within("the end", carried).await.unwrap();
    assert!(matches!(ended, LinkError::Violation(Violation::Descriptors)), "{ended}");
}

/// Descriptors of something else are no reason not to talk.
#[tokio::test]
async fn memory_that_is_none_is_not_used() {
    let (mut peer, host, _carried) = hostile_gateway();
    let lane = Lane::new(MODULE, EPOCH, WINDOW);
    host.lanes.add(&lane);
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    send_with(&peer.stream, &Frame::Rings { used: true }, &[ours.as_fd(), theirs.as_fd()]).await;
    assert_eq!(peer.recv().await, Frame::Rings { used: false });
    peer.signal(Signal::Open { module: MODULE, epoch: EPOCH, window: WINDOW, received: 0 }).await;
    assert!(matches!(peer.recv_signal().await, Signal::Opened { .. }));
    peer.parcel(MODULE, EPOCH, 1).await;
    assert_eq!(next_parcel(&lane).await, (1, 1));
}

#[tokio::test]
async fn something_else_in_front_of_the_rings_ends_the_connection() {
    let (mut peer, _host, carried) = hostile_gateway();
    peer.send(Frame::Ping { sequence: 1 }).await;
    let ended = within("the end", carried).await.unwrap();
    assert!(matches!(ended, LinkError::Violation(Violation::OutOfPlace(8))), "{ended}");
}

#[tokio::test]
async fn a_slot_that_is_not_there_or_taken_ends_the_connection() {
    for (number, times) in [(1 << 14, 1), (5, 2)] {
        let (mut peer, _host, carried) = hostile_gateway();
        let (_arena, memory) = Arena::create(1 << 14, 4096).unwrap();
        let (_ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        send_with(&peer.stream, &Frame::Rings { used: true }, &[memory.as_fd(), theirs.as_fd()]).await;
        assert_eq!(peer.recv().await, Frame::Rings { used: true });
        for _ in 0..times {
            let slot = Slot { number, life: 1 };
            peer.send(Frame::Slot { module: MODULE, epoch: EPOCH, slot }).await;
        }
        let ended = within("the end", carried).await.unwrap();
        assert!(matches!(ended, LinkError::Violation(Violation::Slot { module: MODULE, .. })), "{ended}");
    }
}

/// More than a ring holds, one way, with a consumer at the other end that only hears of settlings.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_parcels_go_one_way() {
    let window = Window { messages: 256, bytes: 32 << 20 };
    let ends = Ends::with(Features::OURS.and(Features::RINGS));
    let (near, far) = ends.lane(MODULE, EPOCH, window);
    let _connected = ends.connect().await;
    let handled = tokio::spawn(async move {
        for expected in 1..=3000 {
            let (sequence, _) = next_parcel(&far).await;
            assert_eq!(sequence, expected);
            far.settle(sequence);
        }
        far
    });
    let heard = tokio::spawn({
        let near = near.clone();
        async move {
            let mut settled = 0;
            while settled < 3000 {
                settled = support::link::next_settled(&near).await;
            }
        }
    });
    for number in 1..=3000 {
        within("room", near.send(parcel(number, 65_536))).await.unwrap();
    }
    within("the end", handled).await.unwrap();
    within("the last settling", heard).await.unwrap();
}

/// A thread has others to serve between two pieces of a large parcel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_parcel_is_taken_piece_by_piece() {
    const SIZE: usize = 4 << 20;
    let window = Window { messages: 4, bytes: 32 << 20 };
    let ends = Ends::with(Features::OURS.and(Features::RINGS));
    let (near, far) = ends.lane(MODULE, EPOCH, window);
    let _connected = ends.connect().await;
    near.try_send(parcel(7, SIZE)).unwrap();
    let mut in_vain = 0;
    let arrival = poll_fn(|context| {
        let arrival = far.poll_recv(context);
        in_vain += u32::from(arrival.is_pending());
        arrival
    });
    let arrival = within("the parcel", arrival).await.unwrap();
    let Arrival::Parcel { parcel: arrived, .. } = arrival else { panic!("{arrival:?}") };
    assert_eq!(arrived, parcel(7, SIZE));
    assert!(in_vain > 200, "{in_vain}");
}

/// The gateway takes no arrivals meanwhile: whoever does may be waiting for this. What is settled comes behind them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_room_finds_it_behind_a_large_parcel() {
    let window = Window { messages: 4, bytes: 32 << 20 };
    let ends = Ends::with(Features::OURS.and(Features::RINGS));
    let (near, far) = ends.lane(MODULE, EPOCH, window);
    let _connected = ends.connect().await;
    let host = tokio::spawn(async move {
        for round in 0..8 {
            let (sequence, _) = next_parcel(&far).await;
            if round < 2 {
                far.try_send(parcel(round, 8 << 20)).unwrap();
            }
            far.settle(sequence);
        }
        far
    });
    for number in 0..8 {
        within("room", near.send(parcel(number, 8))).await.unwrap();
    }
    let _far = within("the end", host).await.unwrap();
    for round in 0..2 {
        loop {
            match within("an arrival", near.recv()).await.unwrap() {
                Arrival::Parcel { parcel: arrived, .. } => {
                    assert_eq!(arrived, parcel(round, 8 << 20));
                    break;
                }
                Arrival::Settled(_) => {}
            }
        }
    }
}
