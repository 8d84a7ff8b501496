//! A gateway that is played step by step, with a module that works by hand.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use bytes::Bytes;
use sandgate_remote::{ModuleClass, ModuleConfiguration, ProxyGateway, Work, Worker};
use sandgate_wire::{Channel, Control, MemoryChannel, Message, Status};

use super::{Journal, Memory, Player, create, message, next};

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

    /// The same, with the host link on offer.
    pub fn linked() -> Self {
        let journal = Journal::default();
        let mut stage = Self::offering(Player::class(&journal), true);
        stage.journal = journal;
        stage
    }

    /// With another module, which has no journal.
    pub fn with(module: ModuleClass) -> Self {
        Self::offering(module, false)
    }

    fn offering(module: ModuleClass, link: bool) -> Self {
        let (memory, journal) = (Memory::default(), Journal::default());
        let configuration = ModuleConfiguration { identifier: "played".into(), module };
        let proxy = ProxyGateway::over(configuration, Arc::new(memory.clone())).offer_link(link);
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

    /// Sees to it that the gateway is seen on the next message channel only at the look behind so many. The count goes
    /// down to zero.
    pub fn is_late(&self, looks: u32) -> Arc<AtomicU32> {
        let looks = Arc::new(AtomicU32::new(looks));
        self.memory.0.lock().unwrap().looks = Some(looks.clone());
        looks
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

    /// The gateway goes without a word and takes nothing with it: what it has not read stays in the channel.
    pub fn go(&mut self) {
        drop(self.control.close());
        self.work();
    }

    /// The control channel that was bound since, if there is one.
    pub fn come_again(&mut self) -> bool {
        let bound = self.memory.0.lock().unwrap().controls.pop_front();
        bound.is_some_and(|control| {
            self.control = control;
            true
        })
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
