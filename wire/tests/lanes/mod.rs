//! Lanes over connections that come and go, between two honest ends.

use crate::support::link::{
    End, Ends, GATEWAY, HOST, RawEnd, WINDOW, is_connected, is_disconnected, next_parcel, next_settled,
    number, parcel,
};
use crate::support::within;
use sandgate_wire::link::{
    Arrival, Closed, Frame, Instance, Lane, LaneSendError, LinkError, STATISTICS_MAX, Side, Signal,
    SignalError, State, Window,
};

#[tokio::test]
async fn parcels_and_settlings_go_both_ways() {
    let ends = Ends::with(crate::FEATURES);
    let (gateway, host) = ends.lane(1, 1, WINDOW);
    let connected = ends.connect().await;
    for (here, there) in [(&gateway, &host), (&host, &gateway)] {
        for number in 1..=3 {
            assert_eq!(here.try_send(parcel(number, 8)), Ok(number));
        }
        for number in 1..=3 {
            assert_eq!(next_parcel(there).await, (number, number));
        }
        there.settle(2);
        assert_eq!(next_settled(here).await, 2);
        assert_eq!(here.unsettled(), 1);
        there.settle(3);
        assert_eq!(next_settled(here).await, 3);
    }
    let statistics = gateway.statistics();
    assert_eq!((statistics.sent, statistics.settled, statistics.received, statistics.done), (3, 3, 3, 3));
    assert!(matches!(connected.cut().await, LinkError::Closed));
    is_disconnected(&gateway).await;
    is_disconnected(&host).await;
}

#[tokio::test]
async fn parcels_of_every_size_arrive_whole() {
    let ends = Ends::with(crate::FEATURES);
    let window = Window { messages: 64, bytes: 1 << 30 };
    let (gateway, host) = ends.lane(1, 1, window);
    let _connected = ends.connect().await;
    let sizes = [8, 9, 16_000, 16_383, 16_384, 16_385, 65_536, 70_000, 1 << 20, 32 << 20];
    let sent: Vec<_> = (1..).zip(sizes).map(|(number, size)| parcel(number, size)).collect();
    for parcel in &sent {
        gateway.send(parcel.clone()).await.unwrap();
    }
    for expected in sent {
        match within("a parcel", host.recv()).await.unwrap() {
            Arrival::Parcel { parcel, .. } => assert!(parcel == expected, "{}", number(&expected)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_was_taken_without_a_connection_is_sent_with_the_first() {
    let ends = Ends::with(crate::FEATURES);
    let (gateway, host) = ends.lane(1, 1, WINDOW);
    for number in 1..=8 {
        gateway.try_send(parcel(number, 8)).unwrap();
    }
    assert!(matches!(gateway.try_send(parcel(9, 8)), Err(LaneSendError::Full(_))));
    let _connected = ends.connect().await;
    for number in 1..=8 {
        assert_eq!(next_parcel(&host).await, (number, number));
    }
}

#[tokio::test]
async fn a_producer_waits_for_half_of_the_window() {
    let ends = Ends::with(crate::FEATURES);
    let (gateway, host) = ends.lane(1, 1, WINDOW);
    let _connected = ends.connect().await;
    for number in 1..=8 {
        gateway.send(parcel(number, 8)).await.unwrap();
    }
    let waiting = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.send(parcel(9, 8)).await }
    });
    for sequence in 1..=8 {
        next_parcel(&host).await;
        if sequence <= 3 {
            host.settle(sequence);
            assert_eq!(next_settled(&gateway).await, sequence);
            assert!(!waiting.is_finished());
        }
    }
    host.settle(4);
    assert_eq!(within("room", waiting).await.unwrap(), Ok(9));
}

#[tokio::test]
async fn a_smaller_window_of_the_peer_is_kept_to() {
    let ends = Ends::with(crate::FEATURES);
    let (gateway, host) = (Lane::new(1, 1, WINDOW), Lane::new(1, 1, Window { messages: 2, bytes: 1 << 20 }));
    for number in 1..=8 {
        gateway.try_send(parcel(number, 8)).unwrap();
    }
    ends.gateway.lanes.add(&gateway);
    ends.host.lanes.add(&host);
    let _connected = ends.connect().await;
    for number in 1..=8 {
        assert_eq!(next_parcel(&host).await, (number, number));
        // Nothing more than the window allows has come, else the connection would have ended.
        assert!(host.statistics().received <= number + 1);
        host.settle(number);
    }
    assert!(*gateway.connected().borrow());
}

#[tokio::test]
async fn what_was_under_way_is_sent_again_after_a_cut() {
    let ends = Ends::with(crate::FEATURES);
    let (gateway, host) = ends.lane(1, 1, WINDOW);
    let connected = ends.connect().await;
    for number in 1..=4 {
        gateway.send(parcel(number, 8)).await.unwrap();
    }
    for number in 1..=4 {
        assert_eq!(next_parcel(&host).await, (number, number));
    }
    host.settle(2);
    assert_eq!(next_settled(&gateway).await, 2);
    connected.cut().await;
    is_disconnected(&gateway).await;

    // Both go on working; nobody has to know.
    gateway.send(parcel(5, 8)).await.unwrap();
    host.send(parcel(100, 8)).await.unwrap();
    host.settle(3);
    let _connected = ends.connect().await;
    assert_eq!(next_parcel(&host).await, (5, 5));
    assert_eq!(next_parcel(&gateway).await, (1, 100));
    assert_eq!(next_settled(&gateway).await, 3);
    assert_eq!(host.statistics().duplicates, 0, "the host has said what it has");
    assert_eq!(gateway.statistics().connections, 2);
}

/// The gateway sees the settling behind the parcel that was sent before it, also on the next connection.
#[tokio::test]
async fn a_settling_does_not_overtake_the_parcels_before_it() {
    let host = End::new(Side::Host);
    let lane = Lane::new(1, 1, WINDOW);
    host.lanes.add(&lane);
    let open = |messages, received| {
        let window = Window { messages, ..WINDOW };
        Signal::Open { module: 1, epoch: 1, window, received }
    };

    let (mut peer, stream) = RawEnd::pair();
    let carried = host.carry(stream, GATEWAY);
    peer.signal(open(8, 0)).await;
    assert!(matches!(peer.recv_signal().await, Signal::Opened { received: 0, .. }));
    peer.parcel(1, 1, 1).await;
    next_parcel(&lane).await;
    drop(peer);
    within("an end", carried).await.unwrap();
    for number in 1..=2 {
        lane.try_send(parcel(number, 8)).unwrap();
    }
    lane.settle(1);

    // The second output does not fit the gateway's window, so the settling waits with it.
    let (mut peer, stream) = RawEnd::pair();
    let carried = host.carry(stream, GATEWAY);
    peer.signal(open(1, 0)).await;
    assert!(matches!(peer.recv_signal().await, Signal::Opened { received: 1, .. }));
    assert!(matches!(peer.recv().await, Frame::Parcel { sequence: 1, .. }));
    peer.send(Frame::Ping { sequence: 1 }).await;
    assert_eq!(peer.next().await, Some(Frame::Pong { sequence: 1 }));
    drop(peer);
    within("an end", carried).await.unwrap();

    let (mut peer, stream) = RawEnd::pair();
    let _carried = host.carry(stream, GATEWAY);
    peer.signal(open(2, 1)).await;
    assert!(matches!(peer.recv_signal().await, Signal::Opened { received: 1, .. }));
    assert!(matches!(peer.recv().await, Frame::Parcel { sequence: 2, .. }));
    assert_eq!(peer.recv().await, Frame::Settle { module: 1, epoch: 1, sequence: 1 });
}

/// Both ends wait for room at the other, which only their settlings make.
#[tokio::test]
async fn a_gateways_settling_waits_for_nothing() {
    let ends = Ends::with(crate::FEATURES);
    let (gateway, host) = (Lane::new(1, 1, WINDOW), Lane::new(1, 1, Window { messages: 1, ..WINDOW }));
    for number in 1..=8 {
        gateway.try_send(parcel(number, 8)).unwrap();
    }
    ends.gateway.lanes.add(&gateway);
    ends.host.lanes.add(&host);
    let _connected = ends.connect().await;
    let module = tokio::spawn(async move {
        while let Ok(arrival) = host.recv().await {
            if let Arrival::Parcel { sequence, parcel } = arrival {
                host.send(parcel).await.unwrap();
                host.settle(sequence);
            }
        }
    });
    let mut settled = 0;
    while settled < 8 {
        match within("an arrival", gateway.recv()).await.unwrap() {
            Arrival::Parcel { sequence, .. } => gateway.settle(sequence),
            Arrival::Settled(sequence) => settled = sequence,
        }
    }
    module.abort();
}

#[tokio::test]
async fn closing_gives_back_what_is_unsettled_and_leaves_what_arrived() {
    let ends = Ends::with(crate::FEATURES);
    let (gateway, host) = ends.lane(1, 1, WINDOW);
    let _connected = ends.connect().await;
    for number in 1..=3 {
        gateway.send(parcel(number, 8)).await.unwrap();
        next_parcel(&host).await;
    }
    host.send(parcel(10, 8)).await.unwrap();
    host.settle(1);
    within("the settling", async {
        while gateway.unsettled() == 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let back: Vec<_> =
        gateway.close().iter().map(|one| (one.sequence, number(&one.parcel), one.sent)).collect();
    assert_eq!(back, [(2, 2, true), (3, 3, true)]);
    // What the host made of the first message is still there, and in front of its settling.
    assert_eq!(next_parcel(&gateway).await, (1, 10));
    assert_eq!(next_settled(&gateway).await, 1);
    assert_eq!(gateway.recv().await, Err(Closed));
    assert_eq!(gateway.try_send(parcel(4, 8)), Err(LaneSendError::Closed));
    assert!(gateway.close().is_empty());
    assert!(!*gateway.connected().borrow());
    // The other end goes on sending into nothing.
    host.send(parcel(11, 8)).await.unwrap();
    ends.count_a_stray_at_the_gateway().await;
}

#[tokio::test]
async fn closing_wakes_who_waits() {
    let lane = Lane::new(1, 1, WINDOW);
    while lane.try_send(parcel(1, 8)).is_ok() {}
    let waiting = [lane.clone(), lane.clone()];
    let [sender, receiver] = waiting;
    let sending = tokio::spawn(async move { sender.send(parcel(2, 8)).await });
    let receiving = tokio::spawn(async move { receiver.recv().await });
    tokio::task::yield_now().await;
    let back = lane.close();
    assert!(back.len() == 8 && back.iter().all(|one| !one.sent));
    assert_eq!(within("the sender", sending).await.unwrap(), Err(LaneSendError::Closed));
    assert_eq!(within("the receiver", receiving).await.unwrap(), Err(Closed));
}

#[tokio::test]
async fn a_parcel_that_no_link_carries_is_given_back() {
    let lane = Lane::new(1, 1, WINDOW);
    let huge = parcel(1, sandgate_wire::link::PAYLOAD_MAX);
    assert!(matches!(lane.try_send(huge), Err(LaneSendError::TooLarge(_))));
    assert_eq!(lane.unsettled(), 0);
}

#[tokio::test]
async fn a_lane_that_is_added_later_is_opened_at_once() {
    let mut ends = Ends::with(crate::FEATURES);
    let _connected = ends.connect().await;
    let gateway = Lane::new(1, 1, WINDOW);
    gateway.try_send(parcel(1, 8)).unwrap();
    ends.gateway.lanes.add(&gateway);
    ends.gateway.lanes.signal(Signal::Start { module: 1, epoch: 1 }).unwrap();
    let open = Signal::Open { module: 1, epoch: 1, window: WINDOW, received: 0 };
    assert_eq!(ends.host.signal().await, open);
    assert_eq!(ends.host.signal().await, Signal::Start { module: 1, epoch: 1 });

    let host = Lane::new(1, 1, WINDOW);
    ends.host.lanes.add(&host);
    let state =
        |detail: &str| Signal::State { module: 1, epoch: 1, state: State::Running, detail: detail.into() };
    ends.host.lanes.signal(state("it runs")).unwrap();
    let opened = Signal::Opened { module: 1, epoch: 1, window: WINDOW, received: 0 };
    assert_eq!(ends.gateway.signal().await, opened);
    assert_eq!(ends.gateway.signal().await, state("it runs"));
    assert_eq!(next_parcel(&host).await, (1, 1));
    assert_eq!((ends.gateway.lanes.len(), ends.host.lanes.get(1, 1).is_some()), (1, true));
}

#[tokio::test]
async fn a_host_refuses_what_it_does_not_have() {
    let mut ends = Ends::with(crate::FEATURES);
    let _connected = ends.connect().await;
    let gateway = Lane::new(1, 1, WINDOW);
    ends.gateway.lanes.add(&gateway);
    assert!(matches!(ends.host.signal().await, Signal::Open { .. }));
    let refused = Signal::Refused { module: 1, epoch: 1, reason: "no such module".into() };
    ends.host.lanes.signal(refused.clone()).unwrap();
    assert_eq!(ends.gateway.signal().await, refused);
    // One that is added after all is not asked for any more.
    let host = Lane::new(1, 1, WINDOW);
    ends.host.lanes.add(&host);
    ends.host
        .lanes
        .signal(Signal::State { module: 1, epoch: 1, state: State::Ended, detail: "".into() })
        .unwrap();
    assert!(matches!(ends.gateway.signal().await, Signal::State { .. }));
    assert!(!*gateway.connected().borrow() && !*host.connected().borrow());
}

#[tokio::test]
async fn a_module_has_one_lane_the_newest() {
    let ends = Ends::with(crate::FEATURES);
    let _connected = ends.connect().await;
    let (new, new_host) = ends.lane(1, 2, WINDOW);
    is_connected(&new).await;
    let (old, _) = ends.lane(1, 1, WINDOW);
    new_host.send(parcel(1, 8)).await.unwrap();
    assert_eq!(next_parcel(&new).await, (1, 1));
    assert!(!*old.connected().borrow());
}

#[tokio::test]
async fn lanes_share_a_connection_and_do_not_wait_for_each_other() {
    let ends = Ends::with(crate::FEATURES);
    let (full, _nobody_reads) = ends.lane(1, 1, WINDOW);
    let (gateway, host) = ends.lane(2, 5, WINDOW);
    let _connected = ends.connect().await;
    is_connected(&full).await;
    while full.try_send(parcel(1, 8)).is_ok() {}
    for number in 1..=100 {
        gateway.send(parcel(number, 8)).await.unwrap();
        assert_eq!(next_parcel(&host).await, (number, number));
        host.settle(number);
    }
}

#[tokio::test]
async fn a_removed_lane_is_not_carried_and_its_frames_are_strays() {
    let ends = Ends::with(crate::FEATURES);
    let (gateway, host) = ends.lane(1, 1, WINDOW);
    let connected = ends.connect().await;
    is_connected(&gateway).await;
    assert!(ends.gateway.lanes.remove(1, 1).is_some());
    assert!(ends.gateway.lanes.remove(1, 1).is_none());
    is_disconnected(&gateway).await;
    host.send(parcel(1, 8)).await.unwrap();
    ends.count_a_stray_at_the_gateway().await;
    // It is added again, and nothing was lost.
    ends.gateway.lanes.add(&gateway);
    assert_eq!(next_parcel(&gateway).await, (1, 1));
    gateway.send(parcel(7, 8)).await.unwrap();
    assert_eq!(next_parcel(&host).await, (1, 7));
    assert!(!connected.gateway.is_finished());
}

/// A Close may be lost with a connection. The host hears of it with the next one.
#[tokio::test]
async fn a_host_is_told_of_lanes_that_the_gateway_has_no_more() {
    let mut ends = Ends::with(crate::FEATURES);
    let (over, _) = ends.lane(1, 1, WINDOW);
    let (stays, _) = ends.lane(2, 1, WINDOW);
    let connected = ends.connect().await;
    is_connected(&over).await;
    is_connected(&stays).await;
    connected.cut().await;
    ends.gateway.lanes.remove(1, 1);
    let _connected = ends.connect().await;
    assert_eq!(ends.host.signal().await, Signal::Close { module: 1, epoch: 1 });
    is_connected(&stays).await;
    assert!(ends.host.signals.try_recv().is_err());
}

#[tokio::test]
async fn lanes_of_another_gateway_are_over() {
    let mut ends = Ends::with(crate::FEATURES);
    let (_, old) = ends.lane(1, 1, WINDOW);
    let connected = ends.connect().await;
    is_connected(&old).await;
    connected.cut().await;
    // The next gateway begins with the same epoch.
    ends.gateway = End::with(Side::Gateway, crate::FEATURES);
    ends.gateway.instance = Instance([7; 16]);
    let gateway = Lane::new(1, 1, WINDOW);
    ends.gateway.lanes.add(&gateway);
    let _connected = ends.connect().await;
    assert_eq!(ends.host.signal().await, Signal::Close { module: 1, epoch: 1 });
    assert_eq!(ends.host.signal().await, Signal::Open { module: 1, epoch: 1, window: WINDOW, received: 0 });
    assert!(ends.host.lanes.is_empty() && !*old.connected().borrow());
    let host = Lane::new(1, 1, WINDOW);
    ends.host.lanes.add(&host);
    is_connected(&gateway).await;
}

#[tokio::test]
async fn a_newer_connection_takes_the_lanes() {
    let ends = Ends::with(crate::FEATURES);
    let (gateway, host) = ends.lane(1, 1, WINDOW);
    let (_silent, stream) = RawEnd::pair();
    let first = ends.host.carry(stream, GATEWAY);
    let second = ends.connect().await;
    assert!(matches!(within("the first's end", first).await.unwrap(), LinkError::Replaced));
    gateway.send(parcel(1, 8)).await.unwrap();
    assert_eq!(next_parcel(&host).await, (1, 1));
    assert!(!second.host.is_finished());
    assert_eq!(ends.host.lanes.statistics().connections, 2);
}

#[tokio::test]
async fn bye_goes_behind_everything_and_ends_the_connection() {
    let ends = Ends::with(crate::FEATURES);
    let (gateway, host) = ends.lane(1, 1, Window { messages: 1000, bytes: 1 << 30 });
    let connected = ends.connect().await;
    is_connected(&host).await;
    for number in 1..=500 {
        host.try_send(parcel(number, 1000)).unwrap();
    }
    ends.host.lanes.signal(Signal::Bye { reason: "stopped".into() }).unwrap();
    assert!(matches!(within("the host's end", connected.host).await.unwrap(), LinkError::Leaving));
    let ended = within("the gateway's end", connected.gateway).await.unwrap();
    assert!(matches!(ended, LinkError::Left(reason) if reason == "stopped"));
    for number in 1..=500 {
        assert_eq!(next_parcel(&gateway).await, (number, number));
    }
}

/// Writing fails first where a peer has died, but what it has said before counts.
#[tokio::test]
async fn the_last_words_of_a_peer_are_heard() {
    for _ in 0..20 {
        let gateway = End::new(Side::Gateway);
        let lane = Lane::new(1, 1, Window { messages: 1000, bytes: 1 << 30 });
        gateway.lanes.add(&lane);
        let (mut peer, stream) = RawEnd::pair();
        let carried = gateway.carry(stream, HOST);
        peer.open(WINDOW).await;
        is_connected(&lane).await;
        for sequence in 1..=50 {
            peer.parcel(1, 1, sequence).await;
        }
        lane.try_send(parcel(1, 8)).unwrap();
        drop(peer);
        assert!(matches!(within("an end", carried).await.unwrap(), LinkError::Closed));
        assert_eq!(lane.statistics().received, 50);
    }
}

#[tokio::test]
async fn signals_are_bounded_and_wait_for_a_connection() {
    let mut ends = Ends::with(crate::FEATURES);
    let (gateway, _host) = ends.lane(1, 1, WINDOW);
    let statistics = |length| Signal::Statistics { module: 1, epoch: 1, json: "x".repeat(length) };
    let too_long = SignalError::TooLong(STATISTICS_MAX + 1);
    assert_eq!(ends.host.lanes.signal(statistics(STATISTICS_MAX + 1)), Err(too_long));
    let mut taken = 0;
    while ends.host.lanes.signal(statistics(STATISTICS_MAX)).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, 1024);
    assert_eq!(ends.host.lanes.signal(statistics(1)), Err(SignalError::Full));
    let _connected = ends.connect().await;
    is_connected(&gateway).await;
    let mut told = 0;
    while told < taken {
        match ends.gateway.signal().await {
            // With rings to be shared first, the host has begun to talk when it is asked for the lane.
            Signal::Opened { .. } => {}
            other => {
                assert_eq!(other, statistics(STATISTICS_MAX));
                told += 1;
            }
        }
    }
}

#[tokio::test]
async fn nobody_who_takes_signals_ends_the_connection() {
    let ends = Ends::with(crate::FEATURES);
    let (_, stream) = tokio::net::UnixStream::pair().unwrap();
    let (mut peer, other) = RawEnd::pair();
    drop(stream);
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    drop(receiver);
    let agreed = crate::support::link::agreed(GATEWAY);
    peer.signal(Signal::Start { module: 1, epoch: 1 }).await;
    let lanes = &ends.host.lanes;
    let carried =
        sandgate_wire::link::carry(other, &agreed, Side::Host, lanes, &sender, crate::support::link::BEATS);
    assert!(matches!(within("an end", carried).await, LinkError::Abandoned));
}
