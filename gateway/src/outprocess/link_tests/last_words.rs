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
