//! A module between two ends that the test plays itself, as V1 hosts: `source` -> `middle` -> `sink`. What is
//! between them is the real gateway and the real host.

use std::iter;
use std::ops::Range;

use serde_json::{Value, json};

use sandgate_wire::{Control, Message, Status};

use crate::config::{Configuration, attached};
use crate::pair::Pair;
use crate::scratch::Scratch;
use crate::v1::{V1Host, decode};

/// The two ends, attached.
pub struct Ends {
    /// What is sent here goes to the module.
    pub source: Pair,
    /// What the module publishes comes here.
    pub sink: Pair,
    /// The control channels of both.
    pub controls: [V1Host; 2],
}

impl Ends {
    /// Attaches both to a gateway with [`around`].
    #[must_use]
    pub fn attach(scratch: &Scratch) -> Self {
        let (source, sink) = (V1Host::listen(&scratch.id("source")), V1Host::listen(&scratch.id("sink")));
        Self { source: serve(&source), sink: serve(&sink), controls: [source, sink] }
    }

    /// Sends a message to the module.
    pub fn send(&self, properties: &[(&str, &str)], content: &[u8]) {
        self.source.send(Message::new(properties, content).unwrap().frame());
    }

    /// Sends messages with the property `number` and these values.
    pub fn send_numbers(&self, numbers: impl IntoIterator<Item = u64>) {
        numbers.into_iter().for_each(|number| self.send(&[("number", &number.to_string())], b""));
    }

    /// The next message that the module publishes.
    #[must_use]
    pub fn receive(&self) -> Message {
        decode(self.sink.recv())
    }

    /// The next message's property `number`.
    #[must_use]
    pub fn receive_number(&self) -> u64 {
        self.receive().property("number").unwrap().parse().unwrap()
    }

    /// Waits for these numbers, in this order and no others between them.
    pub fn expect_numbers(&self, numbers: impl IntoIterator<Item = u64>) {
        numbers.into_iter().for_each(|number| assert_eq!(self.receive_number(), number));
    }

    /// Waits for these numbers, in this order, behind the death of a host. What that one had published and not settled,
    /// which takes it a moment more, may come once more in front of them.
    pub fn expect_numbers_behind_a_death(&self, numbers: Range<u64>) {
        let first = numbers.start;
        let mut received = iter::repeat_with(|| self.receive_number()).skip_while(|number| *number < first);
        numbers.for_each(|number| assert_eq!(received.next(), Some(number)));
    }
}

/// A gateway's configuration with `source` -> `middle` -> `sink`; the middle has this entrypoint.
#[must_use]
pub fn around(scratch: &Scratch, middle: Value, args: Value) -> Value {
    let mut document = Configuration::new()
        .remote("source", attached(&scratch.id("source")), Value::Null)
        .remote("middle", middle, args)
        .remote("sink", attached(&scratch.id("sink")), Value::Null)
        .link("source", "middle")
        .link("middle", "sink")
        .json();
    for module in document["modules"].as_array_mut().unwrap() {
        module["queue.capacity"] = json!(100_000);
    }
    document
}

/// Create, Reply, Start.
fn serve(host: &V1Host) -> Pair {
    let create = host.next_create();
    let message = Pair::listen(&create.uri);
    host.reply(Status::SUCCESS);
    host.wait_for(&Control::Start);
    message
}
