//! Shared memory segments at a host whose gateway has none, or does not answer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use sandgate_host::{Limits, LinkServer};
use sandgate_wire::Control;
use sandgate_wire::link::{Frame, Greeting, Instance, SegmentFrame, Signal, Window, greet};
use support::{Gateway, message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
const MODULE: u32 = 0;
const EPOCH: u32 = 1;
const WINDOW: Window = Window { messages: 100, bytes: 1 << 20 };

/// What comes of a command to the fixture.
async fn outcome(gateway: &Gateway, command: &str) -> String {
    gateway.publish(&message(&[("misbehave", command)], b"")).await;
    gateway.receive().await.property("outcome").unwrap().to_owned()
}

/// The gateway's end of a link, frame by frame.
struct Peer {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Peer {
    async fn send(&mut self, signal: Signal) {
        self.stream.write_all(&Frame::Signal(signal).encode().unwrap()).await.unwrap();
    }

    /// The next frame that is neither a state nor statistics.
    async fn next(&mut self) -> Frame {
        loop {
            while let Some((frame, length)) = Frame::parse(&self.buffer).unwrap() {
                self.buffer.drain(..length);
                if !matches!(frame, Frame::Signal(Signal::State { .. } | Signal::Statistics { .. })) {
                    return frame;
                }
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
            assert_ne!(read.expect("a frame comes").unwrap(), 0, "the host has gone");
        }
    }

    async fn expect(&mut self, frame: SegmentFrame) {
        assert_eq!(self.next().await, Frame::Segment { module: MODULE, epoch: EPOCH, frame });
    }
}

#[tokio::test]
async fn a_gateway_of_v1_has_no_segments() {
    let mut gateway = Gateway::with("use_segments").await;
    gateway.attach("null").await;
    assert_eq!(outcome(&gateway, "create frames 10").await, "Err(SegmentError::Unavailable)");
    let token = "00112233445566778899aabbccddeeff";
    assert_eq!(outcome(&gateway, &format!("open {token}")).await, "Err(SegmentError::Unavailable)");
    assert_eq!(outcome(&gateway, "open nonsense").await, "Err(SegmentError::NoSuch)");
}

/// The call has time left to do something about it, and the gateway hears that nobody waits any more.
#[tokio::test]
async fn a_guest_does_not_wait_for_ever_for_a_gateway_that_does_not_answer() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (server, serving) = LinkServer::inherit(theirs);
    tokio::spawn(serving);
    let mut peer = Peer { stream: ours, buffer: Vec::new() };
    greet(&mut peer.stream, &Greeting::ours(Instance::random())).await.unwrap();
    let limits = Limits { timeout: Duration::from_millis(200), ..Limits::default() };
    let mut gateway = Gateway::with_link("use_segments", limits, false, Some(server)).await;
    gateway.create("null").await;
    assert!(gateway.reply().await.is_success());
    gateway.open_message_channel().await;
    peer.send(Signal::Open { module: MODULE, epoch: EPOCH, window: WINDOW, received: 0 }).await;
    assert!(matches!(peer.next().await, Frame::Signal(Signal::Opened { .. })));
    // Messages go by V1's channel, and the lane is for segments alone.
    gateway.send(Control::Start).await;
    for request in 1..=2 {
        assert_eq!(outcome(&gateway, "create frames 10").await, "Err(SegmentError::Unavailable)");
        peer.expect(SegmentFrame::Create { request, size: 10, pool: "frames".into() }).await;
        peer.expect(SegmentFrame::Close { request }).await;
    }
}
