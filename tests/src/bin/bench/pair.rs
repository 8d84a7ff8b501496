//! The whole path over V1's wire: source, broker, proxy, nng, wasm-host, component, and back to a sink;
//! beside a bare nng pair between two processes.

use std::collections::VecDeque;
use std::iter;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use sandgate_gateway::broker::{Delivery, Inbox, Link, OnFull, Publisher, Source};
use sandgate_gateway::config::Config;
use sandgate_gateway::gateway::Gateway;
use sandgate_gateway::module::{Context as ModuleContext, Life, Module};
use sandgate_gateway::runtime;
use sandgate_tests::programs::{guest, program};
use sandgate_wire::Message;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::GOAL_SIZE;
use crate::bare::Bare;
use crate::figures::{Figures, median};
use crate::report::{Report, Row};

const TRIPS: usize = 5_000;
/// Bytes that one throughput measurement sends at most, and messages.
const VOLUME: usize = 512 << 20;
const MESSAGES: usize = 100_000;
/// Both paths are warmed up with so many times fewer messages.
const WARM_UP: usize = 10;
/// Messages that the sink's inbox holds.
const CAPACITY: usize = 1024;
/// Ratios to the bare pair: throughput at least, round trip at most.
const GOAL_THROUGHPUT: f64 = 0.85;
const GOAL_P50: f64 = 1.15;
/// No answer for so long is a failure, not a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn measure(report: &mut Report, size: usize, rounds: u32, scale: usize) -> Result<()> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let message = Message::new(&[("a", "1"), ("b", "2")], vec![0; size])?;
    let trips = (TRIPS / scale).max(10);
    let messages = (MESSAGES.min(VOLUME / size) / scale).max(10);
    let (mut ours, mut bares) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        // New processes in every round: where the system happens to put their threads decides much.
        let bare = Bare::start(directory.path())?;
        let path = WasmPath::start(directory.path())?;
        bare.measure(message.frame(), trips / WARM_UP, messages / WARM_UP)?;
        path.measure(&message, trips / WARM_UP, messages / WARM_UP)?;
        bares.push(bare.measure(message.frame(), trips, messages)?);
        ours.push(path.measure(&message, trips, messages)?);
        path.stop()?;
    }

    let goal = size == GOAL_SIZE;
    let mut add = |what: &str, unit, of: fn(&Figures) -> f64, goal: Option<(String, bool)>| {
        let ratio = median(iter::zip(&ours, &bares).map(|(ours, bare)| of(ours) / of(bare)));
        let (goal, at_most) = goal.unzip();
        let met = at_most.map(|at_most| if at_most { ratio <= GOAL_P50 } else { ratio >= GOAL_THROUGHPUT });
        report.add(Row {
            name: format!("pair with Wasm echo, {size} B: {what}"),
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

/// A gateway in this process, and a `wasm-host` with the echo module.
struct WasmPath {
    runtime: Runtime,
    gateway: Gateway,
    orders: mpsc::Sender<Order>,
    host: Child,
}

/// One measurement for the gateway's module to carry out.
struct Order {
    message: Message,
    trips: usize,
    messages: usize,
    figures: oneshot::Sender<Result<Figures>>,
}

impl WasmPath {
    fn start(directory: &Path) -> Result<Self> {
        let control = directory.join("control");
        let (program, module) = (program("wasm-host"), guest("modules/echo"));
        let host = Command::new(&program)
            .arg("--control")
            .args([&control, &module])
            .env("RUST_LOG", "warn")
            // It ends when the benchmark ends, however that comes about.
            .env("SANDGATE_LAUNCHED_BY", std::process::id().to_string())
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        // As the `gateway` program has it.
        let runtime = runtime()?;
        let (orders, gateway) = match runtime.block_on(async { connected_gateway(&control) }) {
            Ok(parts) => parts,
            Err(error) => {
                end(host)?;
                return Err(error);
            }
        };
        let path = Self { runtime, gateway, orders, host };
        path.measure(&Message::new::<&str, &str>(&[], [])?, 1, 1)?;
        Ok(path)
    }

    fn measure(&self, message: &Message, trips: usize, messages: usize) -> Result<Figures> {
        let (figures, measured) = oneshot::channel();
        let order = Order { message: message.clone(), trips, messages, figures };
        self.runtime.block_on(async {
            self.orders.send(order).await.map_err(|_| anyhow!("the gateway's module has ended"))?;
            measured.await.context("the gateway's module has ended")?
        })
    }

    fn stop(self) -> Result<()> {
        drop(self.orders);
        let stopped = self.runtime.block_on(async { timeout(PATIENCE, self.gateway.stop()).await });
        end(self.host)?;
        stopped.context("the gateway does not stop")
    }
}

fn end(mut host: Child) -> Result<()> {
    host.kill().context("cannot end wasm-host")?;
    host.wait().context("cannot end wasm-host")?;
    Ok(())
}

/// The source and the sink are one module of the gateway; the echo is another, out of process.
fn connected_gateway(control: &Path) -> Result<(mpsc::Sender<Order>, Gateway)> {
    let config = json!({
        "modules": [{
            "name": "echo",
            "loader": { "name": "outprocess",
                        "entrypoint": { "activation.type": "none", "control.id": control } },
            "args": null
        }],
        "links": []
    });
    let config = Config::check(&config, false).map_err(|faults| anyhow!("{faults:?}"))?;
    let mut gateway = Gateway::new();
    for module in config.modules {
        gateway.add_module(module)?;
    }
    let (orders, inbox) = mpsc::channel(1);
    gateway.add("ends", CAPACITY, Box::new(Ends { orders: inbox }), PATIENCE)?;
    for (source, sink) in [("ends", "echo"), ("echo", "ends")] {
        let source = Source::Module(source.into());
        gateway.broker().add_link(Link { source, sink: sink.into(), terms: OnFull::Block.into() })?;
    }
    gateway.start();
    Ok((orders, gateway))
}

struct Ends {
    orders: mpsc::Receiver<Order>,
}

impl Module for Ends {
    fn run(mut self: Box<Self>, mut context: ModuleContext) -> Life {
        Box::pin(async move {
            while let Some(order) = self.orders.recv().await {
                let figures = order.carry_out(&context.publisher, &mut context.inbox).await;
                // Nobody waits any more when the benchmark is given up.
                let _ = order.figures.send(figures);
            }
            Ok(())
        })
    }
}

impl Order {
    async fn carry_out(&self, publisher: &Publisher, inbox: &mut Inbox) -> Result<Figures> {
        let mut round_trips = Vec::with_capacity(self.trips);
        for _ in 0..self.trips {
            let begun = Instant::now();
            publisher.publish(self.message.clone()).await;
            take(inbox, &mut VecDeque::new(), 1).await?;
            round_trips.push(begun.elapsed());
        }
        let begun = Instant::now();
        let (source, message, messages) = (publisher.clone(), self.message.clone(), self.messages);
        let publishing = tokio::spawn(async move {
            for _ in 0..messages {
                source.publish(message.clone()).await;
            }
        });
        let (mut batch, mut received) = (VecDeque::new(), 0);
        while received < self.messages {
            received += take(inbox, &mut batch, CAPACITY).await?;
            batch.clear();
        }
        publishing.await.context("the source has failed")?;
        Ok(Figures::new(self.messages, begun.elapsed(), round_trips))
    }
}

async fn take(inbox: &mut Inbox, batch: &mut VecDeque<Delivery>, limit: usize) -> Result<usize> {
    match timeout(PATIENCE, inbox.recv_batch(batch, limit)).await {
        Ok(0) => bail!("the inbox is closed"),
        Ok(taken) => Ok(taken),
        Err(_) => bail!("a message did not come back"),
    }
}
