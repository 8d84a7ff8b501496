//! A gateway whose calls wait, for a module that works in a thread of its own.

use std::sync::Arc;

use sandgate_remote::{ModuleClass, ModuleConfiguration, ProxyGateway};
use sandgate_wire::{Channel, Control, Message, Status};

use super::{Memory, create, message, next, until};

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
