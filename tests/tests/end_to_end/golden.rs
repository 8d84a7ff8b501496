//! The bytes that were recorded from real V1 peers, every file of them, over real sockets with the programs at
//! the other end.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::Path;

use sandgate_tests::log_file::LogFile;
use sandgate_tests::programs::{running_gateway, waiting_host, workspace};
use sandgate_tests::raw::{HANDSHAKE, RawListener, RawPeer, frame, golden};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::V1Gateway;
use sandgate_tests::wait::until;
use serde_json::{Value, json};

/// The message channel that the recorded Create names.
const MESSAGE: &str = "/tmp/proxy_sample.message";

/// Whoever holds this may use [`MESSAGE`]: it is the same for everybody on this machine.
pub(crate) fn sole_user_of_the_recorded_address() -> File {
    let lock = File::create("/tmp/proxy_sample.message.lock").unwrap();
    lock.lock().unwrap();
    // Whoever runs the sample by hand does not know of the lock.
    until("the end of whoever listens on the sample's message channel", || {
        UnixStream::connect(MESSAGE).is_err()
    });
    lock
}

/// The recorded bytes of a control message as a frame.
fn golden_frame(name: &str) -> Vec<u8> {
    frame(&golden(name))
}

fn expect(peer: &mut RawPeer, name: &str) {
    let wanted = golden_frame(name);
    let received = peer.read(wanted.len());
    assert_eq!(received, wanted, "{name}");
}

#[test]
fn the_files_fit_together() {
    assert_eq!(golden("ipc-handshake.bin"), HANDSHAKE);
    assert_eq!(golden("ipc-frame-create.bin"), golden_frame("create.bin"));
}

#[test]
fn the_host_answers_recorded_bytes_with_recorded_bytes() {
    let _lock = sole_user_of_the_recorded_address();
    let scratch = Scratch::new();
    let mut host = waiting_host(&scratch, &scratch.id("c"), "modules/echo", &["--no-link"]);
    let mut control = RawPeer::dial(&scratch.file("c"));
    control.write(&golden("ipc-handshake.bin"));
    assert_eq!(control.read(8), golden("ipc-handshake.bin"));
    for _ in 0..2 {
        control.write(&golden("ipc-frame-create.bin"));
        expect(&mut control, "reply-success.bin");
        control.write(&golden_frame("start.bin"));
        let mut message = RawPeer::greeted(Path::new(MESSAGE));
        for name in ["data-hello-world.bin", "data-2.bin"] {
            message.write(&golden_frame(name));
            expect(&mut message, name);
        }
        control.write(&golden_frame("destroy.bin"));
        message.expect_end();
    }
    host.wait_for_nth_line(2, "destroyed by the gateway");

    control.write(&golden("ipc-frame-create.bin"));
    expect(&mut control, "reply-success.bin");
    host.terminate();
    expect(&mut control, "reply-detach.bin");
    assert!(host.wait_exit().success());
    assert!(!Path::new(MESSAGE).exists() && !scratch.file("c").exists(), "the sockets are removed");
}

#[test]
fn the_host_answers_a_failed_creation_with_recorded_bytes() {
    let _lock = sole_user_of_the_recorded_address();
    let scratch = Scratch::new();
    let mut host = waiting_host(&scratch, &scratch.id("c"), "fixtures/refuse_create", &["--no-link"]);
    let mut control = RawPeer::greeted(&scratch.file("c"));
    control.write(&golden("ipc-frame-create.bin"));
    expect(&mut control, "reply-creation-error.bin");
    host.stop();
}

/// The proxy sample as it stands, with its control channel and its log in the test's own directory, and with
/// more greetings.
fn proxy_sample(scratch: &Scratch) -> Value {
    let text = fs::read(workspace().join("samples/proxy_sample/gateway.json")).unwrap();
    let mut sample: Value = serde_json::from_slice(&text).unwrap();
    let modules = sample["modules"].as_array_mut().unwrap();
    for module in modules {
        if module["loader"]["name"] == "outprocess" {
            module["loader"]["entrypoint"]["control.id"] = scratch.id("c").into();
            assert_eq!(module["loader"]["entrypoint"]["message.id"], MESSAGE);
        }
        match module["name"].as_str() {
            Some("logger") => module["args"]["filename"] = scratch.id("log.json").into(),
            Some("hello_world") => module["args"] = json!({"interval.ms": 50}),
            _ => {}
        }
    }
    sample
}

#[test]
fn the_gateway_sends_recorded_bytes_and_understands_recorded_bytes() {
    let _lock = sole_user_of_the_recorded_address();
    let scratch = Scratch::new();
    let messages = RawListener::bind(Path::new(MESSAGE));
    let controls = RawListener::bind(&scratch.file("c"));
    let mut gateway = running_gateway(&scratch, &proxy_sample(&scratch));
    let log = LogFile::at(&scratch.file("log.json"));

    for end_of_attach in ["reply-detach.bin", "reply-creation-error.bin"] {
        let mut control = accept_create(&controls);
        control.write(&golden_frame("reply-success.bin"));
        expect_among_creates(&mut control, "start.bin");
        if end_of_attach == "reply-detach.bin" {
            // What the sample's first module publishes is what V1's did.
            let (mut message, frame) = messages.accept_frame();
            assert_eq!(frame, golden("data-hello-world.bin"));
            message.write(&golden_frame("data-2.bin"));
            let came_through = log.wait_for(1);
            assert_eq!(came_through[0].property("k"), Some("v"));
        }
        control.write(&golden_frame(end_of_attach));
        control.expect_end();
    }
    gateway.wait_for_line("the module is gone: detach (255)");
    gateway.wait_for_line("the module is gone: creation error (2)");

    // An answer to Create itself that is no success, then one that is.
    let mut control = accept_create(&controls);
    control.write(&golden_frame("reply-creation-error.bin"));
    control.expect_end();
    let mut control = accept_create(&controls);
    control.write(&golden_frame("reply-success.bin"));
    expect_among_creates(&mut control, "start.bin");
    let _message = messages.accept_frame();
    gateway.terminate();
    expect(&mut control, "destroy.bin");
    drop((control, controls, messages));
    assert!(gateway.wait_exit().success());
    assert_eq!(log.count(), 1);
}

/// A gateway that has sent the recorded Create.
fn accept_create(listener: &RawListener) -> RawPeer {
    let (peer, frame) = listener.accept_frame();
    assert_eq!(frame, golden("create.bin"));
    peer
}

/// Waits for these bytes; the only others that may come before are those of a Create that is repeated.
fn expect_among_creates(peer: &mut RawPeer, name: &str) {
    let wanted = golden(name);
    loop {
        let received = peer.recv();
        if received == wanted {
            return;
        }
        assert_eq!(received, golden("create.bin"), "while waiting for {name}");
    }
}

/// A V1 gateway reads the status and skips what the total counts behind it; there a Sandgate host offers its
/// link. Everything else on the wire is V1's.
#[test]
fn the_offer_of_the_host_link_stands_behind_what_a_v1_gateway_reads() {
    let scratch = Scratch::new();
    let mut host = waiting_host(&scratch, &scratch.id("c"), "modules/echo", &["-v"]);
    let gateway = V1Gateway::dial(&scratch.id("c"), &scratch.id("m"));
    gateway.control.send(&gateway.create_frame("null"));
    let reply = gateway.control.recv();
    assert_eq!(reply[..4], [0xA1, 0x6C, 1, 2], "a Reply");
    assert_eq!(u32::from_be_bytes(reply[4..8].try_into().unwrap()) as usize, reply.len(), "its total");
    assert_eq!((reply[8], &reply[9..13]), (0, &b"SGLK"[..]), "success, then the offer");
    gateway.start();
    // Whoever does not take the offer is served over V1's channels.
    assert!(gateway.echo().is_empty());
    host.stop();
}
