//! A host that does with its rings what it likes.

use std::fs::File;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg};
use sandgate_ring::{Arena, Push};
use sandgate_wire::link::{Features, Frame, Lane, LinkError, Side, Violation};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use super::link::{End, Ends, HOST, RawEnd, WINDOW, is_connected, is_disconnected, next_parcel, parcel};
use super::within;

pub const MODULE: u32 = 3;
pub const EPOCH: u32 = 2;

pub fn end(side: Side) -> End {
    End::with(side, Features::OURS.and(Features::RINGS))
}

/// The gateway's first frame, with what comes beside it.
pub async fn receive_with(stream: &UnixStream) -> (Frame, Vec<OwnedFd>) {
    let mut bytes = [0; 24];
    let receiving = stream.async_io(Interest::READABLE, || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let slices = &mut [IoSliceMut::new(&mut bytes)];
        let received = recvmsg(stream, slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        assert_eq!(received.bytes, 24);
        let rights = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        Ok(rights.flatten().collect())
    });
    let descriptors = within("the first frame", receiving).await.unwrap();
    (Frame::parse(&bytes).unwrap().unwrap().0, descriptors)
}

/// The rings' memory, for who does not keep to what is agreed. The first slot's words are told by `ring/src/layout.rs`.
pub struct Memory(pub File);

/// Up to which word the gateway has published, and up to which it has read.
pub const GATEWAY_TAIL: u64 = 552;
pub const GATEWAY_HEAD: u64 = 554;
/// What says that the slot has something for the gateway.
pub const GATEWAY_MARKS: [u64; 2] = [24, 16];
/// Up to which word the host has published, and up to which it has read.
pub const HOST_TAIL: u64 = 560;
pub const HOST_HEAD: u64 = 562;

impl Memory {
    pub fn load(&self, word: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, word * 8).unwrap();
        u64::from_ne_bytes(bytes)
    }

    pub fn store(&self, word: u64, value: u64) {
        self.0.write_all_at(&value.to_ne_bytes(), word * 8).unwrap();
    }
}

/// A gateway that carries a lane, and a host that has its rings.
pub struct HostileHost {
    pub peer: RawEnd,
    pub gateway: End,
    pub lane: Lane,
    pub carried: JoinHandle<LinkError>,
    pub rings: sandgate_ring::End,
    pub arena: Arena,
    pub memory: Memory,
    pub bell: OwnedFd,
}

impl HostileHost {
    pub async fn connect() -> Self {
        let gateway = end(Side::Gateway);
        let lane = Lane::new(MODULE, EPOCH, WINDOW);
        gateway.lanes.add(&lane);
        let (mut peer, stream) = RawEnd::pair();
        let carried = gateway.carry(stream, HOST);
        let (frame, descriptors) = receive_with(&peer.stream).await;
        assert_eq!(frame, Frame::Rings { used: true });
        let [memory, bell] = <[OwnedFd; 2]>::try_from(descriptors).unwrap();
        let raw = Memory(File::from(memory.try_clone().unwrap()));
        let arena = Arena::open(memory).unwrap();
        peer.send(Frame::Rings { used: true }).await;
        let Frame::Slot { module: MODULE, epoch: EPOCH, slot } = peer.recv().await else { panic!("a Slot") };
        let rings = arena.end(sandgate_ring::Slot { number: slot.number, life: slot.life }).unwrap();
        assert!(arena.end(sandgate_ring::Slot { number: slot.number, life: slot.life }).is_none());
        peer.open(WINDOW).await;
        is_connected(&lane).await;
        Self { peer, gateway, lane, carried, rings, arena, memory: raw, bell }
    }

    pub fn push(&mut self, record: &[u8], kind: u8) {
        assert_eq!(self.rings.push(&[record], kind).unwrap(), Push::Done);
        let _ = self.rings.publish();
    }

    pub fn ring(&self) {
        let _ = rustix::net::send(&self.bell, &[0], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }

    /// The gateway ends the connection for this, and the lane is none the worse for it.
    pub async fn ends_for(self, expected: fn(&Violation) -> bool) {
        let (gateway, lane) = self.broken_by(expected).await;
        let ends = Ends { gateway, host: end(Side::Host) };
        let far = Lane::new(MODULE, EPOCH, WINDOW);
        ends.host.lanes.add(&far);
        let _connected = ends.connect().await;
        is_connected(&lane).await;
        lane.try_send(parcel(7, 8)).unwrap();
        while next_parcel(&far).await.1 != 7 {}
    }

    pub async fn broken_by(mut self, expected: fn(&Violation) -> bool) -> (End, Lane) {
        // It may sleep; who breaks the rules of the rings may also ring.
        self.ring();
        match within("the end", self.carried).await.unwrap() {
            LinkError::Violation(violation) => assert!(expected(&violation), "{violation}"),
            other => panic!("{other}"),
        }
        assert!(!self.peer.expect_bye().await.is_empty());
        is_disconnected(&self.lane).await;
        (self.gateway, self.lane)
    }
}

/// A record with a parcel of this number, whose body has this length.
pub fn encoded(sequence: u64, length: usize) -> Vec<u8> {
    let frame = Frame::Parcel { module: MODULE, epoch: EPOCH, sequence, parcel: parcel(sequence, length) };
    let bytes = frame.encode().unwrap();
    [&sequence.to_be_bytes(), &bytes[24..]].concat()
}
