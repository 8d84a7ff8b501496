//! A peer without a library: it writes the stream of a Unix domain socket byte by byte, and so can write what
//! no library would.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::programs::workspace;
use crate::wait::{PATIENCE, until_some};

/// The greeting of a Pair0 socket, each way.
pub const HANDSHAKE: [u8; 8] = [0, b'S', b'P', 0, 0, 0x10, 0, 0];

/// A connection.
pub struct RawPeer(UnixStream);

impl RawPeer {
    /// Connects as soon as somebody listens there.
    #[must_use]
    pub fn dial(path: &Path) -> Self {
        let what = format!("somebody who listens on {}", path.display());
        Self::new(until_some(&what, || UnixStream::connect(path).ok()))
    }

    /// Connects and exchanges greetings, and stays the only peer: a socket that still has the peer before this
    /// one ends the connection right behind its greeting.
    #[must_use]
    pub fn greeted(path: &Path) -> Self {
        let mut peer = Self::dial(path);
        peer.greet();
        peer
    }

    fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// Exchanges greetings.
    pub fn greet(&mut self) {
        let mut greeting = [0; 8];
        if self.write(&HANDSHAKE) && self.fill(&mut greeting).is_some() {
            assert_eq!(greeting, HANDSHAKE);
        }
    }

    /// Writes bytes as they are; whether the other side took them.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// Writes a frame.
    pub fn send(&mut self, payload: &[u8]) -> bool {
        self.write(&frame(payload))
    }

    /// Writes the head of a frame of this length, and nothing of it.
    pub fn claim(&mut self, length: u64) -> bool {
        self.write(&[&[1][..], &length.to_be_bytes()].concat())
    }

    /// The next bytes.
    #[must_use]
    pub fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// The next frame's payload, or nothing when the connection has ended.
    #[must_use]
    pub fn try_recv(&mut self) -> Option<Vec<u8>> {
        let mut head = [0; 9];
        self.fill(&mut head)?;
        assert_eq!(head[0], 1);
        let length = u64::from_be_bytes(head[1..].try_into().unwrap());
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.fill(&mut payload)?;
        Some(payload)
    }

    /// Reads these bytes, or nothing when the connection has ended.
    fn fill(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.0.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("waited too long for bytes"),
            Err(_) => None,
        }
    }

    /// The next frame's payload.
    #[must_use]
    pub fn recv(&mut self) -> Vec<u8> {
        self.try_recv().expect("the connection has ended")
    }

    /// Ends the connection.
    pub fn shut_down(&self) {
        // An error means that the other side was quicker.
        let _ = self.0.shutdown(Shutdown::Both);
    }

    /// Waits until the other side has ended the connection.
    ///
    /// # Panics
    /// It does not.
    pub fn expect_end(&mut self) {
        match self.0.read_to_end(&mut Vec::new()) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}

/// A socket that waits for raw peers. Dropping it removes its file.
pub struct RawListener {
    listener: UnixListener,
    path: PathBuf,
}

impl RawListener {
    /// Binds a path.
    #[must_use]
    pub fn bind(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener, path: path.to_owned() }
    }

    /// The next connection on which a frame comes, with this frame. A dialler whose connection was ended may
    /// have dialled once more before it was closed: its connections end without a frame.
    #[must_use]
    pub fn accept_frame(&self) -> (RawPeer, Vec<u8>) {
        loop {
            let mut peer = self.accept();
            if let Some(frame) = peer.try_recv() {
                return (peer, frame);
            }
        }
    }

    /// The next connection, with the greetings exchanged.
    #[must_use]
    pub fn accept(&self) -> RawPeer {
        let mut peer = self.accept_ungreeted();
        peer.greet();
        peer
    }

    /// The next connection, on which nothing has been written yet.
    #[must_use]
    pub fn accept_ungreeted(&self) -> RawPeer {
        let what = format!("a connection to {}", self.path.display());
        let (stream, _) = until_some(&what, || self.listener.accept().ok());
        stream.set_nonblocking(false).unwrap();
        RawPeer::new(stream)
    }

    /// Whether somebody has connected whom nobody has accepted.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.listener.accept().is_ok()
    }
}

impl Drop for RawListener {
    fn drop(&mut self) {
        // Somebody else may have removed it.
        let _ = fs::remove_file(&self.path);
    }
}

/// A payload as it goes over a Unix domain socket.
#[must_use]
pub fn frame(payload: &[u8]) -> Vec<u8> {
    [&[1][..], &(payload.len() as u64).to_be_bytes(), payload].concat()
}

/// Bytes that were recorded from real V1 peers.
#[must_use]
pub fn golden(name: &str) -> Vec<u8> {
    fs::read(workspace().join("wire/tests/golden").join(name)).unwrap()
}
