//! A peer on the host link that does what a test tells it, frame by frame.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use sandgate_wire::link::frame::Header;
use sandgate_wire::link::{Features, Frame, Greeting, Instance, Signal, Versions};

use crate::scratch::Scratch;
use crate::wait::{PATIENCE, until_some};

/// One end of a connection.
pub struct LinkPeer {
    stream: UnixStream,
    read: Vec<u8>,
}

impl LinkPeer {
    /// On a connection that is there.
    #[must_use]
    pub fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, read: Vec::new() }
    }

    /// Connects to the host whose temporary files are here.
    #[must_use]
    pub fn dial(scratch: &Scratch) -> Self {
        let stream = until_some("a host's link", || UnixStream::connect(socket(scratch.path())?).ok());
        Self::new(stream)
    }

    /// Says Hello with these versions and all features that need no answer, and hears the other side's.
    pub fn greet(&mut self, instance: Instance, oldest: u16, newest: u16) -> Greeting {
        let (versions, features) = (Versions { oldest, newest }, Features(!Features::RINGS.0));
        self.send(&Frame::Hello(Greeting { versions, features, instance }));
        match self.recv() {
            Frame::Hello(greeting) => greeting,
            other => panic!("{other:?} where Hello was expected"),
        }
    }

    /// Sends a frame.
    pub fn send(&mut self, frame: &Frame) {
        self.stream.write_all(&frame.encode().unwrap()).unwrap();
    }

    /// Sends frames of kinds that nobody knows, with flags that nobody knows.
    pub fn send_unknown(&mut self) {
        for (kind, length) in [(0, 0), (90, 5), (99, 70_000), (255, 1)] {
            let header = Header { kind, flags: 0xff, length, ..Header::default() };
            self.stream.write_all(&header.encode()).unwrap();
            self.stream.write_all(&vec![7; length as usize]).unwrap();
        }
    }

    /// The next frame; none when the connection has ended.
    #[must_use]
    pub fn try_recv(&mut self) -> Option<Frame> {
        let mut buffer = [0; 4096];
        loop {
            if let Some((frame, length)) = Frame::parse(&self.read).unwrap() {
                self.read.drain(..length);
                return Some(frame);
            }
            match self.stream.read(&mut buffer).expect("waited too long for a frame") {
                0 => return None,
                count => self.read.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// The next frame that is neither a heartbeat nor statistics.
    #[must_use]
    pub fn recv(&mut self) -> Frame {
        loop {
            match self.try_recv().expect("the connection has ended") {
                Frame::Ping { .. } | Frame::Pong { .. } | Frame::Signal(Signal::Statistics { .. }) => {}
                frame => return frame,
            }
        }
    }

    /// Waits for Bye and the end of the connection, and gives the reason.
    #[must_use]
    pub fn expect_bye(&mut self) -> String {
        let mut reason = None;
        while let Some(frame) = self.try_recv() {
            if let Frame::Signal(Signal::Bye { reason: said }) = frame {
                reason = Some(said);
            }
        }
        reason.expect("a Bye before the end")
    }
}

/// The socket of a host in this directory.
fn socket(directory: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path().join("link"));
    paths.find(|path| path.exists())
}
