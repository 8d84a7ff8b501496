//! Gateways and hosts of different versions: the real one on one side, and a peer of the test's on the other.

use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;

use sandgate_tests::config::{attached, launched};
use sandgate_tests::ends::{Ends, around};
use sandgate_tests::link_peer::LinkPeer;
use sandgate_tests::pair::Pair;
use sandgate_tests::process::Process;
use sandgate_tests::programs::{command, guest, program, running_gateway, waiting_host};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::{V1Gateway, V1Host, decode};
use sandgate_wire::link::{
    Features, Frame, Greeting, Instance, Offer, Parcel, Signal, State, Versions, Window,
};
use sandgate_wire::{Control, Message, Reply, Status};
use serde_json::Value;

/// What this build speaks lies between them.
const OTHERS: [(u16, u16); 2] = [(0, 0), (2, 3)];
const ME: Instance = Instance([7; 16]);
const WINDOW: Window = Window { messages: 16, bytes: 1 << 20 };

/// The host of the test's answers Create with this offer, and is served by V1's channels.
fn serve_by_v1(scratch: &Scratch, host: &V1Host, offer: &Offer) {
    let ends = Ends::attach(scratch);
    let create = host.next_create();
    let messages = Pair::listen(&create.uri);
    reply(host, offer);
    host.wait_for(&Control::Start);
    ends.send_numbers(1..=3);
    for number in 1..=3_u64 {
        let message = decode(messages.recv());
        assert_eq!(message.property("number"), Some(number.to_string().as_str()));
        messages.send(message.frame());
    }
    ends.expect_numbers(1..=3);
}

fn reply(host: &V1Host, offer: &Offer) {
    let reply = Reply { status: Status::SUCCESS, extension: offer.encode().unwrap() };
    host.control.send(&Control::Reply(reply).encode().unwrap());
}

fn offer(versions: (u16, u16), address: Option<String>) -> Offer {
    let (oldest, newest) = versions;
    let versions = Versions { oldest, newest };
    Offer { versions, features: Features(u64::MAX), host: ME, module: 0, address }
}

#[test]
fn a_gateway_serves_a_host_of_another_version_by_v1s_channels() {
    for versions in OTHERS {
        let scratch = Scratch::new();
        let id = scratch.id("middle");
        let host = V1Host::listen(&id);
        let mut gateway = running_gateway(&scratch, &around(&scratch, attached(&id), Value::Null));
        serve_by_v1(&scratch, &host, &offer(versions, Some(scratch.id("link"))));
        gateway.wait_for_line("the host link is not used");
        gateway.wait_for_line_with(&["attached module=\"middle\"", "way=\"pair\""]);
        gateway.stop();
    }
}

#[test]
fn a_gateway_serves_a_host_of_another_version_that_it_has_launched_by_v1s_channels() {
    for (oldest, newest) in OTHERS {
        let scratch = Scratch::new();
        let id = scratch.id("middle");
        let host = V1Host::listen(&id);
        let versions = Versions { oldest, newest };
        let hello = Frame::Hello(Greeting { versions, features: Features(u64::MAX), instance: ME });
        let hello = scratch.write("hello", hello.encode().unwrap());
        let script = "cat \"$0\" >&3; exec sleep 600";
        let middle = launched(&id, "sh", &["-c", script, hello.to_str().unwrap()], 0);
        let mut gateway = running_gateway(&scratch, &around(&scratch, middle, Value::Null));
        serve_by_v1(&scratch, &host, &offer((oldest, newest), None));
        assert_eq!(gateway.count_lines("launched module=\"middle\""), 1);
        gateway.stop();
    }
}

/// It greets with more versions and all features, and says what no gateway knows yet.
#[test]
fn a_gateway_ignores_what_a_newer_host_adds() {
    let scratch = Scratch::new();
    let id = scratch.id("middle");
    let host = V1Host::listen(&id);
    let gateway = running_gateway(&scratch, &around(&scratch, attached(&id), Value::Null));
    let ends = Ends::attach(&scratch);
    let listener = UnixListener::bind(scratch.file("link")).unwrap();
    let _ = host.next_create();
    reply(&host, &offer((1, 9), Some(scratch.id("link"))));
    let mut link = LinkPeer::new(listener.accept().unwrap().0);
    link.greet(ME, 1, 9);
    link.send_unknown();
    let Frame::Signal(Signal::Open { module, epoch, .. }) = link.recv() else { panic!("no Open") };
    link.send(&Frame::Signal(Signal::Opened { module, epoch, window: WINDOW, received: 0 }));
    assert_eq!(link.recv(), Frame::Signal(Signal::Start { module, epoch }));
    for code in [4, 255] {
        let (state, detail) = (State::Other(code), "nobody knows it".to_owned());
        link.send(&Frame::Signal(Signal::State { module, epoch, state, detail }));
    }
    link.send_unknown();
    ends.send_numbers([1]);
    let Frame::Parcel { sequence: 1, parcel, .. } = link.recv() else { panic!("no message") };
    assert_eq!(Message::decode(parcel.body.clone()).unwrap().property("number"), Some("1"));
    link.send(&Frame::Parcel { module, epoch, sequence: 1, parcel: Parcel::message(parcel.body) });
    link.send(&Frame::Settle { module, epoch, sequence: 1 });
    ends.expect_numbers([1]);
    assert_eq!(gateway.count_lines("attached module=\"middle\""), 1);
}

#[test]
fn a_host_serves_a_gateway_of_another_version_by_v1s_channels() {
    let scratch = Scratch::new();
    let id = scratch.id("middle");
    let _host = waiting_host(&scratch, &id, "modules/echo", &[]);
    for (oldest, newest) in OTHERS {
        let mut link = LinkPeer::dial(&scratch);
        link.greet(ME, oldest, newest);
        let bye = link.expect_bye();
        assert!(bye.contains("versions"), "{bye}");
    }
    let gateway = V1Gateway::dial(&id, &scratch.id("message"));
    gateway.attach("null");
    assert!(gateway.echo().is_empty());
}

#[test]
fn a_host_ignores_what_a_newer_gateway_adds() {
    let scratch = Scratch::new();
    let id = scratch.id("middle");
    let _host = waiting_host(&scratch, &id, "modules/echo", &[]);
    let gateway = V1Gateway::dial(&id, &scratch.id("message"));
    assert_eq!(gateway.create("null"), Status::SUCCESS);
    let mut link = LinkPeer::dial(&scratch);
    let theirs = link.greet(ME, 1, 9);
    assert_eq!(theirs.versions, Versions::OURS);
    link.send_unknown();
    let (module, epoch) = (0, 1);
    link.send(&Frame::Signal(Signal::Open { module, epoch, window: WINDOW, received: 0 }));
    assert!(matches!(link.recv(), Frame::Signal(Signal::Opened { .. })));
    link.send(&Frame::Signal(Signal::Start { module, epoch }));
    link.send_unknown();
    let message = Message::new(&[("number", "1")], "content").unwrap();
    let parcel = Parcel { attempt: 1, redelivery_max: 3, ..Parcel::message(message.frame().clone()) };
    link.send(&Frame::Parcel { module, epoch, sequence: 1, parcel });
    loop {
        match link.recv() {
            Frame::Parcel { parcel, .. } => {
                assert_eq!(parcel.body, *message.frame());
                break;
            }
            Frame::Signal(Signal::State { .. }) => {}
            other => panic!("{other:?} where a message was expected"),
        }
    }
}

/// As a gateway of another version has launched it: with a link, on which the two cannot speak.
#[test]
fn a_launched_host_serves_a_gateway_of_another_version_by_v1s_channels() {
    for (oldest, newest) in OTHERS {
        let scratch = Scratch::new();
        let id = scratch.id("middle");
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut command = command(&scratch, program("wasm-host"));
        command.env("SANDGATE_LAUNCHED_BY", std::process::id().to_string()).env("SANDGATE_LINK_FD", "0");
        command.args(["--control", &id]).arg(guest("modules/echo"));
        let mut host = Process::start_with(&mut command, Stdio::from(OwnedFd::from(theirs)));
        let mut link = LinkPeer::new(ours);
        link.greet(ME, oldest, newest);
        let _ = link.expect_bye();
        drop(link);
        host.wait_for_line("V1's channels remain");
        let gateway = V1Gateway::dial(&id, &scratch.id("message"));
        gateway.attach("null");
        assert!(gateway.echo().is_empty());
        assert!(host.is_running());
        gateway.destroy();
        assert!(host.wait_exit().success());
    }
}
