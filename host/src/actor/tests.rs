//! Actors on a lane, whose reporter is busy with others.

use std::sync::mpsc::Sender;

use sandgate_wire::link::{
    Arrival, Beats, Greeting, Instance as Process, Lane, Lanes, Parcel, ParcelKind, Side, Signal, Window,
    carry, greet,
};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::blueprint::{Setup, Sharing};
use crate::limits::Limits;
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
