//! The control protocol against real modules, with the gateway's part played in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Waker};
use std::time::Duration;

use sandgate_host::{End, Limits};
use sandgate_wire::{Control, Create, Status};
use support::{CAPACITY, Gateway, create, message};

fn impatient(milliseconds: u64) -> Limits {
    Limits { timeout: Duration::from_millis(milliseconds), ..Limits::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn create_start_and_a_message_both_ways() {
    let mut gateway = Gateway::with("echo").await;
    gateway.attach("null").await;
    gateway.assert_echo("hello").await;
    gateway.send(Control::Destroy).await;
    assert_eq!(gateway.stop().await, End::Shutdown);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_keep_their_order_and_their_bytes() {
    let mut gateway = Gateway::with("echo").await;
    gateway.attach("null").await;
    for n in 0..500_u32 {
        let sent = message(&[("n", &n.to_string()), ("é", "ünï→")], &vec![n as u8; n as usize * 7]);
        gateway.publish(&sent).await;
        assert_eq!(gateway.receive().await, sent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn annotate_takes_v1s_string_argument() {
    let mut gateway = Gateway::with("annotate").await;
    gateway.attach("\"THIS IS THE OOP MODULE CONFIGURATION\"").await;
    gateway.publish(&message(&[("helloWorld", "x")], b"hello world")).await;
    let annotated = gateway.receive().await;
    assert_eq!(annotated.property("annotation"), Some("THIS IS THE OOP MODULE CONFIGURATION"));
    assert_eq!((annotated.property("helloWorld"), annotated.content()), (Some("x"), &b"hello world"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_arguments_are_a_creation_error_and_the_next_create_is_served() {
    let gateway = Gateway::with("refuse_create").await;
    for _ in 0..2 {
        gateway.create("{}").await;
        assert_eq!(gateway.reply().await, Status::CREATION_ERROR);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_in_create_is_a_creation_error() {
    let gateway = Gateway::with("trap_create").await;
    gateway.create("null").await;
    assert_eq!(gateway.reply().await, Status::CREATION_ERROR);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_spins_is_ended_by_its_deadline() {
    let gateway = Gateway::with_options("spin_create", impatient(50), false).await;
    gateway.create("null").await;
    assert_eq!(gateway.reply().await, Status::CREATION_ERROR);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_detaches_and_a_new_create_gets_a_new_instance() {
    let mut gateway = Gateway::with("trap_receive").await;
    for _ in 0..3 {
        gateway.attach("null").await;
        gateway.assert_echo("before").await;
        gateway.publish(&message(&[("trap", "now")], b"")).await;
        assert_eq!(gateway.reply().await, Status::DETACH);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_in_start_and_in_a_timer_detaches_too() {
    for (guest, arguments) in [("trap_start", "null"), ("trap_on_timer", "5")] {
        let mut gateway = Gateway::with(guest).await;
        gateway.attach(arguments).await;
        assert_eq!(gateway.reply().await, Status::DETACH, "{guest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receive_that_spins_is_ended_by_its_deadline() {
    let mut gateway = Gateway::with_options("spin_receive", impatient(50), false).await;
    gateway.attach("null").await;
    gateway.assert_echo("before").await;
    gateway.publish(&message(&[("spin", "")], b"")).await;
    assert_eq!(gateway.reply().await, Status::DETACH);
    gateway.attach("null").await;
    gateway.assert_echo("after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receive_that_sleeps_is_ended_by_its_deadline() {
    // Longer than any test waits.
    const HOUR: &str = "3600000";
    let mut gateway = Gateway::with_options("sleep_receive", impatient(50), false).await;
    for _ in 0..3 {
        gateway.attach(HOUR).await;
        gateway.publish(&message(&[], b"good night")).await;
        assert_eq!(gateway.reply().await, Status::DETACH);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn identical_creates_that_waited_are_answered_by_one_module() {
    let mut gateway = Gateway::with("slow_create").await;
    for _ in 0..5 {
        gateway.create("100").await;
    }
    assert_eq!(gateway.reply().await, Status::SUCCESS);
    // One more that crosses the Reply on its way.
    gateway.create("100").await;
    assert_eq!(gateway.reply().await, Status::SUCCESS);
    gateway.open_message_channel().await;
    gateway.send(Control::Start).await;
    gateway.assert_echo("one").await;
    assert_eq!(gateway.channels_opened(), 0, "one module has one channel");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_does_not_wait_for_the_reply_is_remembered() {
    let mut gateway = Gateway::with("slow_create").await;
    gateway.create("100").await;
    gateway.send(Control::Start).await;
    assert_eq!(gateway.reply().await, Status::SUCCESS);
    gateway.open_message_channel().await;
    gateway.assert_echo("started").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attach_gets_its_own_instance() {
    let mut gateway = Gateway::with("count_creates").await;
    for arguments in ["1", "2", "2"] {
        gateway.attach(arguments).await;
        assert_eq!(gateway.receive().await.property("created"), Some(arguments));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_on_the_closed_channel_gets_its_reply_once_it_is_on_the_new_one() {
    let mut gateway = Gateway::with("echo").await;
    gateway.attach("null").await;
    let looks = gateway.is_late(2);
    gateway.attach("null").await;
    assert_eq!(looks.load(Relaxed), 0, "it was waited for");
    gateway.assert_echo("it has come").await;
    // One that does not come is not waited for long.
    let looks = gateway.is_late(u32::MAX);
    gateway.attach("null").await;
    assert!(looks.load(Relaxed) < u32::MAX);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_create_while_one_is_served_replaces_it() {
    let mut gateway = Gateway::with("slow_create").await;
    gateway.create("300").await;
    gateway.create("1").await;
    assert_eq!(gateway.reply().await, Status::SUCCESS);
    gateway.open_message_channel().await;
    gateway.send(Control::Start).await;
    gateway.assert_echo("second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_come_before_start_are_held_and_bounded() {
    let mut gateway = Gateway::with("echo").await;
    gateway.create("null").await;
    assert_eq!(gateway.reply().await, Status::SUCCESS);
    let channel = gateway.open_message_channel().await;
    let early = |n: usize| message(&[("n", &n.to_string())], b"early");
    let mut accepted = 0;
    while channel.try_send(early(accepted).frame().clone()).is_ok() {
        accepted += 1;
    }
    assert_eq!(accepted, CAPACITY);
    gateway.send(Control::Start).await;
    for n in 0..accepted {
        assert_eq!(gateway.receive().await.property("n"), Some(n.to_string().as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_control_messages_are_dropped_and_wrong_versions_answered() {
    let mut gateway = Gateway::with("echo").await;
    gateway.send_raw(&b"\xA1\x6C\x07\x01\x00\x00\x00\x08"[..]).await;
    assert_eq!(gateway.reply().await, Status::CONNECTION_ERROR);
    let mut of_version_2 = create("null").encode().unwrap().to_vec();
    of_version_2[8] = 2;
    gateway.send_raw(of_version_2).await;
    assert_eq!(gateway.reply().await, Status::CONNECTION_ERROR);
    for garbage in [&b""[..], b"x", b"\xA1\x6C\x01\x09\x00\x00\x00\x08", b"\xA1\x6C\x01\x03\xff\xff\xff\xff"]
    {
        gateway.send_raw(garbage).await;
    }
    gateway.send(Control::Reply(Status::SUCCESS.into())).await;
    gateway.attach("null").await;
    gateway.assert_echo("still here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_cannot_be_bound_is_a_connection_error() {
    let gateway = Gateway::with("echo").await;
    let create = Create { uri: "gopher://x".into(), arguments: "null".into() };
    gateway.send(Control::Create(create)).await;
    assert_eq!(gateway.reply().await, Status::CONNECTION_ERROR);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_messages_are_dropped() {
    let mut gateway = Gateway::with("echo").await;
    gateway.attach("null").await;
    for garbage in
        [&b""[..], b"\xA1\x60", b"\xA1\x60\x00\x00\x00\x0e\xff\xff\xff\xff\x00\x00\x00\x00", b"junk"]
    {
        gateway.publish_raw(garbage).await;
    }
    gateway.assert_echo("still here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn start_without_create_and_twice_is_harmless() {
    let mut gateway = Gateway::with("count_creates").await;
    gateway.send(Control::Start).await;
    gateway.send(Control::Destroy).await;
    gateway.attach("1").await;
    gateway.send(Control::Start).await;
    assert_eq!(gateway.receive().await.property("created"), Some("1"));
    gateway.publish(&message(&[("text", "x")], b"")).await;
    assert_eq!(gateway.receive().await.property("text"), Some("x"), "start was called once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launched_host_ends_with_destroy_and_another_one_waits() {
    let mut gateway = Gateway::with_options("echo", Limits::default(), true).await;
    gateway.attach("null").await;
    gateway.send(Control::Destroy).await;
    assert_eq!(gateway.end().await, End::Destroyed);

    let mut gateway = Gateway::with("echo").await;
    gateway.attach("null").await;
    gateway.send(Control::Destroy).await;
    gateway.attach("null").await;
    gateway.assert_echo("again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn destroy_still_handles_what_has_arrived() {
    let mut gateway = Gateway::with("echo").await;
    gateway.create("null").await;
    assert_eq!(gateway.reply().await, Status::SUCCESS);
    gateway.open_message_channel().await;
    for n in 0..10 {
        gateway.publish(&message(&[("n", &n.to_string())], b"")).await;
    }
    gateway.send(Control::Start).await;
    gateway.send(Control::Destroy).await;
    for n in 0..10 {
        assert_eq!(gateway.receive().await.property("n"), Some(n.to_string().as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_tells_the_gateway() {
    let mut gateway = Gateway::with("echo").await;
    gateway.attach("null").await;
    gateway.assert_echo("x").await;
    let control = gateway.control();
    assert_eq!(gateway.stop().await, End::Shutdown);
    let frame = control.recv().await.unwrap();
    assert_eq!(Control::decode(&frame).unwrap(), Control::Reply(Status::DETACH.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_handles_what_has_arrived_before_it_tells_the_gateway() {
    let mut gateway = Gateway::with("sleep_receive").await;
    gateway.attach("5").await;
    gateway.assert_echo("started").await;
    for n in 0..10 {
        gateway.publish(&message(&[("n", &n.to_string())], b"")).await;
    }
    let (control, messages) = (gateway.control(), gateway.message.clone().unwrap());
    let stopping = tokio::spawn(gateway.stop());
    let frame = control.recv().await.unwrap();
    assert_eq!(Control::decode(&frame).unwrap(), Control::Reply(Status::DETACH.into()));
    let mut context = Context::from_waker(Waker::noop());
    let there = (0..10).filter(|_| messages.poll_recv(&mut context).is_ready()).count();
    assert_eq!(there, 10, "all were handled before the Reply");
    assert_eq!(stopping.await.unwrap(), End::Shutdown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_a_dead_gateway_left_unread_does_not_reach_the_next() {
    let mut gateway = Gateway::with("echo").await;
    gateway.create("null").await;
    assert_eq!(gateway.reply().await, Status::SUCCESS);
    // The answer to this one stays unread; the echo shows that it was given.
    gateway.create("null").await;
    gateway.open_message_channel().await;
    gateway.send(Control::Start).await;
    gateway.assert_echo("for the first gateway").await;
    gateway.die_and_come_again().await;
    gateway.create("\"refused by nobody\"").await;
    gateway.open_message_channel().await;
    assert_eq!(gateway.reply().await, Status::SUCCESS);
    gateway.send(Control::Start).await;
    gateway.assert_echo("for the second gateway").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_before_start_is_an_error_of_the_module() {
    let mut gateway = Gateway::with("publish_in_create").await;
    gateway.attach("null").await;
    let outcome = gateway.receive().await;
    assert!(outcome.property("in-create").unwrap().contains("NotStarted"), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_waits_for_a_gateway_that_reads_slowly() {
    let mut gateway = Gateway::with("publish_flood").await;
    gateway.attach("1000").await;
    gateway.publish(&message(&[("text", "x")], b"")).await;
    for n in 1..=1000 {
        assert_eq!(gateway.receive().await.property("n"), Some(n.to_string().as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_module_publishes_from_its_timer() {
    let mut gateway = Gateway::with("sampler").await;
    gateway.attach(r#"{"interval.ms": 5, "text": "tick"}"#).await;
    let numbers: Vec<u64> = {
        let mut numbers = Vec::new();
        for _ in 0..5 {
            numbers.push(gateway.receive().await.property("n").unwrap().parse().unwrap());
        }
        numbers
    };
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}
