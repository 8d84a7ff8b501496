//! What a module has published and its gateway has not taken: bounded by `max-outbound-messages` and
//! `max-outbound-size`, on both ways.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use sandgate_host::{Limits, LinkServer};
use sandgate_wire::Control;
use sandgate_wire::link::{
    Arrival, Beats, Greeting, Instance, Lane, Lanes, Parcel, ParcelKind, Side, Signal, Window, carry, greet,
};
use support::{Gateway, message};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
const MODULE: u32 = 0;
const EPOCH: u32 = 1;
/// What the gateway itself allows: more than the limits of these tests.
const WINDOW: Window = Window { messages: 100, bytes: 1 << 20 };

fn limits(pairs: &[&str]) -> Limits {
    let mut limits = Limits { timeout: Duration::from_millis(200), ..Limits::default() };
    pairs.iter().for_each(|pair| limits.set_pair(pair).unwrap());
    limits
}

/// A module that publishes ten messages for each that it receives, on a lane whose gateway settles nothing. How many
/// it has published when it has given up.
async fn published_on_a_lane(pairs: &[&str]) -> usize {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let (server, serving) = LinkServer::inherit(theirs);
    tokio::spawn(serving);
    let agreed = greet(&mut ours, &Greeting::ours(Instance::random())).await.unwrap();
    let lanes = Lanes::new();
    let (sender, mut signals) = mpsc::channel(16);
    let carried = lanes.clone();
    let beats = Beats { every: PATIENCE, patience: PATIENCE };
    tokio::spawn(async move { carry(ours, &agreed, Side::Gateway, &carried, &sender, beats).await });

    let gateway = Gateway::with_link("publish_flood", limits(pairs), false, Some(server)).await;
    gateway.create("10").await;
    assert!(gateway.reply().await.is_success());
    let lane = Lane::new(MODULE, EPOCH, WINDOW);
    lanes.add(&lane);
    assert!(matches!(signals.recv().await, Some(Signal::Opened { .. })));
    lanes.signal(Signal::Start { module: MODULE, epoch: EPOCH }).unwrap();
    lane.send(Parcel::message(message(&[], &[7; 400]).frame().clone())).await.unwrap();
    let mut published = 0;
    loop {
        match timeout(PATIENCE, lane.recv()).await.expect("the module is done").unwrap() {
            Arrival::Parcel { parcel, .. } => published += usize::from(parcel.kind == ParcelKind::Message),
            // The mark comes behind all that was published before.
            Arrival::Settled(_) => return published,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_keeps_so_many_messages_and_bytes() {
    assert_eq!(published_on_a_lane(&[]).await, 10);
    assert_eq!(published_on_a_lane(&["max-outbound-messages=4"]).await, 4);
    // The one that reaches the size still goes.
    assert_eq!(published_on_a_lane(&["max-outbound-size=1KiB"]).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_channel_keeps_so_many_messages() {
    let mut gateway =
        Gateway::with_options("publish_flood", limits(&["max-outbound-messages=4"]), false).await;
    gateway.attach("10").await;
    // The first of them is done with when the second one has been taken: it is too large to be handed over with others.
    for content in [vec![0; 1 << 17], Vec::new()] {
        gateway.publish(&message(&[], &content)).await;
    }
    let channel = gateway.message.clone().unwrap();
    let taken = async {
        while channel.statistics().waiting > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, taken).await.expect("the module goes on");
    for n in ["1", "2", "3", "4", "1"] {
        assert_eq!(gateway.receive().await.property("n"), Some(n));
    }
    gateway.send(Control::Destroy).await;
}
