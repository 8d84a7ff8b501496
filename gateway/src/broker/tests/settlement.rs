//! What becomes of messages whose sink says so later, of those that become too old or too many in bytes, and
//! of dead letters.

use std::time::Duration;

use tokio::time::Instant;

use super::*;

async fn take(inbox: &mut Inbox, limit: usize) -> VecDeque<Delivery> {
    let mut batch = VecDeque::new();
    if !inbox.is_empty() {
        inbox.recv_unsettled_batch(&mut batch, limit).await;
    }
    batch
}

fn of_size(bytes: usize) -> Message {
    let empty = Message::new::<&str, &str>(&[], []).unwrap().frame().len();
    Message::new::<&str, &str>(&[], vec![0; bytes - empty]).unwrap()
}

/// A source that is linked to a sink on these terms.
fn linked(capacity: impl Into<Capacity>, terms: impl Into<Terms>) -> (Broker, Publisher, Inbox) {
    let broker = Broker::new();
    let (source, _) = broker.add_module("source", 1).unwrap();
    let (_, sink) = broker.add_module("sink", capacity).unwrap();
    let from = Source::Module("source".into());
    broker.add_link(Link { source: from, sink: "sink".into(), terms: terms.into() }).unwrap();
    (broker, source, sink)
}

fn counters(broker: &Broker) -> Counters {
    let routes = broker.routes();
    assert_adds_up(&routes[0]);
    routes[0].counters()
}

fn mortal(milliseconds: u64) -> Terms {
    Terms { time_to_live: Some(Duration::from_millis(milliseconds)), ..Terms::default() }
}

#[tokio::test]
async fn what_was_taken_unsettled_is_in_flight_until_it_is_settled() {
    let (broker, source, mut sink) = linked(8, OnFull::Block);
    for index in 0..6 {
        source.publish(message(index)).await;
    }
    let mut batch = take(&mut sink, 5).await;
    assert_eq!(counters(&broker), Counters { offered: 6, waiting: 6, ..Counters::default() });
    let mut next = || batch.pop_front().unwrap();
    next().delivered();
    next().dropped();
    next().expired();
    next().dead();
    let mut last = next();
    assert_eq!((last.attempts(), last.count_attempt(), last.count_attempt(), last.attempts()), (0, 1, 2, 2));
    last.route().count_redelivered(3);
    let settled =
        Counters { offered: 6, delivered: 1, dropped: 1, expired: 1, dead: 1, waiting: 2, redelivered: 3 };
    assert_eq!(counters(&broker), settled);
    drop(last);
    drop(take(&mut sink, 5).await);
    assert_eq!(counters(&broker), Counters { dropped: 3, waiting: 0, ..settled });
}

#[tokio::test]
async fn what_counts_as_delivered_is_not_counted_again() {
    let (broker, source, mut sink) = linked(8, OnFull::Block);
    for _ in 0..3 {
        source.publish(message(0)).await;
    }
    sink.recv().await.unwrap().dead();
    sink.recv().await.unwrap().delivered();
    let moved = sink.recv().await.unwrap().message;
    assert_eq!(moved, message(0));
    assert_eq!(counters(&broker), Counters { offered: 3, delivered: 3, ..Counters::default() });
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_not_taken() {
    let (broker, source, mut sink) = linked(8, mortal(100));
    for index in 0..3 {
        source.publish(message(index)).await;
        tokio::time::advance(Duration::from_millis(60)).await;
    }
    let batch = take(&mut sink, 8).await;
    let kept: Vec<_> = batch.iter().map(number).collect();
    assert_eq!(kept, [2]);
    assert!(batch[0].can_expire() && !batch[0].is_expired(Instant::now()));
    tokio::time::advance(Duration::from_millis(40)).await;
    assert!(batch[0].is_expired(Instant::now()));
    assert_eq!(counters(&broker), Counters { offered: 3, expired: 2, waiting: 1, ..Counters::default() });
}

#[tokio::test(start_paused = true)]
async fn an_inbox_with_nothing_but_old_messages_is_no_closed_one_and_makes_room() {
    let (broker, source, mut sink) = linked(2, mortal(10));
    source.publish(message(0)).await;
    source.publish(message(1)).await;
    let mut waiting = Box::pin(source.publish(message(2)));
    assert!(futures_poll(waiting.as_mut()).is_pending());
    tokio::time::advance(Duration::from_millis(10)).await;
    {
        let taking = std::pin::pin!(sink.recv());
        assert!(futures_poll(taking).is_pending());
    }
    waiting.await;
    assert_eq!(number(&sink.recv().await.unwrap()), 2);
    assert_eq!(counters(&broker), Counters { offered: 3, delivered: 1, expired: 2, ..Counters::default() });
    source.publish(message(3)).await;
    tokio::time::advance(Duration::from_millis(10)).await;
    broker.close_inbox("sink").unwrap();
    assert!(sink.recv().await.is_none());
    assert_eq!(counters(&broker).expired, 3);
}

#[tokio::test]
async fn a_time_to_live_beyond_all_time_never_ends() {
    let (_broker, source, mut sink) =
        linked(2, Terms { time_to_live: Some(Duration::MAX), ..Terms::default() });
    source.publish(message(0)).await;
    assert_eq!(number(&sink.recv().await.unwrap()), 0);
}

#[tokio::test]
async fn bytes_fill_an_inbox_as_messages_do() {
    let capacity = Capacity { messages: 100, bytes: 1000 };
    let (broker, source, mut sink) = linked(capacity, OnFull::Block);
    // One that is too large for the inbox fits when it is alone.
    source.publish(of_size(5000)).await;
    let mut waiting = Box::pin(source.publish(of_size(400)));
    assert!(futures_poll(waiting.as_mut()).is_pending());
    assert_eq!(take(&mut sink, 1).await.len(), 1);
    waiting.await;
    source.publish(of_size(600)).await;
    let mut waiting = Box::pin(source.publish(of_size(20)));
    assert!(futures_poll(waiting.as_mut()).is_pending());
    assert_eq!(take(&mut sink, 1).await.len(), 1);
    assert!(futures_poll(waiting.as_mut()).is_pending(), "less than half is free");
    assert_eq!(take(&mut sink, 1).await.len(), 1);
    waiting.await;
    assert_eq!(counters(&broker).waiting, 1);
}

#[tokio::test]
async fn a_large_message_takes_the_place_of_several_but_only_if_that_is_enough() {
    let broker = Broker::new();
    let (large, _l) = broker.add_module("large", 1).unwrap();
    let (small, _s) = broker.add_module("small", 1).unwrap();
    let (_, sink) = broker.add_module("sink", Capacity { messages: 100, bytes: 1000 }).unwrap();
    broker.add_link(link("large", "sink", OnFull::DropOldest)).unwrap();
    broker.add_link(link("small", "sink", OnFull::Block)).unwrap();
    small.publish(of_size(100)).await;
    for _ in 0..4 {
        large.publish(of_size(200)).await;
    }
    small.publish(of_size(100)).await;
    large.publish(of_size(500)).await;
    assert_counters(&broker, "large", "sink", [5, 0, 3, 2]);
    // Not even all of its own would make room.
    large.publish(of_size(900)).await;
    assert_counters(&broker, "large", "sink", [6, 0, 4, 2]);
    assert_counters(&broker, "small", "sink", [2, 0, 0, 2]);
    assert_eq!(sink.len(), 4);
}

#[tokio::test]
async fn dead_letters_have_a_route_of_their_own_and_never_wait() {
    let (broker, source, mut sink) = linked(1, OnFull::Block);
    assert_eq!(broker.offer_dead_letter("sink", "nobody", message(0)), Err(message(0)));
    assert_eq!(broker.offer_dead_letter("broken", "sink", message(1)), Ok(()));
    assert_eq!(broker.offer_dead_letter("broken", "sink", message(2)), Err(message(2)));
    assert!(futures_poll(std::pin::pin!(source.publish(message(3)))).is_pending());
    assert_eq!(drain(&mut sink).await, [("broken".to_owned(), 1)]);
    assert_eq!(broker.offer_dead_letter("broken", "sink", message(4)), Ok(()));
    assert_counters(&broker, "broken", "sink", [2, 1, 0, 1]);
    let of_dead_letters = |route: &Arc<Route>| route.is_of_dead_letters();
    assert_eq!(broker.routes().iter().filter(|route| of_dead_letters(route)).count(), 1);

    let ended = broker.remove_module("sink").unwrap();
    assert_eq!(ended.len(), 2);
    assert!(broker.routes().is_empty());
    assert_eq!(broker.offer_dead_letter("broken", "sink", message(5)), Err(message(5)));
}
