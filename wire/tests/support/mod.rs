//! What the channel tests share: addresses in a private directory, waiting with an overall timeout,
//! and a peer that speaks nng's stream format byte by byte.
#![allow(dead_code, reason = "every test binary uses some of it")]

pub mod link;
pub mod rings;

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandgate_wire::channel::{PairOptions, Peer, SendError};
use sandgate_wire::{Address, Channel, PairChannel};
use tempfile::TempDir;

/// How long a test waits for anything before it fails. No test measures time.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const HANDSHAKE: [u8; 8] = *include_bytes!("../golden/ipc-handshake.bin");

/// Small enough to fill quickly, large enough for batches.
pub const OPTIONS: PairOptions = PairOptions { frame_max: 1 << 16, capacity: 16 };

/// A directory of its own for sockets, removed at the end of the test.
pub struct Place {
    directory: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { directory: tempfile::Builder::new().prefix("sg").tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn socket(&self) -> PathBuf {
        self.path().join("s")
    }

    pub fn address(&self) -> Address {
        Address::from_path(&self.socket()).unwrap()
    }
}

/// A TCP address that nobody uses at the moment.
pub fn free_tcp_address() -> Address {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("tcp://127.0.0.1:{port}").parse().unwrap()
}

/// Fails the test when the future takes longer than [`PATIENCE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// Polls a condition that nothing announces.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    within(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// The same without a runtime.
pub fn until_blocking(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub async fn peer_is(channel: &dyn Channel, what: &str, wanted: impl FnMut(&Peer) -> bool) -> Peer {
    *within(what, channel.peer().wait_for(wanted)).await.unwrap()
}

pub async fn connected(channel: &dyn Channel) {
    peer_is(channel, "a peer", |peer| peer.connected).await;
}

pub async fn alone(channel: &dyn Channel) {
    peer_is(channel, "the peer to go", |peer| !peer.connected).await;
}

pub async fn send(channel: &dyn Channel, frame: impl Into<Bytes>) {
    within("room to send", channel.send(frame.into())).await.unwrap();
}

pub async fn recv(channel: &dyn Channel) -> Bytes {
    within("a frame", channel.recv()).await.unwrap()
}

/// Sends until the channel is full, and says how many frames it took.
pub async fn fill(channel: &dyn Channel, frame: &Bytes) -> u64 {
    let mut accepted = 0;
    let mut rounds_without = 0;
    // A socket takes some more a little later; it is full when it stays full.
    while rounds_without < 50 {
        match channel.try_send(frame.clone()) {
            Ok(()) => {
                accepted += 1;
                rounds_without = 0;
                assert!(accepted < 1_000_000, "accepts frames without end");
            }
            Err(SendError::Full(back)) => {
                assert_eq!(&back, frame);
                rounds_without += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(SendError::Closed) => panic!("closed"),
        }
    }
    accepted
}

pub fn listen(address: &Address) -> PairChannel {
    PairChannel::listen(address, OPTIONS).unwrap()
}

pub fn dial(address: &Address) -> PairChannel {
    PairChannel::dial(address, OPTIONS).unwrap()
}

/// Two connected ends.
pub async fn pair(address: &Address) -> (PairChannel, PairChannel) {
    let (left, right) = (listen(address), dial(address));
    connected(&left).await;
    connected(&right).await;
    (left, right)
}

/// Sends one frame each way.
pub async fn exchange(left: &dyn Channel, right: &dyn Channel) {
    send(left, "there").await;
    assert_eq!(recv(right).await, "there");
    send(right, "and back").await;
    assert_eq!(recv(left).await, "and back");
}

/// A peer without nng on a Unix domain socket.
pub struct RawPeer(pub UnixStream);

impl RawPeer {
    /// Connects, no greeting yet. Tries again as any dialler does: a listener without a peer is renewed
    /// now and then, and is not there for a moment.
    pub fn dial(path: &Path) -> Self {
        let end = Instant::now() + PATIENCE;
        loop {
            match UnixStream::connect(path) {
                Ok(stream) => return Self::new(stream),
                Err(error) if Instant::now() > end => panic!("{}: {error}", path.display()),
                Err(_) => std::thread::yield_now(),
            }
        }
    }

    pub fn accept(listener: &UnixListener) -> Self {
        Self::new(listener.accept().unwrap().0)
    }

    fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// Connects and exchanges greetings.
    pub fn greeted(path: &Path) -> Self {
        let mut peer = Self::dial(path);
        peer.greet();
        peer
    }

    /// Exchanges greetings. A refusal may come at any moment of it, and shows afterwards.
    pub fn greet(&mut self) {
        let mut greeting = HANDSHAKE;
        if self.0.write_all(&HANDSHAKE).is_ok() && self.0.read_exact(&mut greeting).is_ok() {
            assert_eq!(greeting, HANDSHAKE);
        }
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub fn send(&mut self, payload: &[u8]) {
        self.write(&frame(payload));
    }

    pub fn claim(&mut self, length: u64) {
        self.write(&[1]);
        self.write(&length.to_be_bytes());
    }

    pub fn recv(&mut self) -> Vec<u8> {
        let header = self.read(9);
        assert_eq!(header[0], 1);
        let length = u64::from_be_bytes(header[1..].try_into().unwrap());
        self.read(usize::try_from(length).unwrap())
    }

    pub fn has_ended(&mut self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let read = self.0.read(&mut [0]);
        self.0.set_nonblocking(false).unwrap();
        match read {
            Ok(0) => true,
            Ok(_) => panic!("a byte that nobody waits for"),
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Waits for the other side to end the connection.
    pub fn expect_end(&mut self) {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }
}

/// A peer that the channel has taken. nng refuses one that comes while it buries the one before.
pub async fn taken(channel: &dyn Channel, mut next: impl FnMut() -> RawPeer) -> RawPeer {
    let before = channel.peer().borrow().connections;
    let mut peer = next();
    until("the channel to take a peer", || {
        if channel.peer().borrow().connections > before {
            return true;
        }
        if peer.has_ended() {
            peer = next();
        }
        false
    })
    .await;
    peer
}

/// A payload as it goes over a Unix domain socket.
pub fn frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A line such as `VmRSS:` of this process's status, in KiB.
pub fn process_status(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
