//! Nothing is lost and nothing comes twice in an epoch, wherever connections are cut; and when a host dies,
//! what it did not vouch for is done by the next.

use std::collections::BTreeMap;
use std::net::Shutdown;
use std::sync::{Arc, Mutex};

use crate::support::link::{End, GATEWAY, number, parcel};
use crate::support::within;
use proptest::prelude::*;
use sandgate_wire::link::{Arrival, Features, Instance, Lane, Parcel, Side, Window};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;

/// What a run looks like.
#[derive(Clone, Debug)]
struct Plan {
    gateway: Window,
    host: Window,
    /// For each input its size, and how many outputs the host makes of it.
    inputs: Vec<(usize, usize)>,
    output_size: usize,
    /// The host settles after so many inputs.
    batch: u64,
    /// After how many bytes in each direction a connection is cut.
    cuts: Vec<(usize, usize)>,
}

fn plan() -> impl Strategy<Value = Plan> {
    let window = || {
        (1..10_u32, prop_oneof![1..200_u64, Just(1 << 20)])
            .prop_map(|(messages, bytes)| Window { messages, bytes })
    };
    let size = || prop_oneof![6 => 8..100_usize, 1 => 16_000..20_000_usize];
    let cut = || prop_oneof![1..200_usize, 1..5_000_usize, 1..50_000_usize];
    (
        window(),
        window(),
        prop::collection::vec((size(), 0..4_usize), 1..40),
        size(),
        1..4_u64,
        prop::collection::vec((cut(), cut()), 0..12),
    )
        .prop_map(|(gateway, host, inputs, output_size, batch, cuts)| {
            // Who waits for half of the window waits for ever if less than that is ever settled.
            let is_small = gateway.bytes.min(host.bytes) < 1 << 20;
            let most = if is_small { 1 } else { gateway.messages.min(host.messages) / 2 + 1 };
            let batch = batch.min(u64::from(most));
            Plan { gateway, host, inputs, output_size, batch, cuts }
        })
}

/// A connection that passes on so many bytes each way and is then gone, both ways at once.
struct Wire {
    gateway: UnixStream,
    host: UnixStream,
    relay: JoinHandle<()>,
}

impl Wire {
    fn new(cut: Option<(usize, usize)>) -> Self {
        if crate::FEATURES.contains(Features::RINGS) { Self::direct(cut) } else { Self::relayed(cut) }
    }

    /// What goes through rings is not counted: the connection ends when everybody has had so many turns.
    fn direct(cut: Option<(usize, usize)>) -> Self {
        let (gateway, host) = std::os::unix::net::UnixStream::pair().unwrap();
        let ending = gateway.try_clone().unwrap();
        let relay = tokio::spawn(async move {
            let Some((left, right)) = cut else { return std::future::pending().await };
            for _ in 0..(left + right).isqrt() {
                tokio::task::yield_now().await;
            }
            ending.shutdown(Shutdown::Both).unwrap();
        });
        let [gateway, host] = [gateway, host].map(|stream| {
            stream.set_nonblocking(true).unwrap();
            UnixStream::from_std(stream).unwrap()
        });
        Self { gateway, host, relay }
    }

    fn relayed(cut: Option<(usize, usize)>) -> Self {
        let (gateway, left) = UnixStream::pair().unwrap();
        let (host, right) = UnixStream::pair().unwrap();
        let (to_host, to_gateway) = cut.unwrap_or((usize::MAX, usize::MAX));
        let relay = tokio::spawn(async move {
            let (left_read, left_write) = left.into_split();
            let (right_read, right_write) = right.into_split();
            tokio::select! {
                () = pass(left_read, right_write, to_host) => {}
                () = pass(right_read, left_write, to_gateway) => {}
            }
        });
        Self { gateway, host, relay }
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut left: usize) {
    let mut buffer = [0; 4096];
    while left > 0 {
        let room = left.min(buffer.len());
        let Ok(count @ 1..) = from.read(&mut buffer[..room]).await else { return };
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
        left -= count;
    }
}

/// Carries both ends over one connection until it is cut.
async fn until_cut(gateway: &End, host: &End, cut: Option<(usize, usize)>) {
    let wire = Wire::new(cut);
    let at_gateway = gateway.carry(wire.gateway, host.instance);
    let at_host = host.carry(wire.host, GATEWAY);
    wire.relay.await.unwrap();
    at_gateway.await.unwrap();
    at_host.await.unwrap();
}

/// A module: for each input it sends outputs, then settles. The inputs come in order, none twice.
async fn module(lane: Lane, plan: Plan, first: u64) {
    let mut next = 1;
    let mut settled = 0;
    while let Ok(arrival) = lane.recv().await {
        match arrival {
            Arrival::Parcel { sequence, parcel: input } => {
                assert_eq!(sequence, next);
                assert_eq!(number(&input), first + sequence - 1);
                next += 1;
                let outputs = plan.inputs[number(&input) as usize - 1].1;
                for _ in 0..outputs {
                    if lane.send(parcel(number(&input), plan.output_size)).await.is_err() {
                        return;
                    }
                }
                if sequence % plan.batch == 0 || number(&input) == plan.inputs.len() as u64 {
                    lane.settle(sequence);
                }
            }
            Arrival::Settled(sequence) => {
                assert!(sequence > settled, "{sequence} after {settled}");
                settled = sequence;
            }
        }
    }
}

async fn feed(lane: Lane, inputs: Vec<Parcel>) {
    for input in inputs {
        if lane.send(input).await.is_err() {
            return;
        }
    }
}

fn inputs(plan: &Plan) -> Vec<Parcel> {
    (1..).zip(&plan.inputs).map(|(number, (size, _))| parcel(number, *size)).collect()
}

/// Takes what comes from a host, whose first input was `first`, until the last one is settled or the lane is
/// closed. Counts the outputs of each input, which come in order and in front of what vouches for them.
async fn take(lane: &Lane, plan: &Plan, first: u64, seen: &Mutex<BTreeMap<u64, usize>>) {
    let mut next = 1;
    let mut newest = 0;
    let mut settled = 0;
    let mut here: BTreeMap<u64, usize> = BTreeMap::new();
    while let Ok(arrival) = lane.recv().await {
        match arrival {
            Arrival::Parcel { sequence, parcel } => {
                assert_eq!(sequence, next);
                next += 1;
                let input = number(&parcel);
                assert!(input >= newest, "outputs in the order of their inputs");
                newest = input;
                *here.entry(input).or_default() += 1;
                *seen.lock().unwrap().entry(input).or_default() += 1;
                lane.settle(sequence);
            }
            Arrival::Settled(sequence) => {
                assert!(sequence > settled, "{sequence} after {settled}");
                for input in first + settled..first + sequence {
                    let made = here.get(&input).copied().unwrap_or(0);
                    assert_eq!(made, plan.inputs[input as usize - 1].1, "outputs of {input}");
                }
                settled = sequence;
                if first + settled > plan.inputs.len() as u64 {
                    return;
                }
            }
        }
    }
}

/// One host, many connections.
async fn cut_connections(plan: Plan) {
    let (gateway, host) = (End::with(Side::Gateway, crate::FEATURES), End::with(Side::Host, crate::FEATURES));
    let (near, far) = (Lane::new(5, 2, plan.gateway), Lane::new(5, 2, plan.host));
    gateway.lanes.add(&near);
    host.lanes.add(&far);
    let _fed = tokio::spawn(feed(near.clone(), inputs(&plan)));
    let worked = tokio::spawn(module(far.clone(), plan.clone(), 1));
    let seen = Mutex::default();
    let connections = async {
        for cut in &plan.cuts {
            until_cut(&gateway, &host, Some(*cut)).await;
        }
        until_cut(&gateway, &host, None).await;
    };
    let done = async {
        take(&near, &plan, 1, &seen).await;
        while far.unsettled() > 0 {
            tokio::task::yield_now().await;
        }
    };
    within("everything", async {
        tokio::select! {
            () = connections => panic!("the last connection ended"),
            () = done => {}
        }
    })
    .await;
    let (at_gateway, at_host) = (near.statistics(), far.statistics());
    assert_eq!((at_gateway.unsettled, at_host.unsettled), (0, 0));
    assert_eq!((at_gateway.unsettled_bytes, at_host.unsettled_bytes), (0, 0));
    assert_eq!(at_host.received, plan.inputs.len() as u64);
    assert_eq!(at_gateway.received, plan.inputs.iter().map(|(_, outputs)| *outputs as u64).sum::<u64>());
    assert_eq!((at_gateway.duplicates, at_host.duplicates), (0, 0));
    assert_eq!(gateway.lanes.statistics().strays + host.lanes.statistics().strays, 0);
    assert!(far.close().is_empty());
    worked.await.unwrap();
}

/// Every cut kills the host: the next attach gets what was not settled, in order, before anything newer.
async fn kill_hosts(plan: Plan) {
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let mut left = inputs(&plan);
    let mut deaths = 0;
    let cuts = plan.cuts.iter().copied().map(Some).chain([None]);
    for (epoch, cut) in (1..).zip(cuts) {
        let (gateway, mut host) =
            (End::with(Side::Gateway, crate::FEATURES), End::with(Side::Host, crate::FEATURES));
        host.instance = Instance([epoch as u8; 16]);
        let (near, far) = (Lane::new(5, epoch, plan.gateway), Lane::new(5, epoch, plan.host));
        gateway.lanes.add(&near);
        host.lanes.add(&far);
        let first = number(&left[0]);
        let feeding = tokio::spawn(feed(near.clone(), left.clone()));
        let worked = tokio::spawn(module(far.clone(), plan.clone(), first));
        let taking = tokio::spawn({
            let (near, plan, seen) = (near.clone(), plan.clone(), seen.clone());
            async move { take(&near, &plan, first, &seen).await }
        });
        let connection = async {
            until_cut(&gateway, &host, cut).await;
            // What the host has not settled, and behind it what was never taken.
            near.close()
        };
        let unsettled = within("a death or the end", async {
            tokio::select! {
                unsettled = connection => Some(unsettled),
                () = async {
                    while first + near.statistics().settled <= plan.inputs.len() as u64 {
                        tokio::task::yield_now().await;
                    }
                } => None,
            }
        })
        .await;
        // Ours to drop: what a dead host has not sent is lost with it.
        drop(far.close());
        worked.await.unwrap();
        let Some(unsettled) = unsettled else {
            within("the rest", taking).await.unwrap();
            left.clear();
            break;
        };
        feeding.await.unwrap();
        within("what had arrived", taking).await.unwrap();
        deaths += 1;
        let settled = near.statistics().settled as usize;
        let expected: Vec<_> = left[settled..].to_vec();
        let back: Vec<_> = unsettled.into_iter().map(|one| one.parcel).collect();
        assert_eq!(back[..], expected[..back.len()]);
        left = expected;
        if left.is_empty() {
            break;
        }
    }
    assert!(left.is_empty());
    let seen = seen.lock().unwrap();
    for (input, (_, outputs)) in (1..).zip(&plan.inputs) {
        let found = seen.get(&input).copied().unwrap_or(0);
        assert!(found >= *outputs, "input {input} made {found} of {outputs}");
        assert!(found <= outputs * (deaths + 1), "input {input} made {found} of {outputs}, {deaths} deaths");
    }
}

/// On one thread, where everything has its fixed order, or on several, where both ends race.
fn run(threads: usize, test: impl Future<Output = ()>) {
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(threads).enable_all().build().unwrap().block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_is_lost_and_nothing_comes_twice_over_cut_connections(plan in plan(), threads in 1..4_usize) {
        run(threads, cut_connections(plan));
    }

    #[test]
    fn what_a_dead_host_did_not_vouch_for_is_done_by_the_next(plan in plan(), threads in 1..4_usize) {
        run(threads, kill_hosts(plan));
    }
}
