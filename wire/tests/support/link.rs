//! What the tests of the host link share: ends that carry lanes, and a peer that speaks frame by frame.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use sandgate_wire::link::{
    Agreed, Arrival, Beats, Features, Frame, Greeting, Instance, Lane, Lanes, LinkError, Parcel, ParcelKind,
    Side, Signal, Window, carry, greet,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::within;

/// Small enough to be used up quickly.
pub const WINDOW: Window = Window { messages: 8, bytes: 1 << 20 };

/// Long enough never to matter.
pub const BEATS: Beats = Beats { every: Duration::from_secs(60), patience: Duration::from_secs(600) };

pub const GATEWAY: Instance = Instance([1; 16]);
pub const HOST: Instance = Instance([2; 16]);

pub fn agreed(peer: Instance) -> Agreed {
    Agreed { version: 1, features: Features::OURS, peer }
}

/// A parcel whose body begins with a number and has this length at least.
pub fn parcel(number: u64, length: usize) -> Parcel {
    let mut body = BytesMut::new();
    body.put_u64(number);
    body.resize(length.max(8), b'.');
    Parcel {
        kind: ParcelKind::Message,
        attempt: 1,
        redelivery_max: 3,
        about: 0,
        source: Arc::from("source"),
        body: body.freeze(),
    }
}

/// The number in such a parcel.
pub fn number(parcel: &Parcel) -> u64 {
    u64::from_be_bytes(parcel.body[..8].try_into().unwrap())
}

/// The next arrival, which is a parcel: its sequence and number.
pub async fn next_parcel(lane: &Lane) -> (u64, u64) {
    match within("a parcel", lane.recv()).await.unwrap() {
        Arrival::Parcel { sequence, parcel } => (sequence, number(&parcel)),
        other => panic!("{other:?} where a parcel was expected"),
    }
}

/// The next arrival, which is a settling.
pub async fn next_settled(lane: &Lane) -> u64 {
    match within("a settling", lane.recv()).await.unwrap() {
        Arrival::Settled(sequence) => sequence,
        other => panic!("{other:?} where a settling was expected"),
    }
}

pub async fn is_connected(lane: &Lane) {
    within("a connection", lane.connected().wait_for(|connected| *connected)).await.unwrap();
}

pub async fn is_disconnected(lane: &Lane) {
    within("the connection to end", lane.connected().wait_for(|connected| !connected)).await.unwrap();
}

/// One end of a link.
pub struct End {
    pub side: Side,
    pub features: Features,
    pub instance: Instance,
    pub lanes: Lanes,
    pub signals: mpsc::Receiver<Signal>,
    sender: mpsc::Sender<Signal>,
}

impl End {
    pub fn new(side: Side) -> Self {
        Self::with(side, Features::OURS)
    }

    pub fn with(side: Side, features: Features) -> Self {
        let instance = match side {
            Side::Gateway => GATEWAY,
            Side::Host => HOST,
        };
        let (sender, signals) = mpsc::channel(64);
        Self { side, features, instance, lanes: Lanes::new(), signals, sender }
    }

    /// Carries the lanes over a connection to this peer, without a greeting.
    pub fn carry(&self, stream: UnixStream, peer: Instance) -> JoinHandle<LinkError> {
        self.carry_with(stream, peer, BEATS)
    }

    pub fn carry_with(&self, stream: UnixStream, peer: Instance, beats: Beats) -> JoinHandle<LinkError> {
        let (side, lanes, sender) = (self.side, self.lanes.clone(), self.sender.clone());
        let agreed = Agreed { features: self.features, ..agreed(peer) };
        tokio::spawn(async move { carry(stream, &agreed, side, &lanes, &sender, beats).await })
    }

    pub async fn signal(&mut self) -> Signal {
        within("a signal", self.signals.recv()).await.unwrap()
    }
}

/// A gateway's end and a host's.
pub struct Ends {
    pub gateway: End,
    pub host: End,
}

/// Both ends of a connection, which go on until it is cut.
pub struct Connected {
    pub gateway: JoinHandle<LinkError>,
    pub host: JoinHandle<LinkError>,
}

impl Ends {
    pub fn new() -> Self {
        Self::with(Features::OURS)
    }

    pub fn with(features: Features) -> Self {
        Self { gateway: End::with(Side::Gateway, features), host: End::with(Side::Host, features) }
    }

    /// Connects them, with a greeting.
    pub async fn connect(&self) -> Connected {
        let (mut left, mut right) = UnixStream::pair().unwrap();
        let hellos = [Greeting::ours(self.gateway.instance), Greeting::ours(self.host.instance)];
        let (of_host, of_gateway) = tokio::join!(greet(&mut left, &hellos[0]), greet(&mut right, &hellos[1]));
        let gateway = self.gateway.carry(left, of_host.unwrap().peer);
        Connected { gateway, host: self.host.carry(right, of_gateway.unwrap().peer) }
    }

    /// A lane at both ends, with the same window both ways.
    pub fn lane(&self, module: u32, epoch: u32, window: Window) -> (Lane, Lane) {
        let (gateway, host) = (Lane::new(module, epoch, window), Lane::new(module, epoch, window));
        self.gateway.lanes.add(&gateway);
        self.host.lanes.add(&host);
        (gateway, host)
    }
}

impl Ends {
    /// Waits until what comes for a lane that is not there is counted. In rings that nobody reads it just stays.
    pub async fn count_a_stray_at_the_gateway(&self) {
        if self.gateway.features.contains(Features::RINGS) {
            return;
        }
        within("the stray", async {
            while self.gateway.lanes.statistics().strays == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

impl Connected {
    /// Cuts the connection at the host's end and says why the gateway's ended.
    pub async fn cut(self) -> LinkError {
        self.host.abort();
        assert!(self.host.await.unwrap_err().is_cancelled());
        within("the gateway's end", self.gateway).await.unwrap()
    }
}

/// A peer that does what a test tells it.
pub struct RawEnd {
    pub stream: UnixStream,
    buffer: Vec<u8>,
}

impl RawEnd {
    /// A peer and the stream to it.
    pub fn pair() -> (Self, UnixStream) {
        let (stream, other) = UnixStream::pair().unwrap();
        (Self { stream, buffer: Vec::new() }, other)
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        within("room to write", self.stream.write_all(bytes)).await.unwrap();
    }

    pub async fn send(&mut self, frame: Frame) {
        self.write(&frame.encode().unwrap()).await;
    }

    pub async fn signal(&mut self, signal: Signal) {
        self.send(Frame::Signal(signal)).await;
    }

    pub async fn parcel(&mut self, module: u32, epoch: u32, sequence: u64) {
        let parcel = parcel(sequence, 8);
        self.send(Frame::Parcel { module, epoch, sequence, parcel }).await;
    }

    /// The next frame; none when the stream has ended.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, length)) = Frame::parse(&self.buffer).unwrap() {
                self.buffer.drain(..length);
                return Some(frame);
            }
            match within("a frame", self.stream.read_buf(&mut self.buffer)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next frame that is no heartbeat.
    pub async fn recv(&mut self) -> Frame {
        loop {
            match self.next().await.expect("the stream has not ended") {
                Frame::Ping { .. } | Frame::Pong { .. } => {}
                frame => return frame,
            }
        }
    }

    /// The next frame is a signal.
    pub async fn recv_signal(&mut self) -> Signal {
        match self.recv().await {
            Frame::Signal(signal) => signal,
            other => panic!("{other:?} where a signal was expected"),
        }
    }

    /// Waits for Bye and the end of the stream.
    pub async fn expect_bye(&mut self) -> String {
        let mut reason = None;
        while let Some(frame) = self.next().await {
            if let Frame::Signal(Signal::Bye { reason: said }) = frame {
                reason = Some(said);
            }
        }
        reason.expect("a Bye before the end")
    }

    /// As a host: answers the Open of a lane.
    pub async fn open(&mut self, window: Window) -> (u32, u32, u64) {
        let Signal::Open { module, epoch, received, .. } = self.recv_signal().await else {
            panic!("an Open was expected")
        };
        self.signal(Signal::Opened { module, epoch, window, received: 0 }).await;
        (module, epoch, received)
    }
}

/// Sends a frame with descriptors beside its first byte.
pub async fn send_with(stream: &UnixStream, frame: &Frame, descriptors: &[BorrowedFd<'_>]) {
    let bytes = frame.encode().unwrap();
    let sending = stream.async_io(Interest::WRITABLE, || {
        let mut space = vec![MaybeUninit::uninit(); 4096];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
        let sent = sendmsg(stream, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL);
        sent.map_err(std::io::Error::from)
    });
    assert_eq!(within("room", sending).await.unwrap(), bytes.len());
}

/// The bytes of a frame.
pub fn bytes(frame: &Frame) -> Bytes {
    frame.encode().unwrap()
}
