//! Bytes that no host would send, against the real `gateway`: it drops and counts them, allocates nothing for
//! what they claim, goes on with everything else and serves the next host.

use std::path::{Path, PathBuf};

use sandgate_tests::config::{attached, pipeline};
use sandgate_tests::log_file::LogFile;
use sandgate_tests::process::{Process, number};
use sandgate_tests::procfs::peak_memory_kib;
use sandgate_tests::programs::running_gateway;
use sandgate_tests::raw::{RawListener, RawPeer, golden};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::V1Host;
use sandgate_wire::limits::{CONTROL_MAX, MESSAGE_MAX};
use sandgate_wire::{Control, Message};
use serde_json::Value;

/// How much memory hostile bytes may cost, in KiB: frames that are within the limits are read.
const COST_KIB: u64 = 100 << 10;

const TEBIBYTE: u64 = 1 << 40;

/// A gateway whose module is to be hosted by the test, with fixed ids.
struct Bench {
    scratch: Scratch,
    gateway: Process,
    log: LogFile,
}

impl Bench {
    fn new() -> Self {
        let scratch = Scratch::new();
        let mut entrypoint = attached(&scratch.id("c"));
        entrypoint["message.id"] = scratch.id("m").into();
        let log = scratch.file("log.json");
        let configuration = pipeline(entrypoint, Value::Null, &log).json();
        let gateway = running_gateway(&scratch, &configuration);
        Self { scratch, gateway, log: LogFile::at(&log) }
    }

    fn control(&self) -> PathBuf {
        self.scratch.file("c")
    }

    fn message(&self) -> PathBuf {
        self.scratch.file("m")
    }

    /// A good host takes over; then the gateway stops, and says what it counted: malformed and oversized.
    fn end(mut self) -> (u64, u64) {
        let host = V1Host::listen(&self.scratch.id("c"));
        let message = host.serve();
        let greeting = message.recv();
        assert_eq!(greeting, golden("data-hello-world.bin"));
        let before = self.log.count();
        message.send(Message::new(&[("served", "1")], "now").unwrap().frame());
        let messages = self.log.wait_for(before + 1);
        assert_eq!(messages.last().unwrap().content(), b"now");
        self.gateway.terminate();
        host.wait_for(&Control::Destroy);
        drop((message, host));
        assert!(self.gateway.wait_exit().success());
        let statistics = self.gateway.wait_for_line("channel statistics");
        (number(&statistics, "malformed"), number(&statistics, "oversized"))
    }
}

fn bind(path: &Path) -> RawListener {
    RawListener::bind(path)
}

/// A gateway that has sent its Create.
fn accept_create(listener: &RawListener) -> RawPeer {
    let (peer, frame) = listener.accept_frame();
    assert!(matches!(Control::decode(&frame), Ok(Control::Create(_))), "{frame:?}");
    peer
}

#[test]
fn lengths_that_nobody_can_mean_end_the_control_connection() {
    let bench = Bench::new();
    let before = peak_memory_kib(bench.gateway.pid());
    let listener = bind(&bench.control());
    for length in [TEBIBYTE, u64::MAX, 1 << 63, u64::from(u32::MAX) + 1, 3 * CONTROL_MAX as u64] {
        let mut peer = accept_create(&listener);
        peer.claim(length);
        peer.expect_end();
    }
    drop(listener);
    let cost = peak_memory_kib(bench.gateway.pid()).saturating_sub(before);
    assert!(cost < COST_KIB, "{cost} KiB for claims alone");
    assert_eq!(bench.end(), (0, 0));
}

#[test]
fn a_control_frame_over_the_limit_is_counted_and_ends_the_connection() {
    let bench = Bench::new();
    let listener = bind(&bench.control());
    for _ in 0..2 {
        let mut peer = accept_create(&listener);
        peer.send(&vec![0; CONTROL_MAX + 1]);
        peer.expect_end();
    }
    drop(listener);
    assert_eq!(bench.end(), (0, 2));
}

#[test]
fn malformed_control_messages_are_counted_and_ignored() {
    let bench = Bench::new();
    let listener = bind(&bench.control());
    let mut peer = accept_create(&listener);
    let reply = golden("reply-success.bin");
    let altered = |position: usize, value: u8| {
        let mut frame = reply.clone();
        frame[position] = value;
        frame
    };
    let mut frames = vec![
        Vec::new(),
        b"garbage".to_vec(),
        vec![0xFF; 1000],
        altered(0, 0),
        altered(2, 9),
        altered(3, 77),
        altered(7, 0),
        altered(4, 0xFF),
        // Only gateways send these.
        golden("create.bin"),
        golden("start.bin"),
        golden("destroy.bin"),
    ];
    frames.extend((1..reply.len()).map(|length| reply[..length].to_vec()));
    for frame in &frames {
        assert!(peer.send(frame));
    }
    bench.gateway.wait_for_line("malformed control message from the host, ignored");
    // The connection holds, and a good answer is taken. Bytes behind the status are V1's to ignore.
    let mut longer = [reply, b"extension".to_vec()].concat();
    longer[7] = longer.len() as u8;
    assert!(peer.send(&longer));
    while peer.recv() != golden("start.bin") {}
    drop((peer, listener));
    assert_eq!(bench.end(), (frames.len() as u64, 0));
}

/// A host whose module is started, played byte by byte on both channels.
struct RawHost {
    listeners: [RawListener; 2],
    messages: RawPeer,
    _control: RawPeer,
}

impl RawHost {
    fn serve(bench: &Bench) -> Self {
        let listeners = [bind(&bench.message()), bind(&bench.control())];
        let messages = listeners[0].accept();
        let mut control = accept_create(&listeners[1]);
        assert!(control.send(&golden("reply-success.bin")));
        while control.recv() != golden("start.bin") {}
        Self { listeners, messages, _control: control }
    }
}

#[test]
fn lengths_that_nobody_can_mean_end_the_message_connection_alone() {
    let bench = Bench::new();
    let before = peak_memory_kib(bench.gateway.pid());
    let mut host = RawHost::serve(&bench);
    for length in [TEBIBYTE, u64::MAX, 3 * MESSAGE_MAX as u64] {
        host.messages.claim(length);
        host.messages.expect_end();
        host.messages = host.listeners[0].accept();
    }
    // The attach holds: messages go on over the new connection.
    assert_eq!(host.messages.recv(), golden("data-hello-world.bin"));
    let cost = peak_memory_kib(bench.gateway.pid()).saturating_sub(before);
    assert!(cost < COST_KIB, "{cost} KiB for claims alone");
    assert_eq!(bench.gateway.count_lines("host gone"), 0);
    drop(host);
    assert_eq!(bench.end(), (0, 0));
}

#[test]
fn a_data_frame_over_the_limit_is_counted_and_ends_the_connection() {
    let bench = Bench::new();
    let mut host = RawHost::serve(&bench);
    host.messages.send(&vec![0; MESSAGE_MAX + 1]);
    host.messages.expect_end();
    host.messages = host.listeners[0].accept();
    assert_eq!(host.messages.recv(), golden("data-hello-world.bin"));
    drop(host);
    assert_eq!(bench.end(), (0, 1));
}

#[test]
fn malformed_data_messages_are_counted_and_dropped() {
    let bench = Bench::new();
    let mut host = RawHost::serve(&bench);
    let good = golden("data-2.bin");
    let mut frames = vec![Vec::new(), b"garbage".to_vec(), vec![0xFF; 100_000], golden("create.bin")];
    frames.extend((1..good.len()).map(|length| good[..length].to_vec()));
    for frame in &frames {
        assert!(host.messages.send(frame));
    }
    assert!(host.messages.send(&good));
    let messages = bench.log.wait_for(1);
    assert_eq!(messages.len(), 1, "nothing but the good one comes through");
    assert_eq!(messages[0].property("k"), Some("v"));
    bench.gateway.wait_for_line("malformed message from the host, dropped");
    drop(host);
    assert_eq!(bench.end(), (frames.len() as u64, 0));
}
