//! Shared memory segments over a link: asking, answering, descriptors, lost connections, and peers that lie.

mod support;

use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use sandgate_wire::link::{
    Agreed, Features, Frame, Lane, LinkError, Segment, SegmentFrame, SegmentRequest, Side, Signal, Violation,
    carry,
};
use sandgate_wire::segments::{Grant, Memory, POOL_MAX, SegmentAuthority, SegmentError, Token};
use support::link::{
    BEATS, End, Ends, GATEWAY, HOST, RawEnd, WINDOW, is_connected, is_disconnected, next_parcel, parcel,
    send_with,
};
use support::within;
use tokio::task::JoinHandle;

const MODULE: u32 = 3;
const EPOCH: u32 = 7;

/// Grants everything.
#[derive(Default)]
struct Generous {
    holds: Mutex<BTreeMap<u64, Grant>>,
}

impl Generous {
    fn held(&self) -> Vec<u64> {
        self.holds.lock().unwrap().keys().copied().collect()
    }

    fn hold(&self, request: u64, grant: impl FnOnce() -> Option<Grant>) -> Result<Grant, SegmentError> {
        let mut holds = self.holds.lock().unwrap();
        if let Some(grant) = holds.get(&request) {
            return Ok(grant.clone());
        }
        let known = grant().ok_or(SegmentError::NoSuch)?;
        holds.insert(request, known.clone());
        Ok(known)
    }
}

impl SegmentAuthority for Generous {
    fn create(&self, request: u64, pool: &str, size: u64) -> Result<Grant, SegmentError> {
        if pool != "frames" {
            return Err(SegmentError::NotGranted);
        }
        let memory = Memory::create(size).map_err(|_| SegmentError::OutOfMemory)?;
        self.hold(request, || Some(Grant { token: Token::random(), memory }))
    }

    fn open(&self, request: u64, token: Token) -> Result<Grant, SegmentError> {
        let found = self.holds.lock().unwrap().values().find(|grant| grant.token == token).cloned();
        self.hold(request, || found)
    }

    fn close(&self, request: u64) {
        self.holds.lock().unwrap().remove(&request);
    }

    fn retain(&self, requests: &[u64]) {
        self.holds.lock().unwrap().retain(|request, _| requests.contains(request));
    }
}

async fn answer(request: SegmentRequest) -> Result<Segment, SegmentError> {
    within("an answer", request).await
}

/// Both ends of a lane, of which the gateway's has an authority.
fn lanes(ends: &Ends) -> (Lane, Lane, Arc<Generous>) {
    let (gateway, host) = ends.lane(MODULE, EPOCH, WINDOW);
    let authority = Arc::<Generous>::default();
    gateway.serve_segments(authority.clone());
    (gateway, host, authority)
}

async fn held(authority: &Generous, wanted: &[u64]) {
    within("the holds", async {
        while authority.held() != wanted {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_segment_is_made_and_opened_by_its_token() {
    let ends = Ends::new();
    let (_gateway, host, authority) = lanes(&ends);
    let _connected = ends.connect().await;
    let made = answer(host.create_segment("frames", 1 << 20)).await.unwrap();
    made.memory().write(1000, b"content").unwrap();
    let opened = answer(host.open_segment(made.token())).await.unwrap();
    let mut bytes = [0; 7];
    opened.memory().read(1000, &mut bytes).unwrap();
    assert_eq!((&bytes, opened.memory().size()), (b"content", 1 << 20));
    assert_eq!(authority.held(), [1, 2]);
    drop(made);
    held(&authority, &[2]).await;
    drop(opened);
    held(&authority, &[]).await;
}

#[tokio::test]
async fn a_refusal_says_why() {
    let ends = Ends::new();
    let (_gateway, host, authority) = lanes(&ends);
    let _connected = ends.connect().await;
    assert_eq!(answer(host.create_segment("others", 1)).await.unwrap_err(), SegmentError::NotGranted);
    assert_eq!(
        answer(host.create_segment(&"x".repeat(9999), 1)).await.unwrap_err(),
        SegmentError::NotGranted
    );
    assert_eq!(answer(host.open_segment(Token::random())).await.unwrap_err(), SegmentError::NoSuch);
    let too_large = answer(host.create_segment("frames", u64::MAX)).await.unwrap_err();
    assert_eq!(too_large, SegmentError::OutOfMemory);
    assert_eq!(authority.held(), []);
}

/// Descriptors go with their frames, whatever stands in front and behind.
#[tokio::test]
async fn segments_and_parcels_share_a_connection() {
    let ends = Ends::new();
    let (gateway, host, _authority) = lanes(&ends);
    let _connected = ends.connect().await;
    is_connected(&host).await;
    is_connected(&gateway).await;
    let mut segments = Vec::new();
    for round in 0..20_u64 {
        let requests: Vec<_> =
            (1..=4).map(|size| (size, host.create_segment("frames", 100 * round + size))).collect();
        for length in [10, 30_000, 100_000] {
            gateway.send(parcel(round, length)).await.unwrap();
        }
        for (size, request) in requests {
            let segment = answer(request).await.unwrap();
            assert_eq!(segment.memory().size(), 100 * round + size);
            segments.push(segment);
        }
        for _ in 0..3 {
            let (sequence, number) = next_parcel(&host).await;
            assert_eq!(number, round);
            host.settle(sequence);
        }
    }
}

#[tokio::test]
async fn what_a_lost_connection_took_with_it_is_made_good_on_the_next() {
    let ends = Ends::new();
    let (_gateway, host, authority) = lanes(&ends);
    let connected = ends.connect().await;
    let kept = answer(host.create_segment("frames", 10)).await.unwrap();
    let dropped = answer(host.create_segment("frames", 10)).await.unwrap();
    connected.cut().await;
    is_disconnected(&host).await;
    // Its Close finds no connection, and neither does this request.
    drop(dropped);
    let mut waits = host.create_segment("frames", 10);
    let given_up = host.create_segment("frames", 10);
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(std::pin::pin!(&mut waits).poll(&mut context), Poll::Pending));
    drop(given_up);
    assert_eq!(authority.held(), [1, 2]);
    let _connected = ends.connect().await;
    let third = answer(waits).await.unwrap();
    assert_eq!(authority.held(), [1, 3]);
    drop((kept, third));
    held(&authority, &[]).await;
}

#[tokio::test]
async fn a_request_that_is_given_up_holds_nothing() {
    let ends = Ends::new();
    let (_gateway, host, authority) = lanes(&ends);
    let _connected = ends.connect().await;
    is_connected(&host).await;
    drop(host.create_segment("frames", 10));
    let last = answer(host.create_segment("frames", 10)).await.unwrap();
    held(&authority, &[2]).await;
    drop(last);
}

#[tokio::test]
async fn a_closed_lane_answers_nobody_and_gives_its_segments_back() {
    let ends = Ends::new();
    let (gateway, host, authority) = lanes(&ends);
    let request = host.create_segment("frames", 10);
    drop(host.close());
    assert_eq!(answer(request).await.unwrap_err(), SegmentError::Unavailable);
    assert_eq!(answer(host.create_segment("frames", 10)).await.unwrap_err(), SegmentError::Unavailable);
    assert_eq!(Arc::strong_count(&authority), 2);
    drop(gateway.close());
    assert_eq!(Arc::strong_count(&authority), 1);
}

#[tokio::test]
async fn a_gateway_without_an_authority_has_none() {
    let ends = Ends::new();
    let (_gateway, host) = ends.lane(MODULE, EPOCH, WINDOW);
    let _connected = ends.connect().await;
    assert_eq!(answer(host.create_segment("frames", 10)).await.unwrap_err(), SegmentError::Unavailable);
}

#[tokio::test]
async fn a_gateway_that_does_not_know_segments_is_not_asked() {
    let host = End::new(Side::Host);
    let lane = Lane::new(MODULE, EPOCH, WINDOW);
    host.lanes.add(&lane);
    let waits = lane.create_segment("frames", 10);
    let (mut peer, stream) = RawEnd::pair();
    let (lanes, agreed) = (host.lanes.clone(), Agreed { version: 1, features: Features(0), peer: GATEWAY });
    let (sender, _signals) = tokio::sync::mpsc::channel(8);
    let _carried =
        tokio::spawn(async move { carry(stream, &agreed, Side::Host, &lanes, &sender, BEATS).await });
    peer.signal(Signal::Open { module: MODULE, epoch: EPOCH, window: WINDOW, received: 0 }).await;
    assert_eq!(answer(waits).await.unwrap_err(), SegmentError::Unavailable);
    assert_eq!(answer(lane.create_segment("frames", 10)).await.unwrap_err(), SegmentError::Unavailable);
    assert!(matches!(peer.recv_signal().await, Signal::Opened { .. }));
    peer.signal(Signal::Bye { reason: "done".into() }).await;
    assert_eq!(peer.next().await, None, "nothing about segments was sent");
}

/// A host of the test's at a gateway's end.
async fn hostile_host() -> (RawEnd, Lane, Arc<Generous>, JoinHandle<LinkError>, End) {
    let end = End::new(Side::Gateway);
    let lane = Lane::new(MODULE, EPOCH, WINDOW);
    let authority = Arc::<Generous>::default();
    lane.serve_segments(authority.clone());
    end.lanes.add(&lane);
    let (mut peer, stream) = RawEnd::pair();
    let carried = end.carry(stream, HOST);
    peer.open(WINDOW).await;
    is_connected(&lane).await;
    (peer, lane, authority, carried, end)
}

fn about(frame: SegmentFrame) -> Frame {
    Frame::Segment { module: MODULE, epoch: EPOCH, frame }
}

#[tokio::test]
async fn a_host_that_asks_for_ever_and_reads_nothing_loses_its_connection() {
    let (peer, lane, authority, carried, _end) = hostile_host().await;
    let asking = async {
        for request in 1.. {
            let ask = SegmentFrame::Open { request, token: Token([0; 16]) };
            if peer.stream.try_write(&about(ask).encode().unwrap()).is_err() {
                // The gateway has ended the connection, or is to read first.
                if carried.is_finished() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
    };
    within("the end", asking).await;
    assert!(matches!(carried.await.unwrap(), LinkError::Violation(Violation::TooManyRequests(_))));
    is_disconnected(&lane).await;
    assert_eq!(authority.held(), []);
}

#[tokio::test]
async fn what_a_host_gives_back_unread_does_not_wait_for_it() {
    let (mut peer, _lane, authority, carried, _end) = hostile_host().await;
    for request in 1..=1000 {
        let create = SegmentFrame::Create { request, size: 1, pool: "frames".into() };
        peer.send(about(create)).await;
        peer.send(about(SegmentFrame::Close { request })).await;
    }
    let last = SegmentFrame::Create { request: 1001, size: 1, pool: "frames".into() };
    peer.send(about(last)).await;
    held(&authority, &[1001]).await;
    assert!(!carried.is_finished());
}

#[tokio::test]
async fn requests_that_are_taken_back_unsent_leave_nothing_to_be_sent() {
    let ends = Ends::new();
    let (_gateway, host, authority) = lanes(&ends);
    let _connected = ends.connect().await;
    is_connected(&host).await;
    let before = ends.host.lanes.statistics().frames_sent;
    // The writer has no turn meanwhile.
    for _ in 0..10_000 {
        drop(host.create_segment("frames", 1));
    }
    let _made = answer(host.create_segment("frames", 1)).await.unwrap();
    assert_eq!(authority.held(), [10_001]);
    let sent = ends.host.lanes.statistics().frames_sent - before;
    assert!(sent < 10, "{sent} frames");
}

#[tokio::test]
async fn a_pool_whose_name_is_too_long_is_nobodys() {
    let ends = Ends::new();
    let (_gateway, host, _authority) = lanes(&ends);
    let _connected = ends.connect().await;
    let name = "x".repeat(POOL_MAX + 1);
    assert_eq!(answer(host.create_segment(&name, 1)).await.unwrap_err(), SegmentError::NotGranted);
}

#[tokio::test]
async fn a_host_that_speaks_for_another_lane_or_as_a_gateway_loses_its_connection() {
    let close = SegmentFrame::Close { request: 1 };
    let granted = SegmentFrame::Granted { request: 1, token: Token([0; 16]), size: 1 };
    let kind = about(granted.clone()).kind();
    for (frame, violation) in [
        (
            Frame::Segment { module: 9, epoch: EPOCH, frame: close },
            Violation::UnknownLane { module: 9, epoch: EPOCH },
        ),
        (about(granted), Violation::OutOfPlace(kind)),
    ] {
        let (mut peer, _lane, _authority, carried, _end) = hostile_host().await;
        peer.send(frame).await;
        assert_eq!(peer.expect_bye().await, violation.to_string());
        assert!(matches!(carried.await.unwrap(), LinkError::Violation(_)));
    }
}

/// The kernel closes them, for a gateway has no room for them. What comes behind them may wait until the host says
/// something more, which is its own affair.
#[tokio::test]
async fn descriptors_from_a_host_are_closed_and_change_nothing() {
    let (mut peer, lane, _authority, _carried, _end) = hostile_host().await;
    let (mut reader, writer) = std::io::pipe().unwrap();
    for sequence in 1..=3 {
        let frame = Frame::Parcel { module: MODULE, epoch: EPOCH, sequence, parcel: parcel(sequence, 8) };
        send_with(&peer.stream, &frame, &[writer.as_fd(); 20]).await;
    }
    for sequence in 1..=3 {
        peer.send(about(SegmentFrame::Close { request: 1 })).await;
        assert_eq!(next_parcel(&lane).await.0, sequence);
    }
    drop(writer);
    assert_eq!(reader.read(&mut [0]).unwrap(), 0, "nobody has the other end");
}

/// A gateway of the test's at a host's end.
async fn hostile_gateway() -> (RawEnd, Lane, JoinHandle<LinkError>, End) {
    let end = End::new(Side::Host);
    let lane = Lane::new(MODULE, EPOCH, WINDOW);
    end.lanes.add(&lane);
    let (mut peer, stream) = RawEnd::pair();
    let carried = end.carry(stream, GATEWAY);
    peer.signal(Signal::Open { module: MODULE, epoch: EPOCH, window: WINDOW, received: 0 }).await;
    assert!(matches!(peer.recv_signal().await, Signal::Opened { .. }));
    (peer, lane, carried, end)
}

fn granted(request: u64, size: u64) -> Frame {
    about(SegmentFrame::Granted { request, token: Token([5; 16]), size })
}

#[tokio::test]
async fn a_descriptor_of_something_else_is_no_segment_and_breaks_nothing() {
    let (mut peer, lane, _carried, _end) = hostile_gateway().await;
    let (mut reader, writer) = std::io::pipe().unwrap();
    let request = lane.create_segment("frames", 10);
    assert_eq!(
        peer.recv().await,
        about(SegmentFrame::Create { request: 1, size: 10, pool: "frames".into() })
    );
    send_with(&peer.stream, &granted(1, 10), &[writer.as_fd()]).await;
    assert_eq!(answer(request).await.unwrap_err(), SegmentError::Unavailable);
    drop(writer);
    assert_eq!(reader.read(&mut [0]).unwrap(), 0, "the host has closed it");
    assert_eq!(peer.recv().await, about(SegmentFrame::Close { request: 1 }));
    // Memory of another size than is said.
    let request = lane.create_segment("frames", 10);
    let _ = peer.recv().await;
    send_with(&peer.stream, &granted(2, 10), &[Memory::create(9).unwrap().as_fd()]).await;
    assert_eq!(answer(request).await.unwrap_err(), SegmentError::Unavailable);
    let _ = peer.recv().await;
    // And one as it should be.
    let request = lane.create_segment("frames", 10);
    let _ = peer.recv().await;
    send_with(&peer.stream, &granted(3, 10), &[Memory::create(10).unwrap().as_fd()]).await;
    assert_eq!(answer(request).await.unwrap().token(), Token([5; 16]));
}

#[tokio::test]
async fn a_segment_that_nobody_asked_for_is_closed() {
    let (peer, lane, _carried, end) = hostile_gateway().await;
    let (mut reader, writer) = std::io::pipe().unwrap();
    for request in [0, 1, 99, u64::MAX] {
        send_with(&peer.stream, &granted(request, 10), &[writer.as_fd()]).await;
    }
    send_with(&peer.stream, &granted(7, 10), &[Memory::create(10).unwrap().as_fd()]).await;
    drop(writer);
    let closed = tokio::task::spawn_blocking(move || reader.read(&mut [0]).unwrap());
    assert_eq!(within("the end of the pipe", closed).await.unwrap(), 0);
    within("all of them", async {
        while end.lanes.statistics().strays < 5 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(*lane.connected().borrow(), "the connection goes on");
}

#[tokio::test]
async fn descriptors_that_no_frame_speaks_of_end_the_connection_and_are_closed() {
    let parcels =
        |sequence| Frame::Parcel { module: MODULE, epoch: EPOCH, sequence, parcel: parcel(sequence, 8) };
    for descriptors in [1, 2, 200] {
        let (peer, _lane, carried, _end) = hostile_gateway().await;
        let (mut reader, writer) = std::io::pipe().unwrap();
        for sequence in 1..=4 {
            if carried.is_finished() {
                break;
            }
            send_with(&peer.stream, &parcels(sequence), &vec![writer.as_fd(); descriptors]).await;
            tokio::task::yield_now().await;
        }
        let ended = within("an end", carried).await.unwrap();
        assert!(matches!(ended, LinkError::Violation(Violation::Descriptors)), "{ended:?}");
        drop((writer, peer));
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "all are closed");
    }
}

#[tokio::test]
async fn a_granted_segment_without_a_descriptor_ends_the_connection() {
    let (mut peer, lane, carried, _end) = hostile_gateway().await;
    let _request = lane.create_segment("frames", 10);
    let _ = peer.recv().await;
    peer.send(granted(1, 10)).await;
    assert_eq!(peer.expect_bye().await, Violation::Descriptors.to_string());
    assert!(matches!(carried.await.unwrap(), LinkError::Violation(Violation::Descriptors)));
}
