//! A gateway's end of the host link, played frame by frame on the real socket.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use sandgate_wire::link::{Frame, Greeting, Instance, Offer, Parcel, Signal, State, Window};
use sandgate_wire::{Control, Status};

use super::stage::Stage;
use super::{message, until};

pub const WINDOW: Window = Window { messages: 16, bytes: 1 << 20 };

/// One connection, and the lane of one attach.
pub struct Link {
    stream: UnixStream,
    read: Vec<u8>,
    pub module: u32,
    pub epoch: u32,
}

/// What a success Reply offers.
pub fn offer(stage: &Stage) -> Offer {
    match Control::decode(&stage.next_reply_bytes()).unwrap() {
        Control::Reply(reply) => {
            assert_eq!(reply.status, Status::SUCCESS);
            Offer::decode(&reply.extension).unwrap().expect("the link is offered")
        }
        other => panic!("{other:?}"),
    }
}

impl Link {
    /// Connects as a gateway of its own.
    pub fn connect(offer: &Offer, epoch: u32) -> Self {
        let mut stream = UnixStream::connect(offer.address.as_ref().unwrap()).unwrap();
        let hello = Frame::Hello(Greeting::ours(Instance::random()));
        stream.write_all(&hello.encode().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut link = Self { stream, read: Vec::new(), module: offer.module, epoch };
        assert!(matches!(link.next(|| {}), Frame::Hello(_)));
        link
    }

    /// Create, the link, the lane, and Start.
    pub fn attach(stage: &mut Stage, arguments: &str, epoch: u32) -> Self {
        stage.create(arguments);
        let mut link = Self::connect(&offer(stage), epoch);
        link.open(stage);
        link.send(&Frame::Signal(Signal::Start { module: link.module, epoch }));
        link
    }

    pub fn open(&mut self, stage: &mut Stage) {
        let (module, epoch) = (self.module, self.epoch);
        self.send(&Frame::Signal(Signal::Open { module, epoch, window: WINDOW, received: 0 }));
        let opened = self.recv(stage);
        assert!(matches!(opened, Frame::Signal(Signal::Opened { .. })), "{opened:?}");
    }

    pub fn send(&mut self, frame: &Frame) {
        self.stream.write_all(&frame.encode().unwrap()).unwrap();
    }

    /// Sends a message for the module.
    pub fn send_message(&mut self, sequence: u64, attempt: u32, text: &str) {
        let body = message(text).frame().clone();
        self.send_parcel(sequence, Parcel { attempt, redelivery_max: 3, ..Parcel::message(body) });
    }

    pub fn send_parcel(&mut self, sequence: u64, parcel: Parcel) {
        self.send(&Frame::Parcel { module: self.module, epoch: self.epoch, sequence, parcel });
    }

    /// The next frame but statistics and that the module works, with the module at work meanwhile.
    pub fn recv(&mut self, stage: &mut Stage) -> Frame {
        loop {
            let work = || {
                stage.work();
            };
            match self.next(work) {
                Frame::Signal(Signal::Statistics { .. } | Signal::State { state: State::Running, .. }) => {}
                frame => return frame,
            }
        }
    }

    pub fn next(&mut self, mut meanwhile: impl FnMut()) -> Frame {
        let mut frame = None;
        until("a frame", || {
            meanwhile();
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) => panic!("the program has closed the link"),
                Ok(size) => self.read.extend_from_slice(&bytes[..size]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            if let Some((parsed, size)) = Frame::parse(&self.read).unwrap() {
                self.read.drain(..size);
                frame = Some(parsed);
            }
            frame.is_some()
        });
        frame.unwrap()
    }
}
