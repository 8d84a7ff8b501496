//! Instances of real modules.

use std::path::Path;
use std::sync::mpsc::channel;

use bytes::Bytes;
use sandgate_wire::{Channel, MemoryChannel};
use tokio::runtime::Runtime;

use super::*;
use crate::engine::Code;
use crate::flow::Flow;
use crate::port::Port;
use crate::verdict::{MessageRecord, Reporter, VerdictContext};

const LONG: Duration = Duration::from_secs(20);

/// What sandboxes need around them.
struct Scene {
    runtime: Runtime,
    engine: Engine,
    /// The gateway's end, held: without it the channel is closed.
    _gateway: MemoryChannel,
    channel: Arc<dyn Channel>,
    flow: Arc<Flow>,
}

impl Scene {
    fn new() -> Self {
        let (host, gateway) = MemoryChannel::pair(1 << 16);
        Self {
            runtime: Runtime::new().unwrap(),
            engine: Engine::new(&Code::UserCache).unwrap(),
            _gateway: gateway,
            channel: Arc::new(host),
            flow: Arc::default(),
        }
    }

    fn module(&self, guest: &str, limits: &Limits) -> Module {
        let guests = match std::env::var_os("SANDGATE_GUESTS") {
            Some(guests) => guests.into(),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests"),
        };
        Module::load(&self.engine, &guests.join("fixtures").join(guest).with_extension("wasm"), limits)
            .unwrap()
    }

    fn sandbox(&self, module: &Module, limits: Limits) -> Sandbox {
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
    assert!(held_for_a_moment(&sandbox) >= 16 * MIB, "the reason of `receive`");

    // The message as it came, as the module publishes it, and as that goes out.
    let mut sandbox = scene.sandbox(&scene.module("trap_receive", &limits), limits);
    let large = Message::new::<&str, &str>(&[], vec![0; MIB as usize]).unwrap();
    sandbox.receive(&large, None, 1).unwrap().unwrap();
    assert!(held_for_a_moment(&sandbox) >= 3 * MIB, "a message");

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
fn the_reporter_makes_verdicts_and_counts_what_it_has_no_room_for() {
    let scene = Scene::new();
    let limits = Limits::default();
    let module = scene.module("trap_receive", &limits);
    let provoking = message("trap");
    let fault = scene.sandbox(&module, limits).receive(&provoking, None, 1).unwrap_err();
    let context = |frame: &Bytes| VerdictContext {
        module: "m".into(),
        arguments: "null".into(),
        message: Some(MessageRecord { frame: frame.clone(), sequence: Some(3), source: None, attempt: 1 }),
        timer: None,
        kills: 2,
    };
    let reporter = Reporter::start().unwrap();
    let (tell, told) = channel();
    let (release, gate) = channel::<()>();
    let first = tell.clone();
    let then = move |verdict| {
        first.send(verdict).unwrap();
        // The reporter is busy until the test lets it go on.
        let _ = gate.recv();
    };
    let post_mortem = *fault.post_mortem;
    reporter.submit(post_mortem.clone(), module.clone(), context(provoking.frame()), then);
    let verdict = told.recv_timeout(LONG).unwrap();
    assert_eq!((verdict.module.as_str(), verdict.sequence, verdict.kills), ("m", Some(3), 2));
    assert_eq!(verdict.message.unwrap().message().unwrap(), provoking);

    // Too many bytes, and then too many pieces.
    let large = Message::new::<&str, &str>(&[], vec![0; 30 << 20]).unwrap();
    for _ in 0..4 {
        reporter.submit(post_mortem.clone(), module.clone(), context(large.frame()), drop);
    }
    assert_eq!(reporter.dropped(), 2, "two of 30 MiB fit");
    for _ in 0..100 {
        reporter.submit(post_mortem.clone(), module.clone(), context(provoking.frame()), drop);
    }
    assert_eq!(reporter.dropped(), 2 + 100 - 62);
    drop(release);
    // What waits is made still, and then the thread goes on.
    loop {
        let (dropped, tell) = (reporter.dropped(), tell.clone());
        let last = move |verdict| tell.send(verdict).unwrap();
        reporter.submit(post_mortem.clone(), module.clone(), context(provoking.frame()), last);
        if reporter.dropped() == dropped {
            break;
        }
        std::thread::yield_now();
    }
    told.recv_timeout(LONG).unwrap();
}
