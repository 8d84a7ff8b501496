//! The host of the module under test, played by the test: over the project's own channel, with everything recorded,
//! or byte by byte.

use std::sync::Mutex;

use sandgate_tests::pair::Pair;
use sandgate_tests::raw::{RawListener, RawPeer};
use sandgate_tests::scratch::Scratch;
use sandgate_wire::{Control, Create, Status};
use serde_json::Value;

use crate::frames::{number_of, numbered, reply_frame};
use crate::scene::{CONTROL, MESSAGE, Scene, document};

/// The host of a module, which records all control messages that come.
pub struct Host {
    pub control: Pair,
    pub message: Pair,
    seen: Mutex<Vec<Control>>,
    /// How often the message channel has been connected by the attaches so far.
    connections: Mutex<u64>,
}

impl Host {
    /// Binds both channels of the module under test.
    pub fn bind(scratch: &Scratch) -> Self {
        Self::bind_ids(&scratch.id(CONTROL), &scratch.id(MESSAGE))
    }

    /// Binds these channels.
    pub fn bind_ids(control: &str, message: &str) -> Self {
        let (control, message) = (Pair::listen(control), Pair::listen(message));
        Self { control, message, seen: Mutex::default(), connections: Mutex::default() }
    }

    /// The next control message.
    pub fn next(&self) -> Control {
        self.record(&self.control.recv())
    }

    /// The next control message, which must be a Create.
    pub fn next_create(&self) -> Create {
        match self.next() {
            Control::Create(create) => create,
            other => panic!("{other:?} where Create was expected"),
        }
    }

    /// The next control message that is no Create must be this one.
    pub fn expect(&self, wanted: &Control) {
        loop {
            match self.next() {
                control if control == *wanted => return,
                Control::Create(_) => {}
                other => panic!("{other:?} where {wanted:?} was expected"),
            }
        }
    }

    /// Answers.
    pub fn reply(&self, status: Status) {
        self.control.send(&reply_frame(status));
    }

    /// Waits until the message channel is connected, too, by the attach that has sent Create. A message that was sent
    /// earlier might be lost, as V1 has it: the place of the one peer may still be that of the attach before.
    pub fn connect(&self) {
        let mut connections = self.connections.lock().unwrap();
        *connections = self.message.wait_for_peer(*connections + 1);
    }

    /// Create, answered with success, and Start.
    pub fn attach(&self) {
        self.next_create();
        self.connect();
        self.reply(Status::SUCCESS);
        self.expect(&Control::Start);
    }

    /// All control messages that came, those included that still come until the gateway has gone.
    pub fn seen_to_end(&self) -> Vec<Control> {
        for frame in self.control.recv_to_end() {
            self.record(&frame);
        }
        self.seen.lock().unwrap().clone()
    }

    fn record(&self, frame: &[u8]) -> Control {
        let control = Control::decode(frame).unwrap();
        self.seen.lock().unwrap().push(control.clone());
        control
    }

    /// Publishes messages with these numbers.
    pub fn send_numbers(&self, numbers: impl IntoIterator<Item = u64>) {
        numbers.into_iter().for_each(|number| self.message.send(&numbered(number)));
    }

    /// The next message's number.
    pub fn receive_number(&self) -> u64 {
        number_of(self.message.recv())
    }

    /// Waits for messages with these numbers and no others between them.
    pub fn expect_numbers(&self, numbers: impl IntoIterator<Item = u64>) {
        numbers.into_iter().for_each(|number| assert_eq!(self.receive_number(), number));
    }
}

/// The host of a module, played byte by byte: it reads only what the test reads.
pub struct RawHost {
    pub control: RawPeer,
    pub message: RawPeer,
    pub controls: RawListener,
    pub messages: RawListener,
}

impl RawHost {
    /// A scene whose module under test has such a host, attached and started.
    pub fn scene(change: impl FnOnce(&mut Value)) -> (Scene, Self) {
        Self::scene_of("middle", change)
    }

    /// A scene in which this module has such a host, attached and started.
    pub fn scene_of(module: &str, change: impl FnOnce(&mut Value)) -> (Scene, Self) {
        let (scene, controls, messages) = Self::bound(module, change);
        let message = messages.accept();
        let control = start(&controls);
        (scene, Self { control, message, controls, messages })
    }

    /// A scene in which this module's channels were bound before the gateway was started.
    pub fn bound(module: &str, change: impl FnOnce(&mut Value)) -> (Scene, RawListener, RawListener) {
        let scratch = Scratch::new();
        let controls = RawListener::bind(&scratch.file(module));
        let messages = RawListener::bind(&scratch.file(&format!("{module}.message")));
        let mut document = document(&scratch);
        change(&mut document);
        (Scene::start(scratch, &document), controls, messages)
    }
}

/// Create, answered with success, and Start, on the next control connection.
pub fn start(controls: &RawListener) -> RawPeer {
    let (mut control, frame) = controls.accept_frame();
    assert!(matches!(Control::decode(&frame), Ok(Control::Create(_))), "{frame:?}");
    assert!(control.send(&reply_frame(Status::SUCCESS)));
    assert_eq!(Control::decode(&control.recv()).unwrap(), Control::Start);
    control
}
