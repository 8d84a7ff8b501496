//! Bytes that no gateway would send, against the real `wasm-host`: it drops and counts them, allocates nothing
//! for what they claim, and serves the next gateway.

use std::path::Path;

use sandgate_tests::process::{Process, number};
use sandgate_tests::procfs::peak_memory_kib;
use sandgate_tests::programs::waiting_host;
use sandgate_tests::raw::{RawPeer, golden};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::{UNKNOWN_VERSION, V1Gateway};
use sandgate_wire::limits::{CONTROL_MAX, MESSAGE_MAX};
use sandgate_wire::{Control, Message, Status};

/// How much memory hostile bytes may cost, in KiB: frames that are within the limits are read.
const COST_KIB: u64 = 100 << 10;

const TEBIBYTE: u64 = 1 << 40;

fn echo_host(scratch: &Scratch) -> Process {
    waiting_host(scratch, &scratch.id("c"), "modules/echo", &["-v", "--no-link"])
}

fn assert_served(scratch: &Scratch) {
    let gateway = V1Gateway::dial(&scratch.id("c"), &scratch.id("m"));
    gateway.attach("null");
    gateway.echo();
}

fn assert_counts(mut host: Process, malformed: u64, oversized: u64) {
    host.stop();
    let line = host.wait_for_line(": stopped");
    assert_eq!((number(&line, "malformed"), number(&line, "oversized")), (malformed, oversized), "{line}");
}

/// A peer that the host has taken: it has answered a message. One that comes while the host's socket still has
/// the peer before it is refused, and tries again.
fn control_peer(path: &Path) -> RawPeer {
    loop {
        let mut peer = RawPeer::greeted(path);
        if peer.send(&UNKNOWN_VERSION) && peer.try_recv().is_some() {
            return peer;
        }
    }
}

#[test]
fn lengths_that_nobody_can_mean_end_the_control_connection() {
    let scratch = Scratch::new();
    let host = echo_host(&scratch);
    let path = scratch.file("c");
    let before = peak_memory_kib(host.pid());
    let lengths = [TEBIBYTE, u64::MAX, 1 << 63, u64::from(u32::MAX) + 1, 3 * CONTROL_MAX as u64];
    for length in lengths {
        let mut peer = control_peer(&path);
        peer.claim(length);
        peer.expect_end();
    }
    let cost = peak_memory_kib(host.pid()) - before;
    assert!(cost < COST_KIB, "{cost} KiB for claims alone");
    assert_served(&scratch);
    assert_counts(host, lengths.len() as u64, 0);
}

#[test]
fn a_control_frame_over_the_limit_is_counted_and_ends_the_connection() {
    let scratch = Scratch::new();
    let host = echo_host(&scratch);
    let path = scratch.file("c");
    for _ in 0..2 {
        let mut peer = control_peer(&path);
        // It may be refused while it is still being written.
        peer.send(&vec![0; CONTROL_MAX + 1]);
        peer.expect_end();
    }
    assert_served(&scratch);
    assert_counts(host, 2, 2);
}

#[test]
fn streams_that_are_no_sp_end_their_connection() {
    let scratch = Scratch::new();
    let host = echo_host(&scratch);
    let path = scratch.file("c");
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 64], &[0xFF; 64], b"\0SP\0\0\x70\0\0"] {
        let mut peer = RawPeer::dial(&path);
        peer.write(bytes);
        peer.expect_end();
    }
    // The frame's first byte must be 1.
    let mut peer = control_peer(&path);
    peer.write(&[7; 64]);
    peer.expect_end();
    assert_served(&scratch);
    assert_counts(host, 1, 0);
}

#[test]
fn malformed_control_messages_are_counted_and_answered_as_v1_does() {
    let scratch = Scratch::new();
    let host = echo_host(&scratch);
    let create = golden("create.bin");
    let altered = |position: usize, value: u8| {
        let mut frame = create.clone();
        frame[position] = value;
        frame
    };
    let answered = [altered(2, 0), altered(2, 2), altered(8, 2), altered(9, 0x11)];
    let mut silent = vec![
        Vec::new(),
        vec![0xA1],
        b"garbage".to_vec(),
        vec![0; 1000],
        altered(0, 0),
        altered(3, 0),
        altered(3, 77),
        // The total, the two sizes, and the NULs at their ends.
        altered(7, 0),
        altered(4, 0xFF),
        altered(13, 0x1F),
        altered(10, 0xFF),
        altered(45, b'x'),
        golden("reply-success.bin"),
        golden("start.bin")[..7].to_vec(),
        [golden("start.bin"), vec![0]].concat(),
    ];
    silent.extend((1..create.len()).map(|length| create[..length].to_vec()));

    let mut peer = control_peer(&scratch.file("c"));
    for frame in &silent {
        assert!(peer.send(frame));
    }
    for frame in &answered {
        assert!(peer.send(frame));
        // Whatever came before it has not been answered.
        assert_eq!(Control::decode(&peer.recv()).unwrap(), Control::Reply(Status::CONNECTION_ERROR.into()));
    }
    // Start and Destroy without a module do nothing.
    assert!(peer.send(&golden("start.bin")) && peer.send(&golden("destroy.bin")));
    drop(peer);
    host.wait_for_line("dropped malformed control messages");
    assert_served(&scratch);
    assert_counts(host, 1 + (silent.len() + answered.len()) as u64, 0);
}

#[test]
fn a_message_channel_that_cannot_be_bound_is_answered_with_1() {
    let scratch = Scratch::new();
    let host = echo_host(&scratch);
    let control = sandgate_tests::pair::Pair::dial(&scratch.id("c"));
    let file = scratch.write("file", "not a socket");
    let long = format!("ipc:///tmp/{}", "x".repeat(200));
    let uris = ["", "http://x", "ipc:///nowhere/at/all", "tcp://x", &long, file.to_str().unwrap()];
    for uri in uris {
        let create = sandgate_wire::Create { uri: uri.to_owned(), arguments: "null".to_owned() };
        control.send(&Control::Create(create).encode().unwrap());
        let reply = Control::decode(&control.recv()).unwrap();
        assert_eq!(reply, Control::Reply(Status::CONNECTION_ERROR.into()), "{uri}");
    }
    assert_eq!(std::fs::read(file).unwrap(), b"not a socket", "a file that is no socket is left alone");
    drop(control);
    assert_served(&scratch);
    assert_counts(host, 0, 0);
}

/// A peer on the message channel that the host has taken: its message has come back.
fn message_peer(path: &Path) -> RawPeer {
    let probe = Message::new(&[("probe", "1")], "").unwrap();
    loop {
        let mut peer = RawPeer::greeted(path);
        if peer.send(probe.frame()) && peer.try_recv().is_some() {
            return peer;
        }
    }
}

/// A host with a module that is started, and the control channel of the gateway that did it.
fn started(scratch: &Scratch) -> (Process, sandgate_tests::pair::Pair) {
    let host = echo_host(scratch);
    let control = sandgate_tests::pair::Pair::dial(&scratch.id("c"));
    let create =
        sandgate_wire::Create { uri: format!("ipc://{}", scratch.id("m")), arguments: "null".to_owned() };
    control.send(&Control::Create(create).encode().unwrap());
    assert_eq!(control.recv(), golden("reply-success.bin"));
    control.send(&golden("start.bin"));
    (host, control)
}

#[test]
fn lengths_that_nobody_can_mean_end_the_message_connection() {
    let scratch = Scratch::new();
    let (host, control) = started(&scratch);
    let path = scratch.file("m");
    let before = peak_memory_kib(host.pid());
    for length in [TEBIBYTE, u64::MAX, 1 << 63, u64::from(u32::MAX) + 1, 3 * MESSAGE_MAX as u64] {
        let mut peer = message_peer(&path);
        peer.claim(length);
        peer.expect_end();
    }
    // Within what the socket may take: claimed, and never sent.
    let mut peer = message_peer(&path);
    peer.claim(2 * MESSAGE_MAX as u64);
    drop(peer);
    drop(message_peer(&path));
    let cost = peak_memory_kib(host.pid()) - before;
    assert!(cost < COST_KIB, "{cost} KiB for claims alone");
    drop(control);
    assert_served(&scratch);
    assert_counts(host, 0, 0);
}

#[test]
fn a_data_frame_over_the_limit_is_counted_and_ends_the_connection() {
    let scratch = Scratch::new();
    let (host, control) = started(&scratch);
    let path = scratch.file("m");
    let mut peer = message_peer(&path);
    peer.send(&vec![0; MESSAGE_MAX + 1]);
    peer.expect_end();
    // The largest that is a message passes.
    let largest = Message::new::<&str, &str>(&[], vec![7; MESSAGE_MAX - 14]).unwrap();
    let mut peer = message_peer(&path);
    assert!(peer.send(largest.frame()));
    assert!(peer.recv() == *largest.frame(), "the largest message comes back as it went");
    drop((peer, control));
    assert_served(&scratch);
    assert_counts(host, 0, 1);
}

#[test]
fn malformed_data_messages_are_counted_and_dropped() {
    let scratch = Scratch::new();
    let (host, control) = started(&scratch);
    let good = golden("data-hello-world.bin");
    let altered = |position: usize, value: u8| {
        let mut frame = good.clone();
        frame[position] = value;
        frame
    };
    let twice = [&[0xA1, 0x60, 0, 0, 0, 22, 0, 0, 0, 2][..], &b"k\0v\0k\0w\0"[..], &[0, 0, 0, 0]];
    let mut frames = vec![
        Vec::new(),
        vec![0xA1],
        b"garbage".to_vec(),
        vec![0xFF; 100_000],
        altered(0, 0),
        altered(5, 0),
        altered(2, 0xFF),
        // More properties than there are, and very many more.
        altered(9, 2),
        altered(6, 0xFF),
        altered(10, 0xFF),
        [good.clone(), vec![0]].concat(),
        twice.concat(),
    ];
    frames.extend((1..good.len()).map(|length| good[..length].to_vec()));
    let mut peer = message_peer(&scratch.file("m"));
    for frame in &frames {
        assert!(peer.send(frame));
    }
    assert!(peer.send(&good));
    assert_eq!(peer.recv(), good, "nothing comes back for what came before");
    host.wait_for_line("dropped malformed messages from the gateway");
    drop((peer, control));
    assert_served(&scratch);
    assert_counts(host, frames.len() as u64, 0);
}
