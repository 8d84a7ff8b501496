//! The whole path: source, broker, proxy, V1's pair or the host link, wasm-host, component, and back to a sink; beside a
//! bare nng pair between two processes.

use std::collections::VecDeque;
use std::iter;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sandgate_gateway::broker::{Delivery, Inbox, Publisher};
use sandgate_gateway::module::Context as ModuleContext;
use sandgate_tests::programs::guest;
use sandgate_wire::Message;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::GOAL_SIZE;
use crate::bare::Bare;
use crate::figures::{Figures, median};
use crate::host::Host;
use crate::local::{CAPACITY, End, LocalGateway, PATIENCE};
use crate::report::{Report, Row};

const TRIPS: usize = 5_000;
/// Bytes that one throughput measurement sends at most, and messages.
const VOLUME: usize = 512 << 20;
const MESSAGES: usize = 100_000;
/// Both paths are warmed up with so many times fewer messages.
const WARM_UP: usize = 10;
/// Ratios to the bare pair, over V1's pair: throughput at least, round trip at most.
const GOAL_THROUGHPUT: f64 = 0.85;
const GOAL_P50: f64 = 1.15;

/// What carries messages between the gateway and the host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    Pair,
    Link,
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Link => "link",
        }
    }

    /// The value of the key `channel`.
    fn channel(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Link => "auto",
        }
    }
}

pub(crate) fn measure(report: &mut Report, way: Way, size: usize, rounds: u32, scale: usize) -> Result<()> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let message = Message::new(&[("a", "1"), ("b", "2")], vec![0; size])?;
    let trips = (TRIPS / scale).max(10);
    let messages = (MESSAGES.min(VOLUME / size) / scale).max(10);
    let (mut ours, mut bares) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        // New processes in every round: where the system happens to put their threads decides much.
        let bare = Bare::start(directory.path())?;
        let path = WasmPath::start(directory.path(), way)?;
        bare.measure(message.frame(), trips / WARM_UP, messages / WARM_UP)?;
        path.measure(&message, trips / WARM_UP, messages / WARM_UP)?;
        bares.push(bare.measure(message.frame(), trips, messages)?);
        ours.push(path.measure(&message, trips, messages)?);
        path.gateway.stop()?;
    }

    let goal = size == GOAL_SIZE && way == Way::Pair;
    let mut add = |what: &str, unit, of: fn(&Figures) -> f64, goal: Option<(String, bool)>| {
        let ratio = median(iter::zip(&ours, &bares).map(|(ours, bare)| of(ours) / of(bare)));
        let (goal, at_most) = goal.unzip();
        let met = at_most.map(|at_most| if at_most { ratio <= GOAL_P50 } else { ratio >= GOAL_THROUGHPUT });
        report.add(Row {
            name: format!("{} with Wasm echo, {size} B: {what}", way.name()),
            value: median(ours.iter().map(of)),
            unit,
            reference: Some(median(bares.iter().map(of))),
            ratio: Some(ratio),
            goal,
            met,
        });
    };
    let at_least = goal.then(|| (format!("ratio at least {GOAL_THROUGHPUT}"), false));
    let at_most = goal.then(|| (format!("ratio at most {GOAL_P50}"), true));
    add("throughput", "messages/s", |figures| figures.throughput, at_least);
    add("round trip p50", "us", |figures| figures.p50, at_most);
    add("round trip p99", "us", |figures| figures.p99, None);
    Ok(())
}

/// A gateway in this process, and a `wasm-host` with the echo module. Source and sink are one module of the gateway.
struct WasmPath {
    gateway: LocalGateway,
    ends: End,
    /// Held: it ends with the path.
    _host: Host,
}

impl WasmPath {
    fn start(directory: &Path, way: Way) -> Result<Self> {
        let control = directory.join("control");
        let host = Host::start(&["--control".into(), control.clone(), guest("modules/echo")])?;
        let mut gateway = LocalGateway::new()?;
        let entrypoint = json!({"activation.type": "none", "control.id": control, "channel": way.channel()});
        gateway.add_remote("echo", entrypoint, &Value::Null)?;
        let ends = gateway.add_end("ends", "echo")?;
        gateway.start();
        let path = Self { gateway, ends, _host: host };
        path.measure(&Message::new::<&str, &str>(&[], [])?, 1, 1)?;
        Ok(path)
    }

    fn measure(&self, message: &Message, trips: usize, messages: usize) -> Result<Figures> {
        let message = message.clone();
        self.ends.run(move |context| Box::pin(exchange(context, message, trips, messages)))
    }
}

/// Round trips, and then many messages at once.
pub(crate) async fn exchange(
    ModuleContext { publisher, inbox, .. }: &mut ModuleContext,
    message: Message,
    trips: usize,
    messages: usize,
) -> Result<Figures> {
    let round_trips = round_trips(publisher, inbox, &message, trips).await?;
    let begun = Instant::now();
    let source = publisher.clone();
    let publishing = tokio::spawn(async move {
        for _ in 0..messages {
            source.publish(message.clone()).await;
        }
    });
    let (mut batch, mut received) = (VecDeque::new(), 0);
    while received < messages {
        received += take(inbox, &mut batch, CAPACITY).await?;
        batch.clear();
    }
    publishing.await.context("the source has failed")?;
    Ok(Figures::new(messages, begun.elapsed(), round_trips))
}

/// Sends a message and waits until it is back, again and again; how long each took.
pub(crate) async fn round_trips(
    publisher: &Publisher,
    inbox: &mut Inbox,
    message: &Message,
    trips: usize,
) -> Result<Vec<Duration>> {
    let (mut times, mut batch) = (Vec::with_capacity(trips), VecDeque::new());
    for _ in 0..trips {
        let begun = Instant::now();
        publisher.publish(message.clone()).await;
        take(inbox, &mut batch, 1).await?;
        times.push(begun.elapsed());
        if batch.pop_front().is_none_or(|returned| !is_same(&returned.message, message)) {
            bail!("another message came back");
        }
    }
    Ok(times)
}

/// Some languages give properties back in another order.
fn is_same(one: &Message, other: &Message) -> bool {
    let sorted = |message: &Message| {
        let mut properties: Vec<_> =
            message.properties().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        properties.sort_unstable();
        properties
    };
    one == other || (one.content() == other.content() && sorted(one) == sorted(other))
}

async fn take(inbox: &mut Inbox, batch: &mut VecDeque<Delivery>, limit: usize) -> Result<usize> {
    match timeout(PATIENCE, inbox.recv_batch(batch, limit)).await {
        Ok(0) => bail!("the inbox is closed"),
        Ok(taken) => Ok(taken),
        Err(_) => bail!("a message did not come back"),
    }
}
