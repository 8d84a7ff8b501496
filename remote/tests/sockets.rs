//! Over real sockets, with a gateway that is played step by step.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandgate_remote::{
    AttachError, Broker, Ended, GatewayModule, Message, ModuleClass, ModuleConfiguration, ModuleError,
    ProxyGateway,
};
use sandgate_wire::channel::PairOptions;
use sandgate_wire::limits::{CONTROL_MAX, MESSAGE_MAX};
use sandgate_wire::{Address, Channel, Control, Create, PairChannel, Status};
use support::{Echo, message, next, until};
use tempfile::TempDir;

/// More than a module takes, so that a gateway can send what is too much.
const OPTIONS: PairOptions = PairOptions { frame_max: 2 * MESSAGE_MAX, capacity: 256 };
/// How long V1's gateway waits for a Reply before it sends Create again.
const RETRY: Duration = Duration::from_secs(1);

/// A place for sockets, with short paths.
fn place() -> TempDir {
    tempfile::Builder::new().prefix("sg").tempdir_in("/tmp").unwrap()
}

fn id(place: &TempDir, name: &str) -> String {
    place.path().join(name).to_str().unwrap().to_owned()
}

fn proxy(control: &str) -> ProxyGateway {
    let module = ModuleClass::of::<Echo>();
    ProxyGateway::new(ModuleConfiguration { identifier: control.to_owned(), module })
}

/// A gateway's side of one module. Dropping it closes both sockets without a word.
struct Gateway {
    control: Box<dyn Channel>,
    message: Box<dyn Channel>,
    uri: String,
}

impl Gateway {
    /// Dials the message channel first, as V1 does.
    fn dial(control: &str, message: &str) -> Self {
        let dial = |id: &str| -> (Box<dyn Channel>, String) {
            let address: Address = id.parse().unwrap();
            (Box::new(PairChannel::dial(&address, OPTIONS).unwrap()), address.to_string())
        };
        let (message, uri) = dial(message);
        Self { control: dial(control).0, message, uri }
    }

    fn send(&self, frame: impl Into<Bytes>) {
        let mut frame = Some(frame.into());
        until("room to send", || match self.control.try_send(frame.take().unwrap()) {
            Ok(()) => true,
            Err(sandgate_wire::channel::SendError::Full(back)) => {
                frame = Some(back);
                false
            }
            Err(error) => panic!("{error}"),
        });
    }

    fn status(frame: &[u8]) -> Status {
        match Control::decode(frame).unwrap() {
            Control::Reply(reply) => reply.status,
            other => panic!("a module sends Replies only, not {other:?}"),
        }
    }

    fn reply(&self) -> Status {
        let mut frame = None;
        until("a Reply", || {
            frame = next(&*self.control);
            frame.is_some()
        });
        Self::status(&frame.unwrap())
    }

    /// The next Reply that is not a late success: a Create that was repeated is answered again.
    fn bad_reply(&self) -> Status {
        loop {
            let status = self.reply();
            if !status.is_success() {
                return status;
            }
        }
    }

    /// Sends Create until it is answered.
    fn create(&self, arguments: &str) -> Status {
        let create = Create { uri: self.uri.clone(), arguments: arguments.into() };
        let create = Control::Create(create).encode().unwrap();
        let mut sent = None;
        let mut frame = None;
        until("an answer to Create", || {
            if sent.is_none_or(|sent: Instant| sent.elapsed() > RETRY) {
                self.send(create.clone());
                sent = Some(Instant::now());
            }
            frame = next(&*self.control);
            frame.is_some()
        });
        Self::status(&frame.unwrap())
    }

    fn attach(&self, arguments: &str) {
        assert_eq!(self.create(arguments), Status::SUCCESS);
        self.send(Control::Start.encode().unwrap());
    }

    fn receive(&self) -> Message {
        let mut frame = None;
        until("a message", || {
            frame = next(&*self.message);
            frame.is_some()
        });
        Message::decode(frame.unwrap()).unwrap()
    }

    fn assert_echo(&self, text: &str) {
        self.message.try_send(message(text).frame().clone()).unwrap();
        assert_eq!(self.receive().property("text"), Some(text));
    }

    /// The same where a connection before this one has just ended. While the module's socket still has that, nng lets a
    /// new one in and ends it at once, and what was sent into it is lost, as with V1: so it is sent until it is back.
    fn assert_echo_at_last(&self, text: &str) {
        let mut sent = None;
        until("an echo", || {
            if sent.is_none_or(|sent: Instant| sent.elapsed() > RETRY) {
                self.message.try_send(message(text).frame().clone()).unwrap();
                sent = Some(Instant::now());
            }
            next(&*self.message).is_some_and(|frame| Message::decode(frame).unwrap() == message(text))
        });
    }
}

#[test]
fn either_side_may_come_first() {
    let place = place();
    let (control, message) = (id(&place, "c"), id(&place, "m"));
    let gateway = Gateway::dial(&control, &message);
    let proxy = proxy(&control);
    proxy.attach().unwrap();
    gateway.attach("null");
    gateway.assert_echo("the gateway was first");
    drop(gateway);
    let gateway = Gateway::dial(&control, &message);
    gateway.attach("null");
    gateway.assert_echo("the module was first");
    proxy.detach();
    assert_eq!(gateway.bad_reply(), Status::DETACH);
    assert_eq!(proxy.wait(), Ended::Detached);
    for name in ["c", "m"] {
        assert!(!place.path().join(name).exists(), "sockets are removed");
    }
}

#[test]
fn gateways_come_and_go_and_a_module_waits_for_each() {
    let place = place();
    let (control, message) = (id(&place, "c"), id(&place, "m"));
    let proxy = proxy(&control);
    proxy.attach().unwrap();
    for round in 1..=3 {
        let gateway = Gateway::dial(&control, &message);
        gateway.attach("null");
        gateway.assert_echo("hello");
        assert_eq!(proxy.statistics().created, round);
        if round == 2 {
            gateway.send(Control::Destroy.encode().unwrap());
        }
        // The others are killed.
    }
}

#[test]
fn a_module_that_was_detached_is_replaced_by_another_program() {
    let place = place();
    let (control, message) = (id(&place, "c"), id(&place, "m"));
    let gateway = Gateway::dial(&control, &message);
    for _ in 0..2 {
        let proxy = proxy(&control);
        proxy.attach().unwrap();
        gateway.attach("null");
        gateway.assert_echo("hello");
        drop(proxy);
        assert_eq!(gateway.bad_reply(), Status::DETACH);
    }
}

#[test]
fn one_control_id_is_for_one_program() {
    let place = place();
    let control = id(&place, "c");
    let first = proxy(&control);
    first.attach().unwrap();
    let second = proxy(&control);
    assert!(matches!(second.attach(), Err(AttachError::Transport(_))));
    first.detach();
    first.wait();
    second.attach().unwrap();
}

#[test]
fn large_messages_come_through_and_larger_ones_are_refused() {
    let place = place();
    let (control, message) = (id(&place, "c"), id(&place, "m"));
    let proxy = proxy(&control);
    proxy.attach().unwrap();
    let gateway = Gateway::dial(&control, &message);
    gateway.attach("null");
    let large = Message::new(&[("text", "large")], vec![7; MESSAGE_MAX - 100]).unwrap();
    gateway.message.try_send(large.frame().clone()).unwrap();
    assert_eq!(gateway.receive(), large);
    gateway.message.try_send(vec![0; MESSAGE_MAX + 1].into()).unwrap();
    until("the connection to end", || proxy.statistics().oversized == 1);
    assert_eq!(proxy.statistics().failures, 0);
    // The socket dials again by itself.
    until("a connection", || gateway.message.peer().borrow().connections > 1);
    gateway.assert_echo_at_last("still here");

    gateway.send(vec![0; CONTROL_MAX + 1]);
    until("the connection to end", || proxy.statistics().oversized == 2);
    gateway.attach("again");
    gateway.assert_echo_at_last("and here");
}

#[test]
fn a_stranger_that_speaks_something_else_ends_nothing() {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    let place = place();
    let (control, message) = (id(&place, "c"), id(&place, "m"));
    let proxy = proxy(&control);
    proxy.attach().unwrap();
    for bytes in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[0; 4096]] {
        let mut stranger = UnixStream::connect(Path::new(&control)).unwrap();
        // It may be thrown out at once.
        let _ = stranger.write_all(bytes);
    }
    let gateway = Gateway::dial(&control, &message);
    gateway.attach("null");
    gateway.assert_echo("hello");
}

#[test]
fn a_message_channel_that_is_in_use_is_told_to_the_gateway() {
    let place = place();
    let (control, message) = (id(&place, "c"), id(&place, "m"));
    let address: Address = message.parse().unwrap();
    let squatter = PairChannel::listen(&address, OPTIONS).unwrap();
    let proxy = proxy(&control);
    proxy.attach().unwrap();
    let gateway = Gateway::dial(&control, &message);
    assert_eq!(gateway.create("null"), Status::CONNECTION_ERROR);
    drop(squatter);
    until("a free address", || !place.path().join("m").exists());
    gateway.attach("null");
}

/// Hands its broker to whoever wants it.
struct Lender;

static LENT: Mutex<Vec<Broker>> = Mutex::new(Vec::new());

impl GatewayModule for Lender {
    fn create(_arguments: &str, broker: Broker) -> Result<Self, ModuleError> {
        LENT.lock().unwrap().push(broker);
        Ok(Self)
    }

    fn receive(&mut self, _message: Message) -> Result<(), ModuleError> {
        Ok(())
    }
}

#[test]
fn a_thousand_messages_of_each_of_many_threads_arrive_in_order() {
    const THREADS: u32 = 6;
    const EACH: u32 = 1000;
    let place = place();
    let (control, message) = (id(&place, "c"), id(&place, "m"));
    let module = ModuleClass::of::<Lender>();
    let proxy = Arc::new(ProxyGateway::new(ModuleConfiguration { identifier: control.clone(), module }));
    proxy.attach().unwrap();
    let gateway = Gateway::dial(&control, &message);
    gateway.attach("null");
    let broker = LENT.lock().unwrap().pop().unwrap();
    until("Start", || broker.publish_message(&message_of(0, 0)).is_ok());
    assert_eq!(gateway.receive(), message_of(0, 0));
    let publishers: Vec<_> = (0..THREADS)
        .map(|thread| {
            let broker = broker.clone();
            std::thread::spawn(move || {
                (0..EACH).for_each(|n| broker.publish_message(&message_of(thread, n)).unwrap());
            })
        })
        .collect();
    let mut next = [0; THREADS as usize];
    for _ in 0..THREADS * EACH {
        let message = gateway.receive();
        let number = |key| message.property(key).unwrap().parse::<u32>().unwrap();
        let expected = &mut next[number("thread") as usize];
        assert_eq!(number("n"), *expected);
        *expected += 1;
    }
    publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
    assert_eq!(proxy.statistics().published, u64::from(THREADS * EACH) + 1);
}

fn message_of(thread: u32, n: u32) -> Message {
    Message::new(&[("thread", thread.to_string()), ("n", n.to_string())], "").unwrap()
}
