//! Actors on a lane, whose reporter is busy with others.

use std::sync::mpsc::Sender;

use bytes::Bytes;
use sandgate_wire::link::{
    Arrival, Beats, Greeting, Instance as Process, Lane, Lanes, Parcel, ParcelKind, Side, Signal, Window,
    carry, greet,
};
use sandgate_wire::{Channel, MemoryChannel};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::blueprint::{Setup, Sharing};
use crate::limits::Limits;
use crate::restart::RestartPolicy;
use crate::sandbox::tests::{Scene, hold};
use crate::verdict::Reporter;

const LONG: Duration = Duration::from_secs(20);
const WINDOW: Window = Window { messages: 100, bytes: 1 << 20 };

fn message(key: &str) -> Message {
    Message::new(&[(key, "1")], b"").unwrap()
}

/// A lane's two ends, carried.
async fn lanes() -> (Lane, Lane) {
    let (here, there) = UnixStream::pair().unwrap();
    let beats = Beats { every: LONG, patience: LONG };
    let end = |mut stream: UnixStream, side| async move {
        let agreed = greet(&mut stream, &Greeting::ours(Process::random())).await.unwrap();
        let (lanes, lane) = (Lanes::new(), Lane::new(0, 1, WINDOW));
        let (sender, mut signals) = mpsc::channel::<Signal>(16);
        lanes.add(&lane);
        tokio::spawn(async move { carry(stream, &agreed, side, &lanes, &sender, beats).await });
        tokio::spawn(async move { while signals.recv().await.is_some() {} });
        lane
    };
    tokio::join!(end(here, Side::Gateway), end(there, Side::Host))
}

/// A module that has trapped on a message that may do so once, while the reporter is busy.
struct Trapped {
    scene: Scene,
    blueprint: Blueprint,
    actor: ActorHandle,
    gateway: Lane,
    release: Sender<()>,
}

fn trapped(prepare: impl FnOnce(&Blueprint, &crate::fault::PostMortem)) -> Trapped {
    let scene = Scene::new();
    let limits = Limits::default();
    let module = scene.module("trap_receive", &limits);
    let fault = scene.sandbox(&module, limits).receive(&message("trap"), None, 1).unwrap_err();
    let reporter = Reporter::start().unwrap();
    let release = hold(&reporter, *fault.post_mortem.clone(), &module);
    let attach = async {
        let blueprint = Blueprint::sharing(Setup::new(module, "m"), Sharing::new(reporter, None));
        prepare(&blueprint, &fault.post_mortem);
        let (mut actor, order) = ActorHandle::order();
        order.fulfil(blueprint.clone(), "null");
        actor.created().await.unwrap();
        let (gateway, host) = lanes().await;
        actor.start(Port::Link(host));
        let parcel = Parcel { redelivery_max: 1, ..Parcel::message(message("trap").frame().clone()) };
        gateway.send(parcel).await.unwrap();
        until(|| blueprint.flow.faults.get() == 1).await;
        (blueprint, actor, gateway)
    };
    let (blueprint, actor, gateway) = scene.runtime.block_on(attach);
    Trapped { scene, blueprint, actor, gateway, release }
}

async fn until(condition: impl Fn() -> bool) {
    let met = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, met).await.expect("it comes about");
}

#[test]
fn who_waits_for_a_verdict_is_destroyed_all_the_same() {
    let Trapped { scene, mut actor, release, .. } = trapped(|_, _| {});
    actor.destroy();
    let ended = async { timeout(LONG, actor.ended()).await };
    assert!(matches!(scene.runtime.block_on(ended).unwrap(), Ending::Destroyed));
    drop(release);
}

#[test]
fn a_dead_letter_waits_for_its_verdict_and_goes_without_where_there_is_no_room() {
    for has_room in [true, false] {
        let fill = |blueprint: &Blueprint, post_mortem: &crate::fault::PostMortem| {
            let submit = || {
                let context = crate::verdict::VerdictContext { module: "m".into(), ..Default::default() };
                blueprint.reporter.submit(post_mortem.clone(), blueprint.module.clone(), context, drop)
            };
            while !has_room && submit() {}
        };
        let Trapped { scene, blueprint, gateway, release, actor: _held } = trapped(fill);
        let dead_letter = async {
            loop {
                let arrival = timeout(LONG, gateway.recv()).await.expect("it comes").unwrap();
                if let Arrival::Parcel { parcel, .. } = arrival
                    && parcel.kind == ParcelKind::DeadLetter
                {
                    return parcel.body;
                }
            }
        };
        // Without room it comes while the reporter is still busy.
        let _busy = (!has_room).then_some(release);
        let body = scene.runtime.block_on(dead_letter);
        assert_eq!(body.is_empty(), !has_room);
        assert_eq!(blueprint.flow.verdicts_dropped.get(), u64::from(!has_room));
    }
}

/// What the gateway's end has got, until so many messages are there.
async fn outputs(gateway: &MemoryChannel, count: usize) -> Vec<Bytes> {
    let mut frames = Vec::new();
    while frames.len() < count {
        let frame = poll_fn(|context| gateway.poll_recv(context));
        frames.push(timeout(LONG, frame).await.expect("it comes").unwrap());
    }
    frames
}

#[test]
fn messages_that_wait_are_handed_over_in_order_and_what_fails_is_the_one_that_does() {
    let scene = Scene::new();
    let limits = Limits::default();
    let module = scene.module("trap_receive", &limits);
    let sent: Vec<_> = (0..100).map(|n| message(&format!("n{n}"))).collect();
    let run = async {
        let reporter = Reporter::start().unwrap();
        let blueprint = Blueprint::sharing(Setup::new(module, "m"), Sharing::new(reporter, None));
        let (mut actor, order) = ActorHandle::order();
        order.fulfil(blueprint.clone(), "null");
        actor.created().await.unwrap();
        let (host, gateway) = MemoryChannel::pair(1000);
        for message in sent.iter().chain([&message("trap"), &message("behind")]) {
            gateway.try_send(message.frame().clone()).unwrap();
        }
        actor.start(Port::pair(Arc::new(host)));
        let got = outputs(&gateway, sent.len()).await;
        assert!(matches!(timeout(LONG, actor.ended()).await.unwrap(), Ending::Failed));
        assert_eq!(got, sent.iter().map(|message| message.frame().clone()).collect::<Vec<_>>());
        let flow = &blueprint.flow;
        assert_eq!((flow.received.get(), flow.published.get(), flow.faults.get()), (101, 100, 1));
        let more = gateway.poll_recv(&mut Context::from_waker(Waker::noop()));
        assert!(!matches!(more, Poll::Ready(Ok(_))), "what is behind it is not handled");
    };
    scene.runtime.block_on(run);
}

#[test]
fn over_the_link_those_beside_a_message_that_fails_are_handled_once() {
    let scene = Scene::new();
    let limits = Limits::default();
    let module = scene.module("trap_receive", &limits);
    let run = async {
        let reporter = Reporter::start().unwrap();
        let blueprint = Blueprint::sharing(Setup::new(module, "m"), Sharing::new(reporter, None));
        let (mut actor, order) = ActorHandle::order();
        order.fulfil(blueprint.clone(), "null");
        actor.created().await.unwrap();
        let (gateway, host) = lanes().await;
        let keys = ["a", "b", "trap", "c", "trap", "d", "e"];
        for key in keys {
            let parcel = Parcel { redelivery_max: 2, ..Parcel::message(message(key).frame().clone()) };
            gateway.send(parcel).await.unwrap();
        }
        actor.start(Port::Link(host));
        let (mut outputs, mut dead, mut settled) = (Vec::new(), 0, 0);
        while settled < keys.len() as u64 {
            match timeout(LONG, gateway.recv()).await.expect("it comes").unwrap() {
                Arrival::Parcel { parcel, .. } if parcel.kind == ParcelKind::DeadLetter => dead += 1,
                Arrival::Parcel { parcel, .. } if parcel.kind == ParcelKind::Message => {
                    outputs.push(parcel.body);
                }
                Arrival::Parcel { .. } => {}
                Arrival::Settled(sequence) => settled = sequence,
            }
        }
        let expected: Vec<_> = ["a", "b", "c", "d", "e"].map(|key| message(key).into_frame()).to_vec();
        assert_eq!(outputs, expected);
        let flow = &blueprint.flow;
        assert_eq!((dead, flow.dead.get(), flow.faults.get()), (2, 2, 4));
        assert_eq!(flow.received.get(), 5 + 4, "each once for every attempt");
        drop(actor);
    };
    scene.runtime.block_on(run);
}

/// A message that a guest spins on, while all other threads are stuck and a task waits for one: the guest has to go.
#[test]
fn what_the_host_ends_for_others_is_neither_blamed_nor_quarantined() {
    const THREADS: usize = 64;
    let scene = Scene::new();
    let limits = Limits { timeout_receive: Some(2 * LONG), ..Limits::default() };
    let module = scene.module("spin_receive", &limits);
    let workers = module.engine.workers().clone();
    let run = async {
        let reporter = Reporter::start().unwrap();
        let restart = RestartPolicy { max: 0, ..RestartPolicy::default() };
        let setup = Setup { limits, restart, ..Setup::new(module, "m") };
        let blueprint = Blueprint::sharing(setup, Sharing::new(reporter, None));
        let (mut actor, order) = ActorHandle::order();
        order.fulfil(blueprint.clone(), "null");
        actor.created().await.unwrap();
        let (gateway, host) = lanes().await;
        let parcel = Parcel { redelivery_max: 1, ..Parcel::message(message("spin").frame().clone()) };
        gateway.send(parcel).await.unwrap();
        actor.start(Port::Link(host));
        let flow = &blueprint.flow;
        until(|| flow.received.get() == 1).await;
        let gates: Vec<_> = (0..=THREADS)
            .map(|_| {
                let (release, gate) = std::sync::mpsc::channel::<()>();
                workers.spawn(async move {
                    let _ = gate.recv();
                });
                release
            })
            .collect();
        until(|| flow.faults.get() >= 1).await;
        drop(gates);
        // It is made anew, and gets the message again.
        until(|| flow.received.get() >= 2).await;
        assert!(flow.restarts.get() >= 1);
        assert_eq!((flow.quarantines.get(), flow.dead.get()), (0, 0));
        let verdict = timeout(LONG, gateway.recv()).await.expect("it comes").unwrap();
        let Arrival::Parcel { parcel, .. } = verdict else { panic!("{verdict:?}") };
        assert_eq!(parcel.kind, ParcelKind::Verdict);
        assert!(String::from_utf8_lossy(&parcel.body).contains("all threads were busy"));
        actor.destroy();
    };
    scene.runtime.block_on(run);
}
