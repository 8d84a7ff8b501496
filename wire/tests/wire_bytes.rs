//! A pair channel against a peer that plays the recorded Unix domain socket stream byte by byte.

mod support;

use std::os::unix::net::UnixListener;

use sandgate_wire::{Channel, Control};
use support::{HANDSHAKE, Place, RawPeer, connected, dial, listen, recv, send, taken};

const CREATE: &[u8] = include_bytes!("golden/create.bin");
const FRAME: &[u8] = include_bytes!("golden/ipc-frame-create.bin");

/// Greeting and frames in both directions, one byte at a time.
async fn speaks_as_recorded(channel: &dyn Channel, peer: &mut RawPeer) {
    for byte in HANDSHAKE {
        peer.write(&[byte]);
    }
    assert_eq!(peer.read(HANDSHAKE.len()), HANDSHAKE);
    connected(channel).await;

    for byte in FRAME {
        peer.write(&[*byte]);
    }
    let frame = recv(channel).await;
    assert_eq!(frame, CREATE);

    let create = Control::decode(&frame).unwrap();
    send(channel, create.encode().unwrap()).await;
    assert_eq!(peer.read(FRAME.len()), FRAME);
}

#[tokio::test]
async fn a_listener_speaks_as_recorded() {
    let place = Place::new();
    let channel = listen(&place.address());
    speaks_as_recorded(&channel, &mut RawPeer::dial(&place.socket())).await;
}

#[tokio::test]
async fn a_dialler_speaks_as_recorded() {
    let place = Place::new();
    let listener = UnixListener::bind(place.socket()).unwrap();
    let channel = dial(&place.address());
    speaks_as_recorded(&channel, &mut RawPeer::accept(&listener)).await;
}

#[tokio::test]
async fn several_frames_in_one_write_arrive_in_order() {
    let place = Place::new();
    let channel = listen(&place.address());
    let mut peer = RawPeer::greeted(&place.socket());
    let many: Vec<u8> = (0..100_u8).flat_map(|number| support::frame(&[number])).collect();
    peer.write(&many);
    for number in 0..100_u8 {
        assert_eq!(recv(&channel).await, [number][..]);
    }
}

#[tokio::test]
async fn an_empty_frame_is_a_frame() {
    let place = Place::new();
    let channel = listen(&place.address());
    let mut peer = RawPeer::greeted(&place.socket());
    peer.send(b"");
    assert_eq!(recv(&channel).await, "");
    send(&channel, "").await;
    assert_eq!(peer.recv(), b"");
}

/// Neither a wrong greeting nor a wrong frame type may disturb the next peer.
#[tokio::test]
async fn a_peer_of_another_protocol_is_turned_away() {
    let place = Place::new();
    let channel = listen(&place.address());
    for greeting in [*b"\0SP\0\0\x11\0\0", *b"\0SP\0\0\x10\0\x01", *b"GET / HT", [0xff; 8]] {
        let mut stranger = RawPeer::dial(&place.socket());
        stranger.write(&greeting);
        stranger.expect_end();
    }
    assert_eq!(channel.statistics().lost_connections, 0);

    let mut peer = taken(&channel, || RawPeer::greeted(&place.socket())).await;
    peer.write(&[2; 9]);
    peer.expect_end();
    support::alone(&channel).await;
    assert_eq!(channel.statistics().lost_connections, 1);

    let mut peer = taken(&channel, || RawPeer::greeted(&place.socket())).await;
    peer.send(b"hello");
    assert_eq!(recv(&channel).await, "hello");
}
