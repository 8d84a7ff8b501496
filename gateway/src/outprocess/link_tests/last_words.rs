//! What a host has sent last, when its attach is over.

use sandgate_wire::Message;
use sandgate_wire::link::Agreed;

use super::super::backlog::InHand;
use super::super::over_link::{Counts, Inbound};
use super::*;

const SINK: &str = "sink";

/// One end of a lane that rings carry.
fn carried(stream: UnixStream, side: Side) -> Lane {
    let (lane, lanes) = (Lane::new(MODULE, 1, WINDOW), Lanes::new());
    lanes.add(&lane);
    tokio::spawn(async move {
        let features = Features::OURS.and(Features::RINGS);
        let agreed = Agreed { version: 1, features, peer: Instance::random() };
        let (signals, _signals) = mpsc::channel(64);
        carry(stream, &agreed, side, &lanes, &signals, BEATS).await
    });
    lane
}

/// It comes out of the rings piece by piece, and between two of them nothing is there to be handled.
#[tokio::test]
async fn a_large_message_is_published_and_what_is_behind_it() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (lane, far) = (carried(ours, Side::Gateway), carried(theirs, Side::Host));
    for lane in [&lane, &far] {
        within("a connection", lane.connected().wait_for(|connected| *connected)).await.unwrap();
    }
    let broker = Broker::new();
    let (publisher, _inbox) = broker.add_module("remote", 1).unwrap();
    let (_, mut sink) = broker.add_module(SINK, 64).unwrap();
    let source = Source::Module("remote".into());
    broker.add_link(Link { source, sink: SINK.into(), terms: Terms::default() }).unwrap();

    let large = Message::new::<&str, &str>(&[], [7; 200 << 10]).unwrap();
    far.try_send(Parcel::message(large.frame().clone())).unwrap();
    far.try_send(Parcel::message(message(5).frame().clone())).unwrap();
    assert_eq!(far.statistics().sent, 2, "all of it is in the rings");
    let inbound = Inbound {
        lane: &lane,
        publisher: &publisher,
        in_hand: &InHand::new(WINDOW, false),
        dead_letters: &DeadLetters::new(broker.clone(), "/nowhere/letters".into()),
        counts: &Counts::default(),
        last: true.into(),
    };
    within("the end", inbound.run()).await;
    assert_eq!(sink.len(), 2);
    assert_eq!(sink.recv().await.unwrap().message.content().len(), 200 << 10);
    assert_eq!(number(&sink.recv().await.unwrap().message), 5);
}

#[tokio::test]
async fn a_stop_drains_and_hears_the_host_out() {
    let mut bench = bench(OPTIONS);
    let mut host = bench.attach().await;
    bench.publish(0..20).await;
    bench.stop.cancel();
    bench.broker.close_inbox("remote").unwrap();
    host.handle(0..20, 1).await;
    let close = Signal::Close { module: MODULE, epoch: host.lane.epoch() };
    assert_eq!(within("Close", host.signals.recv()).await, Some(close));
    host.send(Parcel::message(message(5).frame().clone()));
    assert_eq!(within("the last words", bench.sink.recv()).await.map(|last| number(&last.message)), Some(5));
    host.say(HostState::Ended);
    within("the end", bench.life).await.unwrap();
    let counters = bench.broker.routes().iter().find(|route| route.source() == "source").unwrap().counters();
    assert_eq!((counters.delivered, counters.waiting), (20, 0));
    drop(host.channels);
}
