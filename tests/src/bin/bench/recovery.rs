//! How long nothing comes through when something has broken: a module that traps, a host that is killed, a host that
//! hangs. Launched hosts on the host link, a gateway in this process, with the defaults of both but for the counts
//! that would quarantine what is broken on purpose.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use sandgate_gateway::broker::{Delivery, Link, OnFull, Source};
use sandgate_gateway::config::Config;
use sandgate_gateway::gateway::Gateway;
use sandgate_gateway::module::{Context as ModuleContext, Life, Module, ModuleError};
use sandgate_gateway::runtime;
use sandgate_gateway::status::{ModuleStatus, State};
use sandgate_tests::programs::{guest, program};
use sandgate_wire::Message;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

use crate::figures::percentiles;
use crate::report::{Report, Row, number};

/// Blows of one round.
const TRAPS: usize = 600;
const KILLS: usize = 40;
const HANGS: usize = 10;
/// What the blows may cost, in microseconds: half of them at most, and 99 of 100.
const TRAP_GOALS: [f64; 2] = [120.0, 1_000.0];
const KILL_GOALS: [f64; 2] = [200_000.0, 1_500_000.0];
const HANG_GOALS: [f64; 2] = [1_000_000.0; 2];
/// Between two messages of the stream that is interrupted.
const PACE: Duration = Duration::from_millis(1);
/// After so long a time a module or host has run fine, so that each blow is a first one.
const FINE: Duration = Duration::from_millis(1);
/// The largest number of failures that both configurations take before they quarantine.
const MOST: u32 = 10_000;
/// No answer for so long is a failure, not a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);
const ECHO: &str = "modules/echo";
const TRAPPING: &str = "fixtures/trap_timed";

pub(crate) fn measure(report: &mut Report, rounds: u32, scale: usize) -> Result<()> {
    let (mut traps, mut kills, mut seen, mut hangs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let times = |blows: usize| (blows / scale).max(2);
    for _ in 0..rounds {
        let scene = Scene::open(TRAPPING)?;
        for _ in 0..times(TRAPS) {
            traps.push(scene.trap()?);
        }
        scene.close()?;
        let scene = Scene::open(ECHO)?;
        for _ in 0..times(KILLS) {
            kills.push(scene.kill()?);
        }
        for _ in 0..times(HANGS) {
            let (noticed, flowing) = scene.hang()?;
            seen.push(noticed);
            hangs.push(flowing);
        }
        scene.close()?;
    }
    add(report, "recovery: from a trap to the message in a fresh instance", traps, Some(TRAP_GOALS));
    add(report, "recovery: from a host's death to messages flowing", kills, Some(KILL_GOALS));
    add(report, "recovery: until a host that hangs is seen", seen, Some(HANG_GOALS));
    add(report, "recovery: from a host's hanging to messages flowing", hangs, None);
    Ok(())
}

fn add(report: &mut Report, name: &str, times: Vec<Duration>, goals: Option<[f64; 2]>) {
    let values = percentiles(times);
    for (index, percentile) in ["p50", "p99"].into_iter().enumerate() {
        let (value, goal) = (values[index], goals.map(|goals| goals[index]));
        report.add(Row {
            name: format!("{name}, {percentile}"),
            value,
            unit: "us",
            reference: None,
            ratio: None,
            goal: goal.map(|goal| format!("at most {}", number(goal))),
            met: goal.map(|goal| value <= goal),
        });
    }
}

/// A module in a launched host, and both its ends in a module of the gateway.
struct Scene {
    runtime: Runtime,
    gateway: Gateway,
    status: ModuleStatus,
    stream: Arc<Stream>,
    orders: mpsc::Sender<Message>,
    answers: std::sync::mpsc::Receiver<Message>,
    _directory: tempfile::TempDir,
}

/// Numbers that go through the module all the while.
#[derive(Default)]
struct Stream {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Scene {
    fn open(module: &str) -> Result<Self> {
        let directory = tempfile::tempdir().context("no temporary directory")?;
        let config = configuration(directory.path(), module)?;
        let config = Config::check(&config, false).map_err(|faults| anyhow!("{faults:?}"))?;
        let runtime = runtime()?;
        let stream = Arc::<Stream>::default();
        let (orders, from_here) = mpsc::channel(1);
        let (to_here, answers) = std::sync::mpsc::channel();
        let ends = Ends { stream: stream.clone(), orders: from_here, answers: to_here };
        let gateway = runtime.block_on(async {
            let mut gateway = Gateway::with_dead_letters(directory.path().join("dead-letters"));
            for module in config.modules {
                gateway.add_module(module)?;
            }
            gateway.add("ends", 1024, Box::new(ends), PATIENCE)?;
            for (source, sink) in [("ends", "middle"), ("middle", "ends")] {
                let source = Source::Module(source.into());
                let terms = OnFull::Block.into();
                gateway.broker().add_link(Link { source, sink: sink.into(), terms })?;
            }
            gateway.start();
            anyhow::Ok(gateway)
        })?;
        let status = gateway.board().modules().into_iter().find(|module| module.name() == "middle");
        let status = status.context("the gateway has no such module")?;
        let scene = Self { runtime, gateway, status, stream, orders, answers, _directory: directory };
        scene.wait_for_messages()?;
        Ok(scene)
    }

    /// Has the module trap, and tells how long it was gone by its own times.
    fn trap(&self) -> Result<Duration> {
        // Longer than what counts as a good run.
        thread::sleep(2 * FINE);
        let message = Message::new(&[("misbehave", "1")], [])?;
        self.orders.blocking_send(message).map_err(|_| anyhow!("the gateway's module has ended"))?;
        let [before, after] = [self.time()?, self.time()?];
        Ok(after.saturating_sub(before))
    }

    fn time(&self) -> Result<Duration> {
        let message = self.answers.recv_timeout(PATIENCE).context("the module does not tell the time")?;
        let nanoseconds = message.property("nanoseconds").context("the message has no time")?;
        Ok(Duration::from_nanos(nanoseconds.parse()?))
    }

    /// Kills the host, and tells how long no message came through that was sent later.
    fn kill(&self) -> Result<Duration> {
        thread::sleep(2 * FINE);
        let begun = self.strike(Signal::KILL)?;
        self.wait_for_messages()?;
        Ok(begun.elapsed())
    }

    /// Stops the host, and tells how long that was not noticed, and how long no message came through.
    fn hang(&self) -> Result<(Duration, Duration)> {
        thread::sleep(2 * FINE);
        let begun = self.strike(Signal::STOP)?;
        wait_until("the gateway does not notice that its host hangs", || {
            self.status.state() != State::Running
        })?;
        let noticed = begun.elapsed();
        self.wait_for_messages()?;
        Ok((noticed, begun.elapsed()))
    }

    fn strike(&self, signal: Signal) -> Result<Instant> {
        let pid = self.status.to_json()["pid"].as_i64().context("the host does not run")?;
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no process has that number")?;
        let begun = Instant::now();
        // Its own child, which the gateway has not waited for as long as it shows the number.
        kill_process(pid, signal).context("the host cannot be signalled")?;
        Ok(begun)
    }

    /// Waits until a message has come through that is sent from now on.
    fn wait_for_messages(&self) -> Result<()> {
        let mark = self.stream.sent.load(Ordering::Relaxed) + 1;
        wait_until("no message comes through", || self.stream.received.load(Ordering::Relaxed) >= mark)
    }

    fn close(self) -> Result<()> {
        let stopped = self.runtime.block_on(async { timeout(PATIENCE, self.gateway.stop()).await });
        stopped.context("the gateway does not stop")
    }
}

/// Looks often: the answer is a time, of some milliseconds at least.
fn wait_until(failure: &str, is_so: impl Fn() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > PATIENCE {
            bail!("{failure}");
        }
        thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

fn configuration(directory: &Path, module: &str) -> Result<serde_json::Value> {
    let control = directory.join("middle.control");
    let host = json!({"modules": [{
        "name": "middle", "control.id": control, "module.path": guest(module),
        "restart": {"max": MOST, "reset.ms": FINE.as_millis() as u64},
    }]});
    let file = directory.join("host.json");
    std::fs::write(&file, serde_json::to_vec(&host)?)
        .context("the host's configuration cannot be written")?;
    Ok(json!({
        "modules": [{
            "name": "middle",
            "loader": {"name": "outprocess", "entrypoint": {
                "activation.type": "launch", "control.id": control,
                "launch": {
                    "path": program("wasm-host"), "args": ["--config", file],
                    "restart.max": MOST, "restart.reset.ms": FINE.as_millis() as u64,
                },
            }},
            "args": null,
        }],
        "links": [],
    }))
}

/// Sends the numbers and the orders, and takes what comes back.
struct Ends {
    stream: Arc<Stream>,
    orders: mpsc::Receiver<Message>,
    answers: std::sync::mpsc::Sender<Message>,
}

impl Module for Ends {
    fn run(mut self: Box<Self>, mut context: ModuleContext) -> Life {
        Box::pin(async move {
            let publisher = context.publisher.clone();
            let stream = self.stream.clone();
            let sending = async {
                let mut pace = interval(PACE);
                loop {
                    tokio::select! {
                        _ = pace.tick() => {
                            let number = stream.sent.load(Ordering::Relaxed) + 1;
                            let message = Message::new(&[("number", &*number.to_string())], [])?;
                            publisher.publish(message).await;
                            stream.sent.store(number, Ordering::Relaxed);
                        }
                        Some(order) = self.orders.recv() => {
                            publisher.publish(order).await;
                        }
                    }
                }
            };
            let receiving = async {
                let mut batch = VecDeque::<Delivery>::new();
                while context.inbox.recv_batch(&mut batch, 64).await > 0 {
                    for delivery in batch.drain(..) {
                        match delivery.message.property("number") {
                            Some(number) => self.stream.received.store(number.parse()?, Ordering::Relaxed),
                            // The receiver ends with the measurement.
                            None => drop(self.answers.send(delivery.message.clone())),
                        }
                    }
                }
                anyhow::Ok(())
            };
            let ended: Result<()> = tokio::select! {
                ended = receiving => ended,
                ended = sending => ended,
                () = context.stop.cancelled() => Ok(()),
            };
            ended.map_err(|error| ModuleError(format!("{error:#}")))
        })
    }
}
