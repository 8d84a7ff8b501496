//! How long nothing comes through when something has broken: a module that traps, a host that is killed, a host that
//! hangs. Launched hosts on the host link, a gateway in this process, with the defaults of both but for the counts
//! that would quarantine what is broken on purpose.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use sandgate_gateway::module::Context as ModuleContext;
use sandgate_gateway::status::{ModuleStatus, State};
use sandgate_tests::programs::{guest, program};
use sandgate_wire::Message;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::figures::percentiles;
use crate::goal::Goal;
use crate::local::{LocalGateway, PATIENCE, Pending};
use crate::report::{Report, Row};

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
        let goals: Vec<Goal> = goals.iter().map(|goals| Goal::AtMost(goals[index])).collect();
        report.add(Row::new(format!("{name}, {percentile}"), values[index], "us").with_goals(&goals));
    }
}

/// A module in a launched host, and a module of the gateway with which it exchanges messages all the while.
struct Scene {
    gateway: LocalGateway,
    status: ModuleStatus,
    stream: Arc<Stream>,
    flowing: Pending<()>,
    answers: mpsc::Receiver<Message>,
    _directory: tempfile::TempDir,
}

/// Numbers that go through the module, and what interrupts them.
#[derive(Default)]
struct Stream {
    sent: AtomicU64,
    received: AtomicU64,
    /// The module is to trap.
    provoke: AtomicBool,
    over: AtomicBool,
}

impl Scene {
    fn open(module: &str) -> Result<Self> {
        let directory = tempfile::tempdir().context("no temporary directory")?;
        let mut gateway = LocalGateway::new()?;
        gateway.add_remote("middle", entrypoint(directory.path(), module)?, &Value::Null)?;
        let ends = gateway.add_end("ends", "middle")?;
        gateway.start();
        let (stream, (answer, answers)) = (Arc::<Stream>::default(), mpsc::channel());
        let flow = stream.clone();
        let flowing = ends.begin(move |context| Box::pin(exchange(context, flow, answer)))?;
        let status = gateway.status("middle")?;
        let scene = Self { gateway, status, stream, flowing, answers, _directory: directory };
        scene.wait_for_messages()?;
        Ok(scene)
    }

    /// Has the module trap, and tells how long it was gone by its own times.
    fn trap(&self) -> Result<Duration> {
        // Longer than what counts as a good run.
        thread::sleep(2 * FINE);
        self.stream.provoke.store(true, Ordering::Relaxed);
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
        self.stream.over.store(true, Ordering::Relaxed);
        self.flowing.wait()?;
        self.gateway.stop()
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

fn entrypoint(directory: &Path, module: &str) -> Result<Value> {
    let control = directory.join("middle.control");
    let host = json!({"modules": [{
        "name": "middle", "control.id": control, "module.path": guest(module),
        "restart": {"max": MOST, "reset.ms": FINE.as_millis() as u64},
    }]});
    let file = directory.join("host.json");
    std::fs::write(&file, serde_json::to_vec(&host)?)
        .context("the host's configuration cannot be written")?;
    Ok(json!({
        "activation.type": "launch",
        "control.id": control,
        "launch": {
            "path": program("wasm-host"), "args": ["--config", file],
            "restart.max": MOST, "restart.reset.ms": FINE.as_millis() as u64,
        },
    }))
}

/// Sends numbers at a steady pace and takes them back; what has no number is an answer of the module's.
async fn exchange(
    ModuleContext { publisher, inbox, .. }: &mut ModuleContext,
    stream: Arc<Stream>,
    answers: mpsc::Sender<Message>,
) -> Result<()> {
    let (mut batch, mut next) = (VecDeque::new(), Instant::now());
    while !stream.over.load(Ordering::Relaxed) {
        if next <= Instant::now() {
            next = Instant::now() + PACE;
            let number = stream.sent.load(Ordering::Relaxed) + 1;
            publisher.publish(Message::new(&[("number", &*number.to_string())], [])?).await;
            stream.sent.store(number, Ordering::Relaxed);
            if stream.provoke.swap(false, Ordering::Relaxed) {
                publisher.publish(Message::new(&[("misbehave", "1")], [])?).await;
            }
        }
        let wait = next.saturating_duration_since(Instant::now());
        // Either way it is time for the next number.
        let _ = timeout(wait, inbox.recv_batch(&mut batch, usize::MAX)).await;
        for delivery in batch.drain(..) {
            match delivery.message.property("number") {
                Some(number) => stream.received.store(number.parse()?, Ordering::Relaxed),
                // The receiver ends with the measurement.
                None => drop(answers.send(delivery.message.clone())),
            }
        }
    }
    Ok(())
}
