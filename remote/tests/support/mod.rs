//! What the tests share: modules, and channels in memory.

#![allow(dead_code, reason = "each test program uses its part")]

pub mod far;
pub mod linked;
pub mod stage;

use std::collections::VecDeque;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandgate_remote::{Broker, GatewayModule, Instance, ModuleClass, ModuleError, Transport, TransportError};
use sandgate_wire::channel::LateChannel;
use sandgate_wire::link::Window;
use sandgate_wire::{Address, Channel, Control, Create, MemoryChannel, Message};

/// Frames that a channel in memory holds.
pub const CAPACITY: usize = 16;
/// How long anything may take before a test fails; no test measures time.
const PATIENCE: Duration = Duration::from_secs(30);
pub const URI: &str = "ipc:///tmp/played.message";

/// What was done to the instances of a module, in order.
#[derive(Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    pub fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    /// What was noted since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A module that notes its calls, and sends back every message that does not say something else.
///
/// A call fails when the arguments name it: `"panic in start"`, `"refuse in create"`.
pub struct Player {
    arguments: String,
    broker: Broker,
    journal: Journal,
}

impl Player {
    pub fn class(journal: &Journal) -> ModuleClass {
        let journal = journal.clone();
        ModuleClass::from_fn(move |arguments, broker| {
            journal.note(format!("create {arguments}"));
            let player = Self { arguments: arguments.to_owned(), broker, journal: journal.clone() };
            player.perhaps_fail("create")?;
            Ok(Box::new(player))
        })
    }

    fn perhaps_fail(&self, call: &str) -> Result<(), ModuleError> {
        assert!(!self.arguments.contains(&format!("panic in {call}")), "as the arguments wish");
        match self.arguments.contains(&format!("refuse in {call}")) {
            true => Err("as the arguments wish".into()),
            false => Ok(()),
        }
    }
}

impl Instance for Player {
    fn start(&mut self) -> Result<(), ModuleError> {
        self.journal.note("start");
        self.perhaps_fail("start")
    }

    fn receive(&mut self, message: Message) -> Result<(), ModuleError> {
        self.journal.note(format!("receive {}", message.property("text").unwrap_or_default()));
        self.perhaps_fail("receive")?;
        Ok(self.broker.publish_message(&message)?)
    }

    fn destroy(&mut self) {
        self.journal.note("destroy");
        self.perhaps_fail("destroy").unwrap();
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.journal.note("drop");
        assert!(!self.arguments.contains("panic in drop"), "as the arguments wish");
    }
}

/// A module that sends every message back.
pub struct Echo(Broker);

impl GatewayModule for Echo {
    fn create(_arguments: &str, broker: Broker) -> Result<Self, ModuleError> {
        Ok(Self(broker))
    }

    fn receive(&mut self, message: Message) -> Result<(), ModuleError> {
        Ok(self.0.publish_message(&message)?)
    }
}

/// The far ends of the channels that a module has opened.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Ends>>);

#[derive(Default)]
struct Ends {
    controls: VecDeque<Arc<dyn Channel>>,
    messages: VecDeque<Arc<dyn Channel>>,
    /// How often the next message channel is looked at before its peer is seen.
    looks: Option<Arc<AtomicU32>>,
}

impl Transport for Memory {
    fn control(&self) -> Result<Arc<dyn Channel>, TransportError> {
        let (near, far) = MemoryChannel::pair(CAPACITY);
        self.0.lock().unwrap().controls.push_back(Arc::new(far));
        Ok(Arc::new(near))
    }

    fn message(&self, uri: &str, _room: Window) -> Result<Arc<dyn Channel>, TransportError> {
        let _: Address = uri.parse()?;
        let (near, far) = MemoryChannel::pair(CAPACITY);
        let mut ends = self.0.lock().unwrap();
        ends.messages.push_back(Arc::new(far));
        Ok(Arc::new(LateChannel::new(near, ends.looks.take().unwrap_or_default())))
    }
}

/// Waits until the condition holds, up to the end of patience.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

pub fn next(channel: &dyn Channel) -> Option<Bytes> {
    match channel.poll_recv(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(frame) => frame.ok(),
        Poll::Pending => None,
    }
}

pub fn create(arguments: &str) -> Control {
    Control::Create(Create { uri: URI.into(), arguments: arguments.into() })
}

pub fn message(text: &str) -> Message {
    Message::new(&[("text", text)], text).unwrap()
}
