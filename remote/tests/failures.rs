//! Modules that panic or refuse, wherever they can.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::panic::panic_any;

use sandgate_remote::{Broker, GatewayModule, Message, ModuleClass, ModuleError, Statistics};
use sandgate_wire::{Control, Status};
use support::stage::Stage;

/// Arguments, what the gateway is answered, and what is done to the instance.
const FAILURES: [(&str, &[Status], &[&str]); 5] = [
    ("panic in create", &[Status::CREATION_ERROR], &["drop"]),
    ("refuse in create", &[Status::CREATION_ERROR], &["drop"]),
    ("panic in start", &[Status::SUCCESS, Status::CREATION_ERROR], &["start", "drop"]),
    ("refuse in start", &[Status::SUCCESS, Status::CREATION_ERROR], &["start", "drop"]),
    ("panic in receive", &[Status::SUCCESS, Status::CREATION_ERROR], &["start", "receive x", "drop"]),
];

#[test]
fn a_failure_is_told_to_the_gateway_and_the_next_create_is_served() {
    for (arguments, replies, calls) in FAILURES {
        let mut stage = Stage::new();
        for round in 1..=2 {
            stage.create(arguments);
            stage.control(&Control::Start);
            if calls.contains(&"receive x") {
                stage.publish("x");
            }
            assert_eq!(stage.replies(), replies, "{arguments}");
            assert_eq!(stage.journal.take()[1..], *calls, "{arguments}");
            assert_eq!(stage.proxy.statistics().failures, round, "{arguments}");
        }
        stage.attach("null");
        stage.assert_echo("works");
    }
}

#[test]
fn an_error_in_receive_ends_nothing() {
    let mut stage = Stage::new();
    stage.attach("refuse in receive");
    stage.publish("one");
    stage.publish("two");
    assert_eq!(stage.replies(), []);
    let Statistics { received, failed, failures, .. } = stage.proxy.statistics();
    assert_eq!((received, failed, failures), (2, 2, 0));
}

#[test]
fn a_panic_in_destroy_or_drop_is_kept_from_the_next_instance() {
    for arguments in ["panic in destroy", "panic in drop", "panic in destroy, not panic in drop"] {
        let mut stage = Stage::new();
        stage.attach(arguments);
        stage.control(&Control::Destroy);
        assert_eq!(stage.replies(), [], "nothing answers a Destroy");
        assert_eq!(stage.journal.take().split_off(2), ["destroy", "drop"], "{arguments}");
        stage.attach("null");
        stage.assert_echo("works");
    }
}

#[test]
fn messages_behind_the_one_that_ended_the_instance_are_unread() {
    let mut stage = Stage::new();
    stage.attach("panic in receive");
    for text in ["ends it", "behind", "behind"] {
        stage.put_data(support::message(text).frame().clone());
    }
    stage.work();
    let counts = stage.proxy.statistics();
    assert_eq!((counts.received, counts.failures, counts.unread), (1, 1, 2));
}

#[test]
fn an_instance_that_has_failed_cannot_publish_any_more() {
    let mut stage = Stage::new();
    stage.attach("panic in receive");
    stage.publish("x");
    assert_eq!(stage.received(), Vec::<String>::new());
    assert!(!stage.message_channel().peer().borrow().connected, "its channel is closed");
}

/// Its payload panics when it is dropped.
struct Wicked;

impl Drop for Wicked {
    fn drop(&mut self) {
        panic!("once more");
    }
}

impl GatewayModule for Wicked {
    fn create(_arguments: &str, _broker: Broker) -> Result<Self, ModuleError> {
        panic_any(Wicked)
    }

    fn receive(&mut self, _message: Message) -> Result<(), ModuleError> {
        Ok(())
    }
}

#[test]
fn a_panic_whose_payload_panics_is_caught_too() {
    let mut stage = Stage::with(ModuleClass::of::<Wicked>());
    stage.create("null");
    assert_eq!(stage.replies(), [Status::CREATION_ERROR]);
}
