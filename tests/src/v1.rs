//! The two peers as V1 has them, played by the tests step by step.

use std::cell::Cell;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandgate_wire::{Control, Create, Message, Status};

use crate::pair::Pair;
use crate::wait::PATIENCE;

/// How long a V1 gateway waits for a Reply before it sends Create again.
const RETRY: Duration = Duration::from_secs(1);

/// A control message of version 9, which every host answers with status 1. Sent behind other messages it shows
/// which answers came before it.
pub const UNKNOWN_VERSION: [u8; 8] = [0xA1, 0x6C, 9, 1, 0, 0, 0, 8];

/// The gateway's side of one module.
pub struct V1Gateway {
    /// The control channel.
    pub control: Pair,
    /// The message channel.
    pub message: Pair,
    uri: String,
    echoes: Cell<u64>,
}

impl V1Gateway {
    /// Connects both channels, the message channel first, as V1 does. The host may come later.
    #[must_use]
    pub fn dial(control: &str, message: &str) -> Self {
        let message_channel = Pair::dial(message);
        let uri = if message.contains("://") { message.to_owned() } else { format!("ipc://{message}") };
        Self { control: Pair::dial(control), message: message_channel, uri, echoes: Cell::new(0) }
    }

    /// Names another message channel in what it creates from now on, and leaves it to others to connect to it.
    pub fn name_channel(&mut self, message: &str) {
        self.uri = format!("ipc://{message}");
    }

    /// The bytes of the Create for a module with these arguments.
    #[must_use]
    pub fn create_frame(&self, arguments: &str) -> Bytes {
        let create = Create { uri: self.uri.clone(), arguments: arguments.to_owned() };
        Control::Create(create).encode().unwrap()
    }

    /// Sends Create until it is answered, and gives the answer.
    #[must_use]
    pub fn create(&self, arguments: &str) -> Status {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            self.control.send(&self.create_frame(arguments));
            if let Some(frame) = self.control.recv_within(RETRY) {
                return status(&frame);
            }
        }
        panic!("no answer to Create");
    }

    /// Sends Start.
    pub fn start(&self) {
        self.control.send(&Control::Start.encode().unwrap());
    }

    /// Create, answered with success, and Start.
    pub fn attach(&self, arguments: &str) {
        assert_eq!(self.create(arguments), Status::SUCCESS);
        self.start();
    }

    /// Sends Destroy.
    pub fn destroy(&self) {
        self.control.send(&Control::Destroy.encode().unwrap());
    }

    /// The next Reply's status.
    #[must_use]
    pub fn reply(&self) -> Status {
        status(&self.control.recv())
    }

    /// The next Reply that is not a late success: a Create that was repeated is answered again.
    #[must_use]
    pub fn bad_reply(&self) -> Status {
        loop {
            let status = self.reply();
            if !status.is_success() {
                return status;
            }
        }
    }

    /// How many Replies of success have come that nobody has read, on a host that has answered everything.
    #[must_use]
    pub fn successes_before_fence(&self) -> usize {
        self.control.send(&UNKNOWN_VERSION);
        let mut successes = 0;
        loop {
            match self.reply() {
                Status::SUCCESS => successes += 1,
                Status::CONNECTION_ERROR => return successes,
                other => panic!("{other} where a success was expected"),
            }
        }
    }

    /// Publishes a message to the module.
    pub fn publish(&self, properties: &[(&str, &str)], content: &[u8]) {
        self.message.send(Message::new(properties, content).unwrap().frame());
    }

    /// The next message that the module publishes.
    #[must_use]
    pub fn receive(&self) -> Message {
        decode(self.message.recv())
    }

    /// Sends a message until it comes back, and gives the others that come before it. It is sent again because
    /// one that is sent while the connection ends is lost: V1 delivers at most once.
    pub fn echo(&self) -> Vec<Message> {
        let number = self.echoes.get() + 1;
        self.echoes.set(number);
        let number = number.to_string();
        let start = Instant::now();
        let mut others = Vec::new();
        while start.elapsed() < PATIENCE {
            self.publish(&[("echo", &number)], b"");
            while let Some(frame) = self.message.recv_within(RETRY) {
                let message = decode(frame);
                let echoed = message.properties().find(|(key, _)| *key == "echo").map(|(_, value)| value);
                match echoed {
                    Some(value) if value == number => return others,
                    // One that was sent twice.
                    Some(_) => {}
                    None => others.push(message),
                }
            }
        }
        panic!("no message came back");
    }
}

/// The host's side of one module.
pub struct V1Host {
    /// The control channel.
    pub control: Pair,
}

impl V1Host {
    /// Binds the control channel.
    #[must_use]
    pub fn listen(control: &str) -> Self {
        Self { control: Pair::listen(control) }
    }

    /// The next control message.
    #[must_use]
    pub fn next(&self) -> Control {
        Control::decode(&self.control.recv()).unwrap()
    }

    /// Waits for a Create.
    ///
    /// # Panics
    /// Something else comes.
    #[must_use]
    pub fn next_create(&self) -> Create {
        match self.next() {
            Control::Create(create) => create,
            other => panic!("{other:?} where Create was expected"),
        }
    }

    /// Answers.
    pub fn reply(&self, status: Status) {
        self.control.send(&Control::Reply(status.into()).encode().unwrap());
    }

    /// Waits for a Create, binds the message channel, answers with success and waits for Start. Gives the
    /// message channel.
    #[must_use]
    pub fn serve(&self) -> Pair {
        let create = self.next_create();
        let message = Pair::listen(&create.uri);
        self.reply(Status::SUCCESS);
        self.wait_for(&Control::Start);
        message
    }

    /// Waits for this control message; a repeated Create may come before it.
    ///
    /// # Panics
    /// Something else comes.
    pub fn wait_for(&self, wanted: &Control) {
        loop {
            match self.next() {
                control if control == *wanted => return,
                Control::Create(_) => {}
                other => panic!("{other:?} where {wanted:?} was expected"),
            }
        }
    }
}

/// A frame as a data message.
///
/// # Panics
/// It is none.
#[must_use]
pub fn decode(frame: Vec<u8>) -> Message {
    Message::decode(frame.into()).unwrap()
}

fn status(frame: &[u8]) -> Status {
    match Control::decode(frame).unwrap() {
        Control::Reply(reply) => reply.status,
        other => panic!("{other:?} where a Reply was expected"),
    }
}
