//! Over the host link, with a gateway that is played frame by frame.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use sandgate_remote::{Message, Work};
use sandgate_wire::Status;
use sandgate_wire::link::{Frame, Parcel, ParcelKind, Signal, State};
use support::linked::{Link, offer};
use support::stage::Stage;

/// The text of a message that the module has published.
fn text(frame: &Frame) -> String {
    match frame {
        Frame::Parcel { parcel, .. } if parcel.kind == ParcelKind::Message => {
            Message::decode(parcel.body.clone()).unwrap().property("text").unwrap().to_owned()
        }
        other => panic!("{other:?} where a message was expected"),
    }
}

fn assert_settled(frame: &Frame, expected: u64) {
    assert!(matches!(frame, Frame::Settle { sequence, .. } if *sequence == expected), "{frame:?}");
}

/// That the module has ended, and how.
fn ended(frame: &Frame) -> &str {
    match frame {
        Frame::Signal(Signal::State { state: State::Ended, detail, .. }) => detail,
        other => panic!("{other:?} where the end was expected"),
    }
}

#[test]
fn a_message_is_settled_behind_what_came_of_it() {
    let mut stage = Stage::linked();
    let mut link = Link::attach(&mut stage, "null", 1);
    for (sequence, message) in [(1, "one"), (2, "two")] {
        link.send_message(sequence, 1, message);
        assert_eq!(text(&link.recv(&mut stage)), message);
        assert_settled(&link.recv(&mut stage), sequence);
    }
    // What is no message is done with, too.
    link.send_parcel(3, Parcel::message("no message".into()));
    assert_settled(&link.recv(&mut stage), 3);
    assert_eq!(stage.proxy.statistics().malformed, 1);
}

#[test]
fn a_message_that_the_module_refuses_is_not_sent_again() {
    let mut stage = Stage::linked();
    let mut link = Link::attach(&mut stage, "\"refuse in receive\"", 1);
    link.send_message(1, 1, "bad");
    assert_settled(&link.recv(&mut stage), 1);
    assert_eq!((stage.proxy.statistics().failed, stage.proxy.statistics().failures), (1, 0));
}

#[test]
fn a_message_in_which_the_module_panics_comes_again_and_is_given_up_in_the_end() {
    let mut stage = Stage::linked();
    for attempt in 1..=3 {
        let mut link = Link::attach(&mut stage, "\"panic in receive\"", attempt);
        link.send_message(1, attempt, "bad");
        link.send_message(2, 1, "behind it");
        let mut frame = link.recv(&mut stage);
        if attempt == 3 {
            match &frame {
                Frame::Parcel { parcel, .. } => {
                    assert_eq!((parcel.kind, parcel.about), (ParcelKind::DeadLetter, 1));
                    let verdict = String::from_utf8(parcel.body.to_vec()).unwrap();
                    assert!(verdict.contains("it panicked") && verdict.contains("\"kills\":3"), "{verdict}");
                }
                other => panic!("{other:?}"),
            }
            assert_settled(&link.recv(&mut stage), 1);
            frame = link.recv(&mut stage);
        }
        assert!(ended(&frame).contains("it panicked"), "{frame:?}");
        assert_eq!(stage.replies(), [Status::CREATION_ERROR]);
    }
    let counts = stage.proxy.statistics();
    assert_eq!((counts.created, counts.failures, counts.received, counts.dead), (3, 3, 3, 1));
}

#[test]
fn what_no_gateway_has_acknowledged_goes_to_the_next_one_first() {
    let mut stage = Stage::linked();
    let mut link = Link::attach(&mut stage, "null", 1);
    link.send_message(1, 1, "kept");
    assert_eq!(text(&link.recv(&mut stage)), "kept");
    drop(link);
    stage.die_and_come_again();
    let mut link = Link::attach(&mut stage, "null", 1);
    assert_eq!(text(&link.recv(&mut stage)), "kept");
    let (module, epoch) = (link.module, link.epoch);
    link.send(&Frame::Settle { module, epoch, sequence: 1 });
    link.send_message(1, 1, "new");
    assert_eq!(text(&link.recv(&mut stage)), "new");
    assert_settled(&link.recv(&mut stage), 1);
}

#[test]
fn heartbeats_are_answered_while_nobody_works() {
    let mut stage = Stage::linked();
    let mut link = Link::attach(&mut stage, "null", 1);
    link.send(&Frame::Ping { sequence: 7 });
    loop {
        match link.next(|| {}) {
            Frame::Pong { sequence: 7 } => break,
            Frame::Signal(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_closed_lane_destroys_the_module_when_it_has_handled_what_came_before() {
    let mut stage = Stage::linked();
    let mut link = Link::attach(&mut stage, "null", 1);
    let (module, epoch) = (link.module, link.epoch);
    link.send(&Frame::Signal(Signal::Close { module, epoch: epoch + 1 }));
    link.send_message(1, 1, "last");
    link.send(&Frame::Signal(Signal::Close { module, epoch }));
    assert_eq!(text(&link.recv(&mut stage)), "last");
    assert_settled(&link.recv(&mut stage), 1);
    assert_eq!(ended(&link.recv(&mut stage)), "the module has ended");
    assert_eq!(stage.work(), Work::Nothing);
    let journal = stage.journal.take();
    assert_eq!(journal, ["create null", "start", "receive last", "destroy", "drop"]);
}

#[test]
fn a_lane_without_a_module_is_refused() {
    let mut stage = Stage::linked();
    stage.create("null");
    let offer = offer(&stage);
    let mut link = Link::attach(&mut stage, "null", 2);
    let (module, epoch) = (link.module, link.epoch + 1);
    let again = Signal::Open { module, epoch, window: support::linked::WINDOW, received: 0 };
    link.send(&Frame::Signal(again));
    let frame = link.recv(&mut stage);
    assert!(matches!(frame, Frame::Signal(Signal::Refused { .. })), "{frame:?}");
    assert_eq!(offer.module, module, "repeated Creates are answered alike");
}

#[test]
fn a_gateway_that_starts_the_module_without_the_link_is_served_as_v1s() {
    let mut stage = Stage::linked();
    stage.create("null");
    let mut link = Link::connect(&offer(&stage), 1);
    link.open(&mut stage);
    stage.control(&sandgate_wire::Control::Start);
    stage.assert_echo("over V1's channel");
}
