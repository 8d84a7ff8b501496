//! The whole path: source, broker, proxy, V1's pair or the host link, wasm-host, component, and back to a sink; beside a
//! bare nng pair and a bare Unix domain socket between two processes.

use std::collections::VecDeque;
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
use crate::goal::Goal;
use crate::host::Host;
use crate::local::{CAPACITY, End, LocalGateway, PATIENCE};
use crate::plots::{Plot, Point};
use crate::report::{Report, Row};
use crate::unix::BareUnix;

const TRIPS: usize = 5_000;
/// Bytes that one throughput measurement sends at most, and messages.
const VOLUME: usize = 512 << 20;
const MESSAGES: usize = 100_000;
/// Both paths are warmed up with so many times fewer messages.
const WARM_UP: usize = 10;
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

/// What one turn gave: the whole path, and the references in the same processes' time.
struct Turn {
    ours: Figures,
    nng: Figures,
    unix: Figures,
}

pub(crate) fn measure(report: &mut Report, way: Way, size: usize, rounds: u32, scale: usize) -> Result<()> {
    let message = Message::new(&[("a", "1"), ("b", "2")], vec![0; size])?;
    let trips = (TRIPS / scale).max(10);
    let messages = (MESSAGES.min(VOLUME / size) / scale).max(10);
    let turns = (0..rounds).map(|_| turn(way, &message, trips, messages)).collect::<Result<Vec<_>>>()?;
    let is_goal = size == GOAL_SIZE;
    let row = |what: &str, unit, ours: fn(&Figures) -> f64, reference: fn(&Turn) -> f64| {
        let ratio = median(turns.iter().map(|turn| ours(&turn.ours) / reference(turn)));
        Row::new(
            format!("{} with Wasm echo, {size} B: {what}", way.name()),
            median(turns.iter().map(|turn| ours(&turn.ours))),
            unit,
        )
        .beside(median(turns.iter().map(reference)), ratio)
    };
    let throughput =
        row("throughput, beside nng", "messages/s", |f| f.throughput, |turn| turn.nng.throughput);
    let p50_nng = row("round trip p50, beside nng", "us", |f| f.p50, |turn| turn.nng.p50);
    let p99_nng = row("round trip p99, beside nng", "us", |f| f.p99, |turn| turn.nng.p99);
    let p50_unix = row("round trip p50, beside a Unix socket", "us", |f| f.p50, |turn| turn.unix.p50);
    let goals = |goals: &'static [Goal]| if is_goal { goals } else { &[] };
    match way {
        Way::Pair => {
            report.add(throughput.with_goals(goals(&[Goal::RatioAtLeast(0.95)])));
            report.add(p50_nng.with_goals(goals(&[Goal::RatioAtMost(1.05)])));
        }
        Way::Link => {
            report.add(throughput.with_goals(goals(&[Goal::AtLeast(1e6), Goal::RatioAtLeast(6.0)])));
            report.add(p50_unix.with_goals(goals(&[Goal::RatioAtMost(1.5)])));
            report.add(p50_nng.with_goals(goals(&[Goal::RatioAtMost(0.2)])));
        }
    }
    report.add(p99_nng);
    plot(report, way, size, &turns);
    Ok(())
}

/// New processes in every turn: where the system happens to put their threads decides much.
fn turn(way: Way, message: &Message, trips: usize, messages: usize) -> Result<Turn> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let (nng, unix) = (Bare::start(directory.path())?, BareUnix::start(directory.path())?);
    let path = WasmPath::start(directory.path(), way)?;
    let (few_trips, few) = (trips / WARM_UP, messages / WARM_UP);
    nng.measure(message.frame(), few_trips, few)?;
    unix.measure(message.frame(), few_trips, few)?;
    path.measure(message, few_trips, few)?;
    let turn = Turn {
        nng: nng.measure(message.frame(), trips, messages)?,
        unix: unix.measure(message.frame(), trips, messages)?,
        ours: path.measure(message, trips, messages)?,
    };
    path.gateway.stop()?;
    Ok(turn)
}

fn plot(report: &mut Report, way: Way, size: usize, turns: &[Turn]) {
    let ours = format!("{} with Wasm echo", way.name());
    type Curve<'a> = (&'a str, fn(&Turn) -> &Figures);
    let mut curves: Vec<Curve<'_>> = vec![(&ours, |turn| &turn.ours)];
    // The references are the same for both ways.
    if way == Way::Link {
        curves.push(("bare nng pair", |turn| &turn.nng));
        curves.push(("bare Unix socket", |turn| &turn.unix));
    }
    let x = size as f64;
    for (curve, figures) in curves {
        let mut point = |plot, curve: String, of: fn(&Figures) -> f64| {
            report.plot(Point { plot, curve, x, y: median(turns.iter().map(|turn| of(figures(turn)))) });
        };
        point(Plot::Throughput, curve.to_owned(), |figures| figures.throughput);
        point(Plot::RoundTrip, format!("{curve}, p50"), |figures| figures.p50);
        point(Plot::RoundTrip, format!("{curve}, p99"), |figures| figures.p99);
    }
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
