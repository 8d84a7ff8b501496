//! Peers that break the rules: each ends its connection, hears why, and the lanes go on with the next one.

mod support;

use sandgate_wire::link::frame::{Header, Kind};
use sandgate_wire::link::{
    Arrival, Frame, Instance, Lane, LinkError, PAYLOAD_MAX, Side, Signal, State, Violation, Window,
};
use support::link::{End, GATEWAY, HOST, RawEnd, WINDOW, is_connected, next_parcel, parcel};
use support::within;
use tokio::task::JoinHandle;

const MODULE: u32 = 3;
const EPOCH: u32 = 7;

/// A gateway with one lane that is open on a connection to a peer of the test's.
struct Gateway {
    end: End,
    lane: Lane,
    peer: RawEnd,
    carried: JoinHandle<LinkError>,
}

impl Gateway {
    async fn new() -> Self {
        let end = End::new(Side::Gateway);
        let lane = Lane::new(MODULE, EPOCH, WINDOW);
        end.lanes.add(&lane);
        let (mut peer, stream) = RawEnd::pair();
        let carried = end.carry(stream, HOST);
        assert_eq!(peer.open(WINDOW).await, (MODULE, EPOCH, 0));
        is_connected(&lane).await;
        Self { end, lane, peer, carried }
    }

    /// The connection ends because of the violation, and the lane goes on with the next one.
    async fn ends_with(mut self, violation: Violation) {
        assert_eq!(self.peer.expect_bye().await, violation.to_string());
        let ended = within("an end", self.carried).await.unwrap();
        assert!(matches!(&ended, LinkError::Violation(found) if *found == violation), "{ended:?}");

        let received = self.lane.statistics().received;
        let (mut peer, stream) = RawEnd::pair();
        let _carried = self.end.carry(stream, HOST);
        assert_eq!(peer.open(WINDOW).await, (MODULE, EPOCH, received));
        peer.parcel(MODULE, EPOCH, received + 1).await;
        while next_parcel(&self.lane).await.0 <= received {}
    }
}

#[tokio::test]
async fn a_gap() {
    let mut gateway = Gateway::new().await;
    gateway.peer.parcel(MODULE, EPOCH, 1).await;
    gateway.peer.parcel(MODULE, EPOCH, 3).await;
    gateway.ends_with(Violation::Gap { expected: 2, found: 3 }).await;
}

#[tokio::test]
async fn duplicates_are_dropped_and_counted() {
    let mut gateway = Gateway::new().await;
    for sequence in [1, 1, 2, 1, 2, 3] {
        gateway.peer.parcel(MODULE, EPOCH, sequence).await;
    }
    for sequence in 1..=3 {
        assert_eq!(next_parcel(&gateway.lane).await, (sequence, sequence));
    }
    assert_eq!(gateway.lane.statistics().duplicates, 3);
}

#[tokio::test]
async fn more_than_the_window() {
    let mut gateway = Gateway::new().await;
    for sequence in 1..=u64::from(WINDOW.messages) + 1 {
        gateway.peer.parcel(MODULE, EPOCH, sequence).await;
    }
    for sequence in 1..=u64::from(WINDOW.messages) {
        assert_eq!(next_parcel(&gateway.lane).await.0, sequence);
    }
    assert_eq!(gateway.peer.expect_bye().await, Violation::Window(9).to_string());
}

#[tokio::test]
async fn more_bytes_than_the_window() {
    let mut gateway = Gateway::new().await;
    for sequence in 1..=3 {
        let (module, epoch) = (MODULE, EPOCH);
        gateway.peer.send(Frame::Parcel { module, epoch, sequence, parcel: parcel(sequence, 600_000) }).await;
    }
    assert_eq!(gateway.peer.expect_bye().await, Violation::Window(3).to_string());
}

#[tokio::test]
async fn settling_what_was_not_sent() {
    let mut gateway = Gateway::new().await;
    gateway.lane.try_send(parcel(1, 8)).unwrap();
    assert!(matches!(gateway.peer.recv().await, Frame::Parcel { sequence: 1, .. }));
    gateway.peer.send(Frame::Settle { module: MODULE, epoch: EPOCH, sequence: 2 }).await;
    let violation = Violation::SettledUnsent { found: 2, sent: 1 };
    assert_eq!(gateway.peer.expect_bye().await, violation.to_string());
    assert_eq!(gateway.lane.unsettled(), 1);
}

#[tokio::test]
async fn lanes_that_were_never_opened() {
    for (module, epoch) in [(MODULE + 1, EPOCH), (MODULE, EPOCH + 1)] {
        let window = WINDOW;
        let frames = [
            Frame::Parcel { module, epoch, sequence: 1, parcel: parcel(1, 8) },
            Frame::Settle { module, epoch, sequence: 0 },
            Frame::Signal(Signal::Opened { module, epoch, window, received: 0 }),
        ];
        for frame in frames {
            let mut gateway = Gateway::new().await;
            gateway.peer.send(frame).await;
            gateway.ends_with(Violation::UnknownLane { module, epoch }).await;
        }
    }
}

/// A host that has something to say when a connection begins says it before it has heard which lanes there
/// are: that is no violation, or each new connection would end at once.
#[tokio::test]
async fn what_is_said_of_lanes_that_are_not_there_is_ignored() {
    let (module, epoch) = (MODULE, EPOCH + 1);
    let mut gateway = Gateway::new().await;
    for signal in [
        Signal::Refused { module, epoch, reason: String::new() },
        Signal::State { module, epoch, state: State::Running, detail: String::new() },
        Signal::Statistics { module, epoch, json: String::new() },
    ] {
        gateway.peer.send(Frame::Signal(signal)).await;
    }
    gateway.lane.try_send(parcel(1, 8)).unwrap();
    assert!(matches!(gateway.peer.recv().await, Frame::Parcel { sequence: 1, .. }));
}

#[tokio::test]
async fn what_a_host_does_not_say() {
    let (module, epoch, window) = (MODULE, EPOCH, WINDOW);
    let hello = sandgate_wire::link::Greeting::ours(HOST);
    let frames = [
        Frame::Hello(hello),
        Frame::Ping { sequence: 1 },
        Frame::Signal(Signal::Open { module, epoch, window, received: 0 }),
        Frame::Signal(Signal::Start { module, epoch }),
        Frame::Signal(Signal::Close { module, epoch }),
        Frame::Signal(Signal::Revive { module, epoch }),
    ];
    for frame in frames {
        let mut gateway = Gateway::new().await;
        let kind = frame.kind();
        gateway.peer.send(frame).await;
        gateway.ends_with(Violation::OutOfPlace(kind)).await;
    }
}

#[tokio::test]
async fn what_a_gateway_does_not_say() {
    let (module, epoch, window) = (MODULE, EPOCH, WINDOW);
    let frames = [
        Frame::Pong { sequence: 1 },
        Frame::Signal(Signal::Opened { module, epoch, window, received: 0 }),
        Frame::Signal(Signal::State { module, epoch, state: State::Running, detail: String::new() }),
        Frame::Parcel { module, epoch, sequence: 1, parcel: parcel(1, 8) },
    ];
    for frame in frames {
        let host = End::new(Side::Host);
        let (mut peer, stream) = RawEnd::pair();
        let carried = host.carry(stream, GATEWAY);
        peer.send(frame).await;
        peer.expect_bye().await;
        assert!(matches!(within("an end", carried).await.unwrap(), LinkError::Violation(_)));
    }
}

#[tokio::test]
async fn malformed_and_oversized_frames() {
    let header = |kind: Kind, length| Header { kind: kind as u8, length, ..Header::default() }.encode();
    let mut bad_text = header(Kind::Bye, 1).to_vec();
    bad_text.push(0xff);
    let frames = [
        header(Kind::Parcel, PAYLOAD_MAX as u32 + 1).to_vec(),
        header(Kind::Statistics, u32::MAX).to_vec(),
        Header { kind: 200, length: u32::MAX, ..Header::default() }.encode().to_vec(),
        bad_text,
    ];
    for bytes in frames {
        let mut gateway = Gateway::new().await;
        gateway.peer.write(&bytes).await;
        gateway.peer.expect_bye().await;
        let ended = within("an end", gateway.carried).await.unwrap();
        assert!(matches!(ended, LinkError::Violation(Violation::Malformed(_))), "{ended:?}");
    }
}

#[tokio::test]
async fn lies_about_what_was_received() {
    let gateway = Gateway::new().await;
    let mut peer = gateway.peer;
    for number in 1..=2 {
        gateway.lane.try_send(parcel(number, 8)).unwrap();
        peer.recv().await;
    }
    peer.send(Frame::Settle { module: MODULE, epoch: EPOCH, sequence: 1 }).await;
    assert_eq!(within("a settling", gateway.lane.recv()).await, Ok(Arrival::Settled(1)));
    drop(peer);
    for found in [0, 3] {
        let (mut peer, stream) = RawEnd::pair();
        let _carried = gateway.end.carry(stream, HOST);
        assert!(matches!(peer.recv_signal().await, Signal::Open { .. }));
        let opened = Signal::Opened { module: MODULE, epoch: EPOCH, window: WINDOW, received: found };
        peer.signal(opened).await;
        let violation = Violation::Resumed { found, settled: 1, sent: 2 };
        assert_eq!(peer.expect_bye().await, violation.to_string());
    }
    assert_eq!(gateway.lane.unsettled(), 1);
}

/// The host's end finds out in its writer, which answers the Open.
#[tokio::test]
async fn a_gateway_that_lies_about_what_it_received() {
    let host = End::new(Side::Host);
    let lane = Lane::new(MODULE, EPOCH, WINDOW);
    host.lanes.add(&lane);
    let (mut peer, stream) = RawEnd::pair();
    let _carried = host.carry(stream, GATEWAY);
    peer.signal(Signal::Open { module: MODULE, epoch: EPOCH, window: WINDOW, received: 1 }).await;
    let violation = Violation::Resumed { found: 1, settled: 0, sent: 0 };
    assert_eq!(peer.expect_bye().await, violation.to_string());
}

#[tokio::test]
async fn a_huge_window_of_a_host_does_not_make_its_gateway_keep_more() {
    let end = End::new(Side::Gateway);
    let lane = Lane::new(MODULE, EPOCH, WINDOW);
    end.lanes.add(&lane);
    let (mut peer, stream) = RawEnd::pair();
    let _carried = end.carry(stream, HOST);
    peer.open(Window { messages: u32::MAX, bytes: u64::MAX }).await;
    is_connected(&lane).await;
    let taken = (0..1000).take_while(|number| lane.try_send(parcel(*number, 8)).is_ok()).count();
    assert_eq!(taken, WINDOW.messages as usize);
}

#[tokio::test]
async fn unknown_frames_are_skipped_and_counted() {
    let mut gateway = Gateway::new().await;
    let before = gateway.end.lanes.statistics().unknown;
    for length in [0_usize, 1, 100, 20_000, 100_000, 1_000_000] {
        let header = Header { kind: 99, length: length as u32, ..Header::default() };
        gateway.peer.write(&header.encode()).await;
        gateway.peer.write(&vec![7; length]).await;
    }
    gateway.peer.parcel(MODULE, EPOCH, 1).await;
    assert_eq!(next_parcel(&gateway.lane).await, (1, 1));
    assert_eq!(gateway.end.lanes.statistics().unknown, before + 6);
}

#[tokio::test]
async fn a_link_names_only_so_many_modules() {
    let mut host = End::new(Side::Host);
    let (mut peer, stream) = RawEnd::pair();
    let carried = host.carry(stream, GATEWAY);
    let taking = tokio::spawn(async move { while host.signals.recv().await.is_some() {} });
    for module in 0..=65_536 {
        peer.signal(Signal::Open { module, epoch: 1, window: WINDOW, received: 0 }).await;
    }
    assert_eq!(peer.expect_bye().await, Violation::TooManyModules(65_536).to_string());
    assert!(matches!(within("an end", carried).await.unwrap(), LinkError::Violation(_)));
    taking.abort();
}

#[tokio::test]
async fn lanes_of_one_host_are_not_given_to_another() {
    let gateway = Gateway::new().await;
    let (_peer, stream) = RawEnd::pair();
    let other = Instance([9; 16]);
    let ended = within("an end", gateway.end.carry(stream, other)).await.unwrap();
    assert!(
        matches!(ended, LinkError::OtherHost { known, found } if known == HOST && found == other),
        "{ended:?}"
    );
    // The connection to the right one is not disturbed.
    assert!(!gateway.carried.is_finished());
    assert!(*gateway.lane.connected().borrow());
}

/// Each Opened has everything sent again that is not settled, so a host that repeats it and does not read
/// would have its gateway keep more and more.
#[tokio::test]
async fn a_lane_is_opened_once_for_each_time_that_it_was_asked_for() {
    let (module, epoch, window) = (MODULE, EPOCH, WINDOW);
    let mut gateway = Gateway::new().await;
    gateway.lane.try_send(parcel(1, 8)).unwrap();
    assert!(matches!(gateway.peer.recv().await, Frame::Parcel { sequence: 1, .. }));
    gateway.peer.signal(Signal::Opened { module, epoch, window, received: 0 }).await;
    assert_eq!(gateway.peer.expect_bye().await, Violation::Unasked { module, epoch }.to_string());
    assert_eq!(gateway.lane.statistics().resent, 0);
}
