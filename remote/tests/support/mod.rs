//! What the tests share: a gateway that is played over channels in memory, step by step, and a module that does
//! what its messages say.

#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandgate_remote::{
    Broker, GatewayModule, Instance, ModuleClass, ModuleConfiguration, ModuleError, ProxyGateway, Transport,
    TransportError, Work, Worker,
};
use sandgate_wire::{Address, Channel, Control, Create, MemoryChannel, Message, Status};

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
}

impl Transport for Memory {
    fn control(&self) -> Result<Arc<dyn Channel>, TransportError> {
        let (near, far) = MemoryChannel::pair(CAPACITY);
        self.0.lock().unwrap().controls.push_back(Arc::new(far));
        Ok(Arc::new(near))
    }

    fn message(&self, uri: &str) -> Result<Arc<dyn Channel>, TransportError> {
        let _: Address = uri.parse()?;
        let (near, far) = MemoryChannel::pair(CAPACITY);
        self.0.lock().unwrap().messages.push_back(Arc::new(far));
        Ok(Arc::new(near))
    }
}

/// Where gateways find a module that works in a thread of its own.
#[derive(Default)]
pub struct Far(Memory);

/// A gateway whose calls wait.
pub struct Gateway {
    pub control: Arc<dyn Channel>,
    memory: Memory,
}

impl Far {
    pub fn proxy(&self, module: ModuleClass) -> ProxyGateway {
        ProxyGateway::over(
            ModuleConfiguration { identifier: "played".into(), module },
            Arc::new(self.0.clone()),
        )
    }

    /// A gateway at the control channel that was bound last.
    pub fn gateway(&self) -> Gateway {
        let control = self.0.0.lock().unwrap().controls.pop_back().expect("a control channel is bound");
        Gateway { control, memory: self.0.clone() }
    }
}

impl Gateway {
    pub fn send(&self, control: &Control) {
        self.control.try_send(control.encode().unwrap()).unwrap();
    }

    pub fn reply(&self) -> Status {
        let mut frame = None;
        until("a Reply", || {
            frame = next(&*self.control);
            frame.is_some()
        });
        match Control::decode(&frame.unwrap()).unwrap() {
            Control::Reply(reply) => reply.status,
            other => panic!("a module sends Replies only, not {other:?}"),
        }
    }

    /// Create with success, and Start.
    pub fn attach(&self, arguments: &str) -> Arc<dyn Channel> {
        self.send(&create(arguments));
        assert_eq!(self.reply(), Status::SUCCESS);
        self.send(&Control::Start);
        self.memory.0.lock().unwrap().messages.pop_back().unwrap()
    }

    pub fn receive(&self, channel: &dyn Channel) -> Message {
        let mut frame = None;
        until("a message", || {
            frame = next(channel);
            frame.is_some()
        });
        Message::decode(frame.unwrap()).unwrap()
    }

    pub fn assert_echo(&self, channel: &dyn Channel, text: &str) {
        channel.try_send(message(text).frame().clone()).unwrap();
        assert_eq!(self.receive(channel).property("text"), Some(text));
    }
}

/// Waits until the condition holds, up to the end of patience.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A gateway, and the module that it plays with, which works in the same thread: nothing happens between two calls.
pub struct Stage {
    pub proxy: ProxyGateway,
    pub worker: Worker,
    pub journal: Journal,
    memory: Memory,
    control: Arc<dyn Channel>,
    message: Option<Arc<dyn Channel>>,
}

impl Stage {
    pub fn new() -> Self {
        let journal = Journal::default();
        let mut stage = Self::with(Player::class(&journal));
        stage.journal = journal;
        stage
    }

    /// With another module, which has no journal.
    pub fn with(module: ModuleClass) -> Self {
        let (memory, journal) = (Memory::default(), Journal::default());
        let configuration = ModuleConfiguration { identifier: "played".into(), module };
        let proxy = ProxyGateway::over(configuration, Arc::new(memory.clone()));
        let worker = proxy.attach_by_hand().unwrap();
        let control = memory.0.lock().unwrap().controls.pop_front().unwrap();
        Self { proxy, worker, journal, memory, control, message: None }
    }

    /// Lets the module work until there is nothing to do.
    pub fn work(&mut self) -> Work {
        loop {
            match self.worker.do_work() {
                Work::Done => {}
                other => return other,
            }
        }
    }

    /// Sends a frame over the control channel without letting the module work.
    pub fn put(&self, frame: impl Into<Bytes>) {
        self.control.try_send(frame.into()).unwrap();
    }

    pub fn control(&mut self, control: &Control) {
        self.put(control.encode().unwrap());
        self.work();
    }

    /// Sends a Create, and takes the message channel that was opened for it last.
    pub fn create(&mut self, arguments: &str) {
        self.control(&create(arguments));
        self.take_message_channel();
    }

    /// Takes the message channel that was opened last.
    pub fn take_message_channel(&mut self) {
        while let Some(channel) = self.memory.0.lock().unwrap().messages.pop_front() {
            self.message = Some(channel);
        }
    }

    /// Create with success, and Start.
    pub fn attach(&mut self, arguments: &str) {
        self.create(arguments);
        assert_eq!(self.replies(), [Status::SUCCESS]);
        self.control(&Control::Start);
    }

    /// The Replies that have come.
    pub fn replies(&self) -> Vec<Status> {
        let frames = std::iter::from_fn(|| next(&*self.control));
        frames
            .map(|frame| match Control::decode(&frame).unwrap() {
                Control::Reply(reply) => reply.status,
                other => panic!("a module sends Replies only, not {other:?}"),
            })
            .collect()
    }

    pub fn next_reply_bytes(&self) -> Bytes {
        next(&*self.control).unwrap()
    }

    /// Sends a frame over the message channel without letting the module work.
    pub fn put_data(&self, frame: impl Into<Bytes>) {
        self.message.as_ref().unwrap().try_send(frame.into()).unwrap();
    }

    pub fn publish(&mut self, text: &str) {
        self.put_data(message(text).frame().clone());
        self.work();
    }

    /// The texts of the messages that have come back.
    pub fn received(&self) -> Vec<String> {
        let channel = self.message.as_ref().unwrap();
        let frames = std::iter::from_fn(|| next(&**channel));
        frames.map(|frame| Message::decode(frame).unwrap().property("text").unwrap().to_owned()).collect()
    }

    pub fn assert_echo(&mut self, text: &str) {
        self.publish(text);
        assert_eq!(self.received(), [text]);
    }

    /// The far end of the message channel.
    pub fn message_channel(&self) -> Arc<dyn Channel> {
        self.message.clone().unwrap()
    }

    /// How many message channels were opened that nobody has taken.
    pub fn channels_opened(&self) -> usize {
        self.memory.0.lock().unwrap().messages.len()
    }

    /// The gateway dies without a word, and another one finds what the module has bound then.
    pub fn die_and_come_again(&mut self) {
        drop(self.control.close());
        if let Some(message) = self.message.take() {
            drop(message.close());
        }
        // The end in memory is gone for good, so the module must have made another.
        let (_, far) = MemoryChannel::pair(1);
        self.control = Arc::new(far);
        self.work();
        self.control = self.memory.0.lock().unwrap().controls.pop_front().expect("bound anew");
    }
}

/// The gateway goes first, for the module gives one that is there some time to read.
impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.control.close());
        self.message.iter().for_each(|message| drop(message.close()));
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
