mod giving_way;
mod settlement;

use std::collections::VecDeque;
use std::task::Poll;

use sandgate_wire::Message;

use super::*;

fn message(number: u64) -> Message {
    Message::new::<&str, &str>(&[], number.to_be_bytes()).unwrap()
}

fn number(delivery: &Delivery) -> u64 {
    u64::from_be_bytes(delivery.message.content().try_into().unwrap())
}

fn link(source: &str, sink: &str, on_full: OnFull) -> Link {
    let source = if source == "*" { Source::Every } else { Source::Module(source.into()) };
    Link { source, sink: sink.into(), terms: on_full.into() }
}

/// What waits in an inbox, oldest first.
async fn drain(inbox: &mut Inbox) -> Vec<(String, u64)> {
    let mut batch = VecDeque::new();
    if !inbox.is_empty() {
        inbox.recv_batch(&mut batch, usize::MAX).await;
    }
    batch.iter().map(|delivery| (delivery.route().source().to_owned(), number(delivery))).collect()
}

fn assert_adds_up(route: &Route) {
    let Counters { offered, delivered, dropped, expired, dead, .. } = route.counters();
    assert_eq!(offered, delivered + dropped + expired + dead + route.in_flight(), "{route:?}");
}

fn assert_counters(broker: &Broker, source: &str, sink: &str, expected: [u64; 4]) {
    let routes = broker.routes();
    let route = routes.iter().find(|route| route.source() == source && route.sink() == sink).unwrap();
    let Counters { offered, delivered, dropped, .. } = route.counters();
    let waiting = route.in_flight();
    assert_eq!([offered, delivered, dropped, waiting], expected, "offered, delivered, dropped, waiting");
}

#[tokio::test]
async fn a_message_reaches_every_sink_and_names_its_source() {
    let broker = Broker::new();
    let (source, _a) = broker.add_module("a", 8).unwrap();
    let (_, mut b) = broker.add_module("b", 8).unwrap();
    let (_, mut c) = broker.add_module("c", 8).unwrap();
    broker.add_link(link("a", "b", OnFull::Block)).unwrap();
    broker.add_link(link("a", "c", OnFull::Block)).unwrap();
    source.publish(message(7)).await;
    assert_eq!(drain(&mut b).await, [("a".to_owned(), 7)]);
    assert_eq!(drain(&mut c).await, [("a".to_owned(), 7)]);
    assert_counters(&broker, "a", "b", [1, 1, 0, 0]);
}

#[tokio::test]
async fn block_waits_for_room_and_keeps_the_order() {
    let broker = Broker::new();
    let (source, _inbox) = broker.add_module("source", 1).unwrap();
    let (_, mut sink) = broker.add_module("sink", 4).unwrap();
    broker.add_link(link("source", "sink", OnFull::Block)).unwrap();
    let publishing = tokio::spawn(async move {
        for index in 0..1000 {
            source.publish(message(index)).await;
        }
    });
    for expected in 0..1000 {
        assert_eq!(number(&sink.recv().await.unwrap()), expected);
    }
    publishing.await.unwrap();
    assert_counters(&broker, "source", "sink", [1000, 1000, 0, 0]);
}

#[tokio::test]
async fn a_waiting_message_is_not_offered_and_can_be_withdrawn() {
    let broker = Broker::new();
    let (source, _inbox) = broker.add_module("source", 1).unwrap();
    let (_, mut sink) = broker.add_module("sink", 1).unwrap();
    broker.add_link(link("source", "sink", OnFull::Block)).unwrap();
    source.publish(message(0)).await;
    {
        let second = std::pin::pin!(source.publish(message(1)));
        assert!(futures_poll(second).is_pending());
    }
    assert_counters(&broker, "source", "sink", [1, 0, 0, 1]);
    source_gets_through(&source, &mut sink).await;
}

async fn source_gets_through(source: &Publisher, sink: &mut Inbox) {
    assert_eq!(number(&sink.recv().await.unwrap()), 0);
    source.publish(message(2)).await;
    assert_eq!(number(&sink.recv().await.unwrap()), 2);
}

fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

#[tokio::test]
async fn drop_oldest_keeps_the_newest() {
    let broker = Broker::new();
    let (source, _inbox) = broker.add_module("source", 1).unwrap();
    let (_, mut sink) = broker.add_module("sink", 3).unwrap();
    broker.add_link(link("source", "sink", OnFull::DropOldest)).unwrap();
    for index in 0..10 {
        source.publish(message(index)).await;
    }
    assert_counters(&broker, "source", "sink", [10, 0, 7, 3]);
    let kept: Vec<_> = drain(&mut sink).await.into_iter().map(|(_, number)| number).collect();
    assert_eq!(kept, [7, 8, 9]);
    assert_counters(&broker, "source", "sink", [10, 3, 7, 0]);
}

#[tokio::test]
async fn drop_newest_keeps_the_oldest() {
    let broker = Broker::new();
    let (source, _inbox) = broker.add_module("source", 1).unwrap();
    let (_, mut sink) = broker.add_module("sink", 3).unwrap();
    broker.add_link(link("source", "sink", OnFull::DropNewest)).unwrap();
    for index in 0..10 {
        source.publish(message(index)).await;
    }
    let kept: Vec<_> = drain(&mut sink).await.into_iter().map(|(_, number)| number).collect();
    assert_eq!(kept, [0, 1, 2]);
    assert_counters(&broker, "source", "sink", [10, 3, 7, 0]);
}

#[tokio::test]
async fn drop_oldest_never_takes_another_links_message() {
    let broker = Broker::new();
    let (quiet, _q) = broker.add_module("quiet", 1).unwrap();
    let (noisy, _n) = broker.add_module("noisy", 1).unwrap();
    let (_, mut sink) = broker.add_module("sink", 4).unwrap();
    broker.add_link(link("quiet", "sink", OnFull::Block)).unwrap();
    broker.add_link(link("noisy", "sink", OnFull::DropOldest)).unwrap();
    quiet.publish(message(1)).await;
    noisy.publish(message(10)).await;
    quiet.publish(message(2)).await;
    quiet.publish(message(3)).await;
    noisy.publish(message(11)).await;
    noisy.publish(message(12)).await;
    let kept: Vec<_> = drain(&mut sink).await.into_iter().map(|(_, number)| number).collect();
    assert_eq!(kept, [1, 2, 3, 12]);
    assert_counters(&broker, "noisy", "sink", [3, 1, 2, 0]);

    for index in 0..4 {
        quiet.publish(message(index)).await;
    }
    noisy.publish(message(13)).await;
    assert_counters(&broker, "noisy", "sink", [4, 1, 3, 0]);
    assert_counters(&broker, "quiet", "sink", [7, 3, 0, 4]);
}

#[tokio::test]
async fn every_source_means_all_but_the_sink_now_and_later() {
    let broker = Broker::new();
    let (first, _f) = broker.add_module("first", 8).unwrap();
    let (own, mut sink) = broker.add_module("sink", 8).unwrap();
    broker.add_link(link("*", "sink", OnFull::Block)).unwrap();
    let (later, _l) = broker.add_module("later", 8).unwrap();
    first.publish(message(1)).await;
    own.publish(message(2)).await;
    later.publish(message(3)).await;
    assert_eq!(drain(&mut sink).await, [("first".to_owned(), 1), ("later".to_owned(), 3)]);

    // A link of the module's own takes the place of the one from `*`: nothing comes twice.
    broker.add_link(link("first", "sink", OnFull::DropNewest)).unwrap();
    first.publish(message(4)).await;
    assert_eq!(drain(&mut sink).await, [("first".to_owned(), 4)]);
}

#[tokio::test]
async fn links_and_modules_go_while_messages_flow_and_the_counters_add_up() {
    let broker = Broker::new();
    let (source, _s) = broker.add_module("source", 1).unwrap();
    let (_, mut kept) = broker.add_module("kept", 1024).unwrap();
    let (_, mut removed) = broker.add_module("removed", 4).unwrap();
    let (_, unlinked) = broker.add_module("unlinked", 1024).unwrap();
    for sink in ["kept", "removed", "unlinked"] {
        broker.add_link(link("source", sink, OnFull::Block)).unwrap();
    }
    let publishing = tokio::spawn({
        let source = source.clone();
        async move {
            for index in 0..100 {
                source.publish(message(index)).await;
            }
        }
    });
    assert_eq!(number(&removed.recv().await.unwrap()), 0);
    let ended = broker.remove_module("removed").unwrap();
    publishing.await.unwrap();
    assert_eq!(ended.len(), 1);
    // What waited is still taken, then the inbox ends.
    let mut taken = 1;
    while removed.recv().await.is_some() {
        taken += 1;
    }
    assert_eq!(ended[0].counters().delivered, taken);
    assert_adds_up(&ended[0]);
    assert!(broker.routes().iter().all(|route| route.sink() != "removed"));

    let ended = broker.remove_link(&Source::Module("source".into()), "unlinked").unwrap();
    source.publish(message(100)).await;
    assert_eq!(unlinked.len(), 100);
    drop(unlinked);
    assert_eq!(ended[0].counters(), Counters { offered: 100, dropped: 100, ..Counters::default() });

    let numbers: Vec<_> = drain(&mut kept).await.into_iter().map(|(_, number)| number).collect();
    assert_eq!(numbers, (0..=100).collect::<Vec<_>>());
    assert_counters(&broker, "source", "kept", [101, 101, 0, 0]);
}

#[tokio::test]
async fn a_route_keeps_its_counters_when_other_links_change() {
    let broker = Broker::new();
    let (source, _s) = broker.add_module("source", 1).unwrap();
    let (_, _sink) = broker.add_module("sink", 8).unwrap();
    broker.add_link(link("source", "sink", OnFull::Block)).unwrap();
    source.publish(message(0)).await;
    let (_, _other) = broker.add_module("other", 8).unwrap();
    broker.add_link(link("source", "other", OnFull::Block)).unwrap();
    broker.remove_module("other").unwrap();
    source.publish(message(1)).await;
    assert_counters(&broker, "source", "sink", [2, 0, 0, 2]);
}

#[tokio::test]
async fn an_unattended_inbox_stops_nobody() {
    let broker = Broker::new();
    let (source, _s) = broker.add_module("source", 1).unwrap();
    let (_, mut sink) = broker.add_module("sink", 2).unwrap();
    broker.add_link(link("source", "sink", OnFull::Block)).unwrap();
    source.publish(message(0)).await;
    source.publish(message(1)).await;
    let mut waiting = Box::pin(source.publish(message(2)));
    assert!(futures_poll(waiting.as_mut()).is_pending());
    sink.attendance().set(false);
    waiting.await;
    source.publish(message(3)).await;
    assert_counters(&broker, "source", "sink", [4, 0, 2, 2]);
    sink.attendance().set(true);
    let kept: Vec<_> = drain(&mut sink).await.into_iter().map(|(_, number)| number).collect();
    assert_eq!(kept, [2, 3]);
}

#[tokio::test]
async fn a_dropped_inbox_lets_waiting_sources_go() {
    let broker = Broker::new();
    let (source, _s) = broker.add_module("source", 1).unwrap();
    let (_, sink) = broker.add_module("sink", 1).unwrap();
    broker.add_link(link("source", "sink", OnFull::Block)).unwrap();
    source.publish(message(0)).await;
    let mut waiting = Box::pin(source.publish(message(1)));
    assert!(futures_poll(waiting.as_mut()).is_pending());
    drop(sink);
    waiting.await;
    assert_counters(&broker, "source", "sink", [2, 0, 2, 0]);
}

#[test]
fn changes_that_make_no_sense_are_refused() {
    let broker = Broker::new();
    let _a = broker.add_module("a", 1).unwrap();
    let _b = broker.add_module("b", 1).unwrap();
    assert!(matches!(broker.add_module("a", 1), Err(BrokerError::DuplicateModule(_))));
    assert!(matches!(broker.add_link(link("a", "a", OnFull::Block)), Err(BrokerError::SelfLink(_))));
    assert!(matches!(broker.add_link(link("a", "c", OnFull::Block)), Err(BrokerError::NoSuchModule(_))));
    assert!(matches!(broker.add_link(link("c", "a", OnFull::Block)), Err(BrokerError::NoSuchModule(_))));
    broker.add_link(link("a", "b", OnFull::Block)).unwrap();
    assert!(matches!(broker.add_link(link("a", "b", OnFull::Block)), Err(BrokerError::DuplicateLink(_, _))));
    assert!(matches!(broker.remove_link(&Source::Every, "b"), Err(BrokerError::NoSuchLink(_, _))));
    assert!(matches!(broker.remove_module("c"), Err(BrokerError::NoSuchModule(_))));
}

/// Several sources, sinks and policies at once on several threads: nothing is lost uncounted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_add_up_under_load() {
    const MESSAGES: u64 = 20_000;
    let broker = Broker::new();
    let mut sinks = Vec::new();
    for name in ["one", "two"] {
        let (_, mut inbox) = broker.add_module(name, 16).unwrap();
        sinks.push(tokio::spawn(async move {
            let (mut batch, mut last) = (VecDeque::new(), HashMap::new());
            while inbox.recv_batch(&mut batch, 8).await > 0 {
                for delivery in batch.drain(..) {
                    let number = number(&delivery);
                    if let Some(before) = last.insert(delivery.route().source().to_owned(), number) {
                        assert!(before < number, "out of order");
                    }
                }
            }
        }));
    }
    let mut sources = Vec::new();
    for (name, on_full) in
        [("a", OnFull::Block), ("b", OnFull::DropOldest), ("c", OnFull::DropNewest), ("d", OnFull::Block)]
    {
        let (publisher, _) = broker.add_module(name, 1).unwrap();
        broker.add_link(link(name, "one", on_full)).unwrap();
        broker.add_link(link(name, "two", on_full)).unwrap();
        sources.push(tokio::spawn(async move {
            for index in 0..MESSAGES {
                publisher.publish(message(index)).await;
            }
        }));
    }
    for source in sources {
        source.await.unwrap();
    }
    for name in ["one", "two"] {
        broker.close_inbox(name).unwrap();
    }
    for sink in sinks {
        sink.await.unwrap();
    }
    for route in broker.routes() {
        let Counters { offered, delivered, dropped, .. } = route.counters();
        assert_eq!((offered, route.in_flight()), (MESSAGES, 0));
        assert_eq!(offered, delivered + dropped);
        assert!(route.on_full() != OnFull::Block || dropped == 0);
    }
}

#[tokio::test]
async fn links_that_are_added_together_count_up_to_the_first_fault_and_keep_their_order() {
    let broker = Broker::new();
    let (publisher, _) = broker.add_module("source", 1).unwrap();
    let inboxes: Vec<_> = (0..4).map(|n| broker.add_module(&format!("m{n}"), 4).unwrap().1).collect();
    let own = |sink: &str| link("source", sink, OnFull::Block);
    let links = [own("m2"), link("*", "m0", OnFull::Block), own("m0"), own("nobody"), own("m3")];
    assert_eq!(broker.add_links(links), Err(BrokerError::NoSuchModule("nobody".into())));
    broker.add_link(own("m1")).unwrap();
    publisher.publish(message(1)).await;
    let got: Vec<_> = inboxes.iter().map(|inbox| !inbox.is_empty()).collect();
    assert_eq!(got, [true, true, true, false]);
    let sinks: Vec<_> = broker.links().into_iter().map(|link| link.sink).collect();
    assert_eq!(sinks, ["m2", "m0", "m0", "m1"]);
    let ended = broker.remove_module("m0").unwrap();
    assert_eq!(ended.len(), 4, "from each of the others");
    assert_eq!(broker.links().len(), 2);
}
