//! The control protocol, with the gateway's part played in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::Ordering::Relaxed;

use sandgate_wire::{Control, Create, Message, Status};
use support::stage::Stage;
use support::{CAPACITY, create, message};

const REPLY_SUCCESS: &[u8] = include_bytes!("../../wire/tests/golden/reply-success.bin");
const REPLY_CREATION_ERROR: &[u8] = include_bytes!("../../wire/tests/golden/reply-creation-error.bin");
const REPLY_DETACH: &[u8] = include_bytes!("../../wire/tests/golden/reply-detach.bin");

#[test]
fn create_start_a_message_both_ways_and_destroy() {
    let mut stage = Stage::new();
    stage.create("\"lab\"");
    assert_eq!(stage.replies(), [Status::SUCCESS]);
    stage.control(&Control::Start);
    stage.assert_echo("hello");
    stage.control(&Control::Destroy);
    assert_eq!(stage.journal.take(), ["create \"lab\"", "start", "receive hello", "destroy", "drop"]);
    assert_eq!(stage.replies(), [], "nothing answers a Destroy");
    let counts = stage.proxy.statistics();
    assert_eq!((counts.created, counts.received, counts.published), (1, 1, 1));
}

#[test]
fn the_recorded_bytes_of_v1_are_understood_and_answered() {
    let mut stage = Stage::new();
    stage.put(&include_bytes!("../../wire/tests/golden/create.bin")[..]);
    stage.work();
    assert_eq!(stage.next_reply_bytes(), REPLY_SUCCESS);
    stage.take_message_channel();
    stage.put(&include_bytes!("../../wire/tests/golden/start.bin")[..]);
    let hello: &[u8] = include_bytes!("../../wire/tests/golden/data-hello-world.bin");
    stage.put_data(hello);
    stage.work();
    assert_eq!(support::next(&*stage.message_channel()).unwrap(), hello);
    stage.put(&include_bytes!("../../wire/tests/golden/destroy.bin")[..]);
    stage.work();
    assert_eq!(stage.journal.take()[0], "create \"THIS IS THE OOP MODULE CONFIGURATION\"");

    stage.create("refuse in create");
    assert_eq!(stage.next_reply_bytes(), REPLY_CREATION_ERROR);
    stage.attach("null");
    stage.proxy.detach();
    stage.work();
    assert_eq!(stage.next_reply_bytes(), REPLY_DETACH);
}

#[test]
fn messages_keep_their_order_and_their_bytes() {
    let mut stage = Stage::new();
    stage.attach("null");
    for n in 0..300_usize {
        let sent = Message::new(&[("text", n.to_string().as_str()), ("é", "ünï→")], vec![n as u8; n * 7]);
        let frame = sent.unwrap().frame().clone();
        stage.put_data(frame.clone());
        stage.work();
        assert_eq!(support::next(&*stage.message_channel()).unwrap(), frame);
    }
}

#[test]
fn a_repeated_create_is_answered_by_the_instance_that_is_there() {
    let mut stage = Stage::new();
    stage.create("1");
    stage.create("1");
    assert_eq!(stage.replies(), [Status::SUCCESS; 2]);
    assert_eq!(stage.channels_opened(), 0, "one instance has one channel");
    stage.control(&Control::Start);
    stage.assert_echo("one");
    assert_eq!(stage.journal.take(), ["create 1", "start", "receive one"]);
}

#[test]
fn creates_that_piled_up_are_answered_by_one_reply() {
    let mut stage = Stage::new();
    let frame = create("1").encode().unwrap();
    for _ in 0..5 {
        stage.put(frame.clone());
    }
    // Sent without waiting for the Reply.
    stage.put(Control::Start.encode().unwrap());
    stage.work();
    assert_eq!(stage.replies(), [Status::SUCCESS]);
    assert_eq!(stage.journal.take(), ["create 1", "start"]);
}

#[test]
fn a_create_behind_start_is_a_new_attach() {
    let mut stage = Stage::new();
    for _ in 0..3 {
        stage.attach("same");
        stage.assert_echo("x");
    }
    let one = ["create same", "start", "receive x"];
    let next = ["destroy", "drop", "create same", "start", "receive x"];
    assert_eq!(stage.journal.take(), [&one[..], &next, &next].concat());
    assert_eq!(stage.proxy.statistics().created, 3);
}

#[test]
fn a_create_with_other_arguments_replaces_the_instance() {
    let mut stage = Stage::new();
    stage.create("1");
    stage.create("2");
    assert_eq!(stage.replies(), [Status::SUCCESS; 2]);
    stage.control(&Control::Start);
    stage.assert_echo("two");
    assert_eq!(stage.journal.take(), ["create 1", "destroy", "drop", "create 2", "start", "receive two"]);
}

#[test]
fn a_gateway_on_the_closed_channel_gets_its_reply_once_it_is_on_the_new_one() {
    let mut stage = Stage::new();
    let looks = stage.is_late(2);
    stage.create("null");
    assert_eq!((stage.replies(), looks.load(Relaxed)), (vec![Status::SUCCESS], 2), "nobody was cut off");
    stage.control(&Control::Start);
    looks.store(0, Relaxed);
    let looks = stage.is_late(2);
    stage.create("null");
    assert_eq!((stage.replies(), looks.load(Relaxed)), (vec![Status::SUCCESS], 0));
    // One that does not come is not waited for long, nor again.
    let looks = stage.is_late(u32::MAX);
    stage.create("other");
    assert_eq!(stage.replies(), [Status::SUCCESS]);
    assert!(looks.load(Relaxed) < u32::MAX);
}

#[test]
fn a_gateway_that_has_gone_is_followed_by_another_with_an_instance_of_its_own() {
    let mut stage = Stage::new();
    stage.attach("null");
    stage.assert_echo("first");
    stage.die_and_come_again();
    assert_eq!(stage.journal.take(), ["create null", "start", "receive first"], "it waits for the next");
    stage.attach("null");
    stage.assert_echo("second");
    assert_eq!(stage.journal.take(), ["destroy", "drop", "create null", "start", "receive second"]);
    assert!(stage.proxy.statistics().lost_connections > 0);
}

#[test]
fn no_reply_that_a_dead_gateway_did_not_read_reaches_the_next_one() {
    let mut stage = Stage::new();
    stage.create("1");
    stage.die_and_come_again();
    assert_eq!(stage.replies(), []);
    stage.attach("2");
    stage.assert_echo("hello");
}

#[test]
fn the_control_channel_is_bound_anew_when_replies_are_left_in_it_and_only_then() {
    let mut stage = Stage::new();
    stage.create("null");
    stage.go();
    assert!(stage.come_again(), "the Reply that nobody has read is gone with its channel");
    stage.attach("null");
    stage.go();
    assert!(!stage.come_again(), "nothing is left that the next gateway could read");
}

#[test]
fn neither_channel_starves_the_other() {
    let mut stage = Stage::new();
    stage.attach("null");
    let of_unknown_version = &b"\xA1\x6C\x09\x01\x00\x00\x00\x08"[..];
    for _ in 0..5 {
        stage.put_data(message("x").frame().clone());
        stage.put(of_unknown_version);
    }
    for n in 1..=5 {
        stage.worker.do_work();
        stage.worker.do_work();
        let counts = stage.proxy.statistics();
        assert_eq!((counts.received, counts.malformed), (n, n));
    }
}

#[test]
fn the_same_create_of_another_gateway_gets_an_instance_of_its_own() {
    let mut stage = Stage::new();
    stage.create("same");
    stage.die_and_come_again();
    stage.attach("same");
    stage.assert_echo("x");
    let calls = ["create same", "destroy", "drop", "create same", "start", "receive x"];
    assert_eq!(stage.journal.take(), calls);
}

#[test]
fn what_has_arrived_is_handled_before_the_end() {
    let mut stage = Stage::new();
    stage.attach("null");
    for n in 0..5 {
        stage.put_data(message(&n.to_string()).frame().clone());
    }
    stage.proxy.detach();
    stage.work();
    assert_eq!(stage.received(), ["0", "1", "2", "3", "4"]);
    assert_eq!(stage.replies(), [Status::DETACH]);
    assert_eq!(stage.journal.take().split_off(7), ["destroy", "drop"]);
    assert_eq!(stage.proxy.statistics().unread, 0);
}

#[test]
fn detaching_without_an_instance_says_nothing() {
    let mut stage = Stage::new();
    stage.proxy.detach();
    stage.work();
    assert_eq!(stage.replies(), []);
}

// Gateways that do what none should.

#[test]
fn start_data_and_destroy_before_create_do_nothing() {
    let mut stage = Stage::new();
    for control in [Control::Start, Control::Destroy, Control::Start] {
        stage.control(&control);
    }
    stage.attach("null");
    stage.control(&Control::Start);
    assert_eq!(stage.journal.take(), ["create null", "start"]);
}

#[test]
fn data_before_start_is_held_and_bounded() {
    let mut stage = Stage::new();
    stage.create("null");
    let channel = stage.message_channel();
    let early = |n: usize| message(&n.to_string()).frame().clone();
    let accepted = (0..).take_while(|n| channel.try_send(early(*n)).is_ok()).count();
    assert_eq!(accepted, CAPACITY);
    stage.work();
    assert_eq!(stage.journal.take(), ["create null"]);
    stage.control(&Control::Start);
    assert_eq!(stage.received(), (0..accepted).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn data_that_never_saw_a_start_is_counted_as_unread() {
    let mut stage = Stage::new();
    stage.create("null");
    for _ in 0..3 {
        stage.publish("early");
    }
    stage.control(&Control::Destroy);
    let counts = stage.proxy.statistics();
    assert_eq!((counts.received, counts.unread), (0, 3));
}

#[test]
fn malformed_control_messages_are_counted_and_wrong_versions_answered() {
    let mut stage = Stage::new();
    let mut of_version_2 = create("null").encode().unwrap().to_vec();
    of_version_2[8] = 2;
    let mut of_another_channel = create("null").encode().unwrap().to_vec();
    of_another_channel[9] = 0x11;
    let answered = [&b"\xA1\x6C\x07\x01\x00\x00\x00\x08"[..], &of_version_2, &of_another_channel];
    for frame in answered {
        stage.put(frame.to_vec());
        stage.work();
        assert_eq!(stage.replies(), [Status::CONNECTION_ERROR]);
    }
    let ignored = [&b""[..], b"x", b"\xA1\x6C\x01\x09\x00\x00\x00\x08", b"\xA1\x6C\x01\x03\xff\xff\xff\xff"];
    for frame in ignored {
        stage.put(frame);
    }
    stage.control(&Control::Reply(Status::SUCCESS.into()));
    assert_eq!(stage.replies(), []);
    assert_eq!(stage.proxy.statistics().malformed, 8);
    stage.attach("null");
    stage.assert_echo("still here");
}

#[test]
fn malformed_data_is_counted_and_ends_nothing() {
    let mut stage = Stage::new();
    stage.attach("null");
    let good = message("good").frame().clone();
    for cut in [0, 1, 13, good.len() - 1] {
        stage.put_data(good.slice(..cut));
        stage.work();
    }
    stage.assert_echo("good");
    let counts = stage.proxy.statistics();
    assert_eq!((counts.malformed, counts.received), (4, 1));
}

#[test]
fn an_address_that_cannot_be_bound_is_a_connection_error() {
    let mut stage = Stage::new();
    stage.control(&Control::Create(Create { uri: "gopher://x".into(), arguments: "null".into() }));
    assert_eq!(stage.replies(), [Status::CONNECTION_ERROR]);
    assert_eq!(stage.journal.take(), Vec::<String>::new());
    stage.attach("null");
    stage.assert_echo("after");
}

#[test]
fn a_gateway_that_reads_no_replies_stops_nothing() {
    let mut stage = Stage::new();
    for _ in 0..2 * CAPACITY {
        stage.create("null");
    }
    assert_eq!(stage.replies().len(), CAPACITY, "the others found no room");
    stage.control(&Control::Start);
    stage.assert_echo("hello");
}
