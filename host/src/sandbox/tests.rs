//! Instances of real modules.

use std::path::Path;
use std::sync::mpsc::{Sender, channel};

use bytes::Bytes;
use sandgate_wire::{Channel, MemoryChannel};
use tokio::runtime::Runtime;

use super::*;
use crate::engine::Code;
use crate::flow::Flow;
use crate::verdict::{MessageRecord, Reporter, Verdict, VerdictContext};
use sandgate_attach::Port;

const LONG: Duration = Duration::from_secs(20);

/// What sandboxes need around them.
pub(crate) struct Scene {
    pub(crate) runtime: Runtime,
    engine: Engine,
    /// The gateway's end, held: without it the channel is closed.
    gateway: MemoryChannel,
    channel: Arc<dyn Channel>,
    flow: Arc<Flow>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let (host, gateway) = MemoryChannel::pair(1 << 16);
        Self {
            runtime: Runtime::new().unwrap(),
            engine: Engine::new(&Code::UserCache).unwrap(),
            gateway,
            channel: Arc::new(host),
            flow: Arc::default(),
        }
    }

    pub(crate) fn module(&self, guest: &str, limits: &Limits) -> Module {
        let guests = match std::env::var_os("SANDGATE_GUESTS") {
            Some(guests) => guests.into(),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests"),
        };
        Module::load(&self.engine, &guests.join("fixtures").join(guest).with_extension("wasm"), limits)
            .unwrap()
    }

    pub(crate) fn sandbox(&self, module: &Module, limits: Limits) -> Sandbox {
        let outlet = Outlet::new(self.flow.clone());
        let timers = Timers::new(self.runtime.handle().clone(), limits.max_timers);
        let mut sandbox = Sandbox::new(module, "m".into(), limits, outlet, timers).unwrap();
        sandbox.create("null").unwrap().unwrap();
        sandbox.start(Port::pair(self.channel.clone())).unwrap();
        sandbox
    }
}

fn message(key: &str) -> Message {
    Message::new(&[(key, "1")], b"misbehave").unwrap()
}

#[test]
fn a_module_is_told_who_published_and_how_often_it_was_delivered() {
    let scene = Scene::new();
    let limits = Limits::default();
    let module = scene.module("trap_first_attempt", &limits);
    let provoking = message("misbehave");
    let mut sandbox = scene.sandbox(&module, limits);
    assert!(sandbox.receive(&provoking, Some("pump"), 1).is_err());
    let mut sandbox = scene.sandbox(&module, limits);
    sandbox.receive(&provoking, Some("pump"), 2).unwrap().unwrap();
}

fn deliveries<'a>(messages: &'a [Message]) -> impl Iterator<Item = Delivery<'a>> {
    messages.iter().map(|message| Delivery { message, source: Some("pump"), attempt: 1 })
}

#[test]
fn messages_come_through_the_same_by_their_parts_and_encoded_and_several_at_once() {
    let scene = Scene::new();
    let limits = Limits::default();
    let messages: Vec<_> = (0..5)
        .map(|n| {
            let properties: Vec<_> = (0..n * 10).map(|m| (format!("ké{m}"), "v".repeat(m))).collect();
            let content: Vec<u8> = (0..n * 1000).map(|m| m as u8).collect();
            Message::new(&properties, content).unwrap()
        })
        .collect();
    let published = || {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let next = || match scene.gateway.poll_recv(&mut context) {
            std::task::Poll::Ready(Ok(frame)) => Some(frame),
            _ => None,
        };
        std::iter::from_fn(next).collect::<Vec<_>>()
    };
    let frames: Vec<_> = messages.iter().map(|message| message.frame().clone()).collect();
    for (module, is_encoded) in [("../modules/echo", true), ("../modules/echo_by_records", false)] {
        let mut sandbox = scene.sandbox(&scene.module(module, &limits), limits);
        assert_eq!(sandbox.takes_encoded(), is_encoded, "{module}");
        for message in &messages {
            sandbox.receive(message, None, 1).unwrap().unwrap();
        }
        assert_eq!(published(), frames, "{module}");
        if is_encoded {
            sandbox.receive_encoded(deliveries(&messages)).unwrap();
            let handled = sandbox.answers().handled();
            assert!(handled >= 1, "more, unless the system took the processor away");
            assert_eq!(published(), frames[..handled]);
        }
    }
}

/// Gives a call as many as are left, until all are handled or one ends the instance; how many were handled.
fn hand_over(sandbox: &mut Sandbox, messages: &[Message]) -> (usize, Result<(), Fault>) {
    let mut handled = 0;
    while handled < messages.len() {
        let called = sandbox.receive_encoded(deliveries(&messages[handled..]));
        handled += sandbox.answers().handled();
        if called.is_err() {
            return (handled, called);
        }
    }
    (handled, Ok(()))
}

#[test]
fn of_several_messages_each_has_the_limits_of_a_call_to_itself() {
    let scene = Scene::new();
    let limits = Limits { max_publishes_per_call: 1, fuel: Some(1_000_000), ..Limits::default() };
    let mut sandbox = scene.sandbox(&scene.module("../modules/echo", &limits), limits);
    let messages = vec![message("any"); 16];
    let (handled, called) = hand_over(&mut sandbox, &messages);
    called.unwrap();
    assert_eq!(handled, 16);
}

#[test]
fn of_several_messages_the_one_that_fails_is_known_and_those_before_it_are_handled() {
    let scene = Scene::new();
    let limits = Limits::default();
    let mut sandbox = scene.sandbox(&scene.module("trap_receive", &limits), limits);
    let (handled, called) = hand_over(&mut sandbox, &["any", "trap"].map(message));
    assert!(called.is_err());
    assert_eq!(handled, 1);

    let mut sandbox = scene.sandbox(&scene.module("fail_receive", &limits), limits);
    sandbox.receive_encoded(deliveries(&["misbehave", "any"].map(message))).unwrap();
    assert!(sandbox.answers().take_refusal(0).is_some());
    assert!(sandbox.answers().take_refusal(1).is_none());
}

#[test]
fn memory_is_counted_while_the_instance_lives() {
    let scene = Scene::new();
    let limits = Limits::default();
    let module = scene.module("grow_slowly", &limits);
    let mut sandbox = scene.sandbox(&module, limits);
    let at_first = sandbox.memory_used();
    assert!(at_first > 1 << 16, "it has some memory: {at_first}");
    sandbox.receive(&message("other"), None, 1).unwrap().unwrap();
    assert!(sandbox.memory_peak() >= sandbox.memory_used());
    let fault = sandbox.receive(&message("misbehave"), None, 1).unwrap_err();
    assert!(sandbox.memory_used() > at_first + (200 << 20), "{}", sandbox.memory_used());
    assert_eq!(fault.post_mortem.usage.memory_peak, sandbox.memory_peak());
}

/// What the host held for a moment: linear memory never shrinks.
fn held_for_a_moment(sandbox: &Sandbox) -> u64 {
    sandbox.memory_peak() - sandbox.memory_used()
}

#[test]
fn what_the_host_holds_for_a_call_is_counted_while_it_does() {
    const MIB: u64 = 1 << 20;
    let scene = Scene::new();
    let limits = Limits::default();

    let mut sandbox = scene.sandbox(&scene.module("flood_log_once", &limits), limits);
    sandbox.receive(&message("misbehave"), None, 1).unwrap().unwrap();
    assert!(held_for_a_moment(&sandbox) >= 64 * MIB, "a line for the log");

    let mut sandbox = scene.sandbox(&scene.module("fail_receive", &limits), limits);
    assert!(sandbox.receive(&message("misbehave"), None, 1).unwrap().is_err());
    assert!(held_for_a_moment(&sandbox) < MIB, "the reason of `done`, which is read where it is");
    let provoking = message("misbehave");
    let delivery = Delivery { message: &provoking, source: None, attempt: 1 };
    assert!(sandbox.receive_record(delivery).unwrap().is_err());
    assert!(held_for_a_moment(&sandbox) >= 16 * MIB, "the reason of `receive`");

    // The message as it came, and as the module publishes it: from its memory into what goes out.
    let mut sandbox = scene.sandbox(&scene.module("trap_receive", &limits), limits);
    let large = Message::new::<&str, &str>(&[], vec![0; MIB as usize]).unwrap();
    sandbox.receive(&large, None, 1).unwrap().unwrap();
    assert!(held_for_a_moment(&sandbox) >= 2 * MIB, "a message");

    // The arguments, and the reason that repeats them.
    let module = scene.module("count_on_timer", &limits);
    let outlet = Outlet::new(scene.flow.clone());
    let timers = Timers::new(scene.runtime.handle().clone(), limits.max_timers);
    let mut sandbox = Sandbox::new(&module, "m".into(), limits, outlet, timers).unwrap();
    assert!(sandbox.create(&"x".repeat(MIB as usize)).unwrap().is_err());
    assert!(held_for_a_moment(&sandbox) >= 2 * MIB, "arguments and a refusal");
}

#[test]
fn a_message_that_finds_no_room_ends_the_instance() {
    let scene = Scene::new();
    let limits = Limits { max_memory_size: 8 << 20, ..Limits::default() };
    let mut sandbox = scene.sandbox(&scene.module("trap_receive", &limits), limits);
    let large = Message::new::<&str, &str>(&[], vec![0; 8 << 20]).unwrap();
    let fault = sandbox.receive(&large, None, 1).unwrap_err();
    assert!(fault.to_string().contains("max-memory-size of 8 MiB"), "{fault}");
}

#[test]
fn the_reporter_makes_verdicts_lets_modules_take_turns_and_has_so_much_room_for_each() {
    let scene = Scene::new();
    let limits = Limits::default();
    let module = scene.module("trap_receive", &limits);
    let provoking = message("trap");
    let fault = scene.sandbox(&module, limits).receive(&provoking, None, 1).unwrap_err();
    let reporter = Reporter::start().unwrap();
    let (tell, told) = channel();
    let submit = |name: &str, frame: &Bytes| {
        let message = MessageRecord { frame: frame.clone(), sequence: Some(3), source: None, attempt: 1 };
        let context = VerdictContext {
            module: name.into(),
            arguments: "null".into(),
            message: Some(message),
            timer: None,
            kills: 2,
        };
        let tell = tell.clone();
        let then = move |verdict| tell.send(verdict).unwrap();
        reporter.submit((*fault.post_mortem).clone(), module.clone(), context, then)
    };
    assert!(submit("m", provoking.frame()));
    let verdict: Verdict = told.recv_timeout(LONG).unwrap();
    assert_eq!((verdict.module.as_str(), verdict.sequence, verdict.kills), ("m", Some(3), 2));
    assert_eq!(verdict.message.unwrap().message().unwrap(), provoking);

    // From here on it is busy until the test lets it go on.
    let release = hold(&reporter, *fault.post_mortem.clone(), &module);
    let accepted =
        |count: usize, name: &str, frame: &Bytes| (0..count).filter(|_| submit(name, frame)).count();
    let large = Message::new::<&str, &str>(&[], vec![0; 10 << 20]).unwrap();
    assert_eq!(accepted(3, "large", large.frame()), 1, "two have more bytes than are for one module");
    assert_eq!(accepted(100, "loud", provoking.frame()), 8);
    assert_eq!(accepted(1, "quiet", provoking.frame()), 1);
    let all = (0..100).map(|n| accepted(8, &n.to_string(), provoking.frame())).sum::<usize>();
    assert_eq!(all, 64 - 10, "there is room for so many together");
    drop(release);
    let order: Vec<_> = (0..64).map(|_| told.recv_timeout(LONG).unwrap().module).collect();
    assert_eq!(order[..4], ["large", "loud", "quiet", "0"]);
    // And then it goes on.
    assert!(submit("m", provoking.frame()));
    told.recv_timeout(LONG).unwrap();
}

/// Keeps a reporter busy until the sender is dropped.
pub(crate) fn hold(reporter: &Reporter, post_mortem: PostMortem, module: &Module) -> Sender<()> {
    let (release, gate) = channel::<()>();
    let (begin, begun) = channel();
    let then = move |_| {
        begin.send(()).unwrap();
        let _ = gate.recv();
    };
    assert!(reporter.submit(post_mortem, module.clone(), VerdictContext::default(), then));
    begun.recv_timeout(LONG).unwrap();
    release
}
