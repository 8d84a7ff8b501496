//! Whatever a gateway does, and in whatever order: the module's side is compared with a model of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use proptest::prelude::*;
use sandgate_wire::{Control, Status};
use support::create;
use support::stage::Stage;

/// What a gateway may do. Everything is handled before the next thing is done.
#[derive(Clone, Copy, Debug)]
enum Act {
    Create(&'static str),
    Start,
    Message,
    MalformedControl,
    MalformedMessage,
    UnknownVersion,
    Destroy,
    Die,
}

/// Arguments with which the instance works, and one for each way to fail.
const ARGUMENTS: [&str; 6] =
    ["1", "2", "refuse in create", "panic in start", "panic in receive", "panic in destroy"];

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => prop::sample::select(&ARGUMENTS[..]).prop_map(Act::Create),
        3 => Just(Act::Start),
        3 => Just(Act::Message),
        1 => Just(Act::MalformedControl),
        1 => Just(Act::MalformedMessage),
        1 => Just(Act::UnknownVersion),
        1 => Just(Act::Destroy),
        1 => Just(Act::Die),
    ];
    prop::collection::vec(act, 1..40)
}

/// What the module's side should have become.
#[derive(Default)]
struct Model {
    /// The arguments of the instance that is there.
    instance: Option<&'static str>,
    started: bool,
    /// The gateway that it was created for has gone.
    abandoned: bool,
    calls: Vec<String>,
    replies: Vec<Status>,
    echoes: usize,
    failures: u64,
    received: u64,
    malformed: u64,
    /// Frames that wait for Start.
    held: Vec<Act>,
}

impl Model {
    fn act(&mut self, act: Act) {
        match act {
            Act::Create(arguments)
                if self.instance == Some(arguments) && !self.started && !self.abandoned =>
            {
                self.replies.push(Status::SUCCESS);
            }
            Act::Create(arguments) => {
                self.end();
                self.calls.push(format!("create {arguments}"));
                self.instance = Some(arguments);
                match arguments {
                    "refuse in create" => self.fail(),
                    _ => self.replies.push(Status::SUCCESS),
                }
            }
            Act::Start if self.instance.is_some() && !self.started => {
                self.started = true;
                self.calls.push("start".to_owned());
                match self.instance {
                    Some("panic in start") => self.fail(),
                    _ => std::mem::take(&mut self.held).into_iter().for_each(|held| self.act(held)),
                }
            }
            Act::Start => {}
            Act::Message | Act::MalformedMessage if self.instance.is_none() => {}
            Act::Message | Act::MalformedMessage if !self.started => self.held.push(act),
            Act::Message => {
                self.received += 1;
                self.calls.push("receive x".to_owned());
                match self.instance {
                    Some("panic in receive") => self.fail(),
                    _ => self.echoes += 1,
                }
            }
            Act::MalformedMessage | Act::MalformedControl => self.malformed += 1,
            Act::UnknownVersion => {
                self.malformed += 1;
                self.replies.push(Status::CONNECTION_ERROR);
            }
            Act::Destroy => self.end(),
            // Nothing is to be done before the next gateway comes.
            Act::Die => self.abandoned = self.instance.is_some(),
        }
    }

    fn fail(&mut self) {
        self.failures += 1;
        self.calls.push("drop".to_owned());
        self.replies.push(Status::CREATION_ERROR);
        self.gone();
    }

    fn end(&mut self) {
        if let Some(arguments) = self.instance {
            self.failures += u64::from(arguments == "panic in destroy");
            self.calls.extend(["destroy".to_owned(), "drop".to_owned()]);
            self.gone();
        }
    }

    fn gone(&mut self) {
        self.instance = None;
        self.started = false;
        self.abandoned = false;
        self.held.clear();
    }
}

/// Does the same on the stage.
fn act(stage: &mut Stage, act: Act, has_instance: bool) {
    match act {
        Act::Create(arguments) => stage.control(&create(arguments)),
        Act::Start => stage.control(&Control::Start),
        Act::Destroy => stage.control(&Control::Destroy),
        Act::MalformedControl => stage.put(&b"\xA1\x6C\x01"[..]),
        Act::UnknownVersion => stage.put(&b"\xA1\x6C\x09\x01\x00\x00\x00\x08"[..]),
        Act::Message if has_instance => stage.publish("x"),
        Act::MalformedMessage if has_instance => stage.put_data(&b"\xA1\x60"[..]),
        // There is nobody to send it to.
        Act::Message | Act::MalformedMessage => {}
        Act::Die => stage.die_and_come_again(),
    }
    stage.work();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_module_does_what_the_model_does(acts in acts()) {
        let (mut stage, mut model) = (Stage::new(), Model::default());
        // A message channel belongs to the gateway that asked for it.
        let mut has_channel = false;
        for (step, next) in acts.into_iter().enumerate() {
            let is_data = matches!(next, Act::Message | Act::MalformedMessage);
            if is_data && !has_channel || model.held.len() >= support::CAPACITY {
                continue;
            }
            act(&mut stage, next, model.instance.is_some());
            model.act(next);
            stage.take_message_channel();
            has_channel = match next {
                Act::Die => false,
                Act::Create(_) => true,
                _ => has_channel,
            } && model.instance.is_some();
            prop_assert_eq!(stage.journal.take(), std::mem::take(&mut model.calls), "step {}", step);
            prop_assert_eq!(stage.replies(), std::mem::take(&mut model.replies), "step {}", step);
            if has_channel {
                prop_assert_eq!(stage.received().len(), std::mem::take(&mut model.echoes), "step {}", step);
            }
            model.echoes = 0;
            let counts = stage.proxy.statistics();
            let counts = (counts.failures, counts.received, counts.malformed);
            prop_assert_eq!(counts, (model.failures, model.received, model.malformed), "step {}", step);
        }
    }
}
