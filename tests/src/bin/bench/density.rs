//! Many idle modules in one host: what each takes, how long it takes until all are attached and until each has had a
//! message, and what the host does while nothing happens.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, prlimit};
use sandgate_gateway::broker::{Link, OnFull, Source};
use sandgate_gateway::module::Context as ModuleContext;
use sandgate_gateway::status::State;
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::procfs::{descriptors, resident, threads};
use sandgate_tests::scratch::Scratch;
use sandgate_wire::Message;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::goal::Goal;
use crate::host::Host;
use crate::local::{End, LocalGateway};
use crate::plots::{Plot, Point};
use crate::report::{Report, Row};

/// How many modules the host has, and when nothing is measured.
const MODULES: [usize; 3] = [100, 1000, 10_000];
const MODULES_SMOKE: [usize; 2] = [20, 200];
/// Descriptors that the host may have.
const DESCRIPTORS: u64 = 20_000;
/// Mappings that a process has at most, unless its system was told otherwise (`vm.max_map_count`).
const MAPPINGS: f64 = 65_530.0;
/// At this number it is looked what an idle host does.
const IDLE: usize = 100;
/// After so long a time at rest, and for so long.
const SETTLE: Duration = Duration::from_millis(500);
const REST: Duration = Duration::from_secs(5);
/// Resident memory of each module, in KiB.
const GOAL_RESIDENT: f64 = 100.0;
/// What an idle host may use of a processor, in per cent.
const GOAL_IDLE: f64 = 0.5;
/// Of the largest number: until all are attached, and until each has had a message, in milliseconds.
const GOAL_ATTACHED: f64 = 20_000.0;
const GOAL_ANSWERED: f64 = 1000.0;
/// How often it is looked whether all are attached, and for how long.
const LOOK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(180);
/// The socket of the host's link.
const LINK: &str = "link";

pub(crate) fn measure(report: &mut Report, scale: usize) -> Result<()> {
    let mut base: Option<Taken> = None;
    let sizes: &[usize] = if scale > 1 { &MODULES_SMOKE } else { &MODULES };
    for &modules in sizes {
        let most = sizes.last() == Some(&modules);
        let when_most = |goal: Goal| if most { vec![goal] } else { Vec::new() };
        let begun = Instant::now();
        let scene = Scene::open(modules)?;
        let attached = begun.elapsed();
        let answered = scene.message_to_each()?;
        let taken = Taken::by(&scene.host)?;
        let mut add = |what: &str, value: f64, unit, goals: &[Goal]| {
            report
                .add(Row::new(format!("density, {modules} modules: {what}"), value, unit).with_goals(goals));
        };
        add("all attached after", seconds(attached) * 1e3, "ms", &when_most(Goal::AtMost(GOAL_ATTACHED)));
        let goal = when_most(Goal::AtMost(GOAL_ANSWERED));
        add("a message to each and back", seconds(answered) * 1e3, "ms", &goal);
        add("mappings in all", taken.mappings, "", &when_most(Goal::AtMost(MAPPINGS)));
        add("descriptors in all", taken.descriptors, "", &when_most(Goal::AtMost(DESCRIPTORS as f64)));
        if let Some(base) = base.as_ref().filter(|base| base.modules < modules) {
            let each = |of: fn(&Taken) -> f64| (of(&taken) - of(base)) / (modules - base.modules) as f64;
            let resident = [Goal::AtMost(GOAL_RESIDENT)];
            add("each more, resident", each(|taken| taken.resident) / 1024.0, "KiB", &resident);
            add("each more, mappings", each(|taken| taken.mappings), "", &[]);
            add("each more, descriptors", each(|taken| taken.descriptors), "", &[]);
            add("each more, threads", each(|taken| taken.threads), "", &[]);
            add("each more, resident in the gateway", each(|taken| taken.gateway) / 1024.0, "KiB", &[]);
        }
        let mib = taken.resident / f64::from(1 << 20);
        report.plot(Point { plot: Plot::Density, curve: "wasm-host".into(), x: modules as f64, y: mib });
        if modules == IDLE || scale > 1 && most {
            idle(report, &scene, modules, if scale > 1 { Duration::from_millis(50) } else { REST })?;
        }
        base.get_or_insert(Taken { modules, ..taken });
        let begun = Instant::now();
        scene.gateway.stop()?;
        let stopped = seconds(begun.elapsed()) * 1e3;
        let name = format!("density, {modules} modules: the gateway has stopped after");
        report.add(Row::new(name, stopped, "ms"));
    }
    Ok(())
}

/// What the host does while nothing happens.
fn idle(report: &mut Report, scene: &Scene, modules: usize, rest: Duration) -> Result<()> {
    thread::sleep(SETTLE);
    let before = Used::by(&scene.host)?;
    thread::sleep(rest);
    let after = Used::by(&scene.host)?;
    let share = (after.processor - before.processor) / seconds(rest) * 100.0;
    let name = |what: &str| format!("idle host with {modules} modules: {what}");
    report.add(Row::new(name("processor"), share, "%").with_goals(&[Goal::AtMost(GOAL_IDLE)]));
    let wake_ups = (after.wake_ups - before.wake_ups) / seconds(rest);
    report.add(Row::new(name("wake-ups"), wake_ups, "a second"));
    Ok(())
}

/// A host with many modules, attached to a gateway in this process, which can reach each of them.
struct Scene {
    modules: usize,
    gateway: LocalGateway,
    end: End,
    host: Host,
    /// Held: the sockets are there.
    _scratch: Scratch,
}

impl Scene {
    fn open(modules: usize) -> Result<Self> {
        let scratch = Scratch::new();
        let names: Vec<String> = (0..modules).map(|number| format!("m{number}")).collect();
        let link = scratch.id(LINK);
        let add =
            |file: HostConfiguration, name: &String| file.module_on_link(name, "modules/echo", json!({}));
        let file = names.iter().fold(HostConfiguration::new().link(&link), add).write(&scratch);
        let host = Host::start(&Host::arguments(&file))?;
        let descriptors = Rlimit { current: Some(DESCRIPTORS), maximum: Some(DESCRIPTORS) };
        prlimit(Some(host.pid()), Resource::Nofile, descriptors)
            .context("the host's limits cannot be set")?;
        let mut gateway = LocalGateway::new()?;
        // First, so that it is the first to stop.
        let end = gateway.add_end_without_links("end")?;
        for name in &names {
            let entrypoint = json!({"activation.type": "none", "link.id": link, "link.module": name});
            gateway.add_remote(name, entrypoint, &Value::Null)?;
        }
        let link = |source: &str, sink: &str, on_full: OnFull| {
            let terms = on_full.into();
            Link { source: Source::Module(source.into()), sink: sink.into(), terms }
        };
        gateway.add_links(names.iter().map(|name| link("end", name, OnFull::DropOldest)))?;
        gateway.add_links(names.iter().map(|name| link(name, "end", OnFull::Block)))?;
        gateway.start();
        let scene = Self { modules, gateway, end, host, _scratch: scratch };
        scene.wait_until_all_run()?;
        Ok(scene)
    }

    fn wait_until_all_run(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        for status in self.gateway.statuses() {
            while status.state() != State::Running {
                if Instant::now() > end {
                    bail!("{} is not attached", status.name());
                }
                thread::sleep(LOOK);
            }
        }
        Ok(())
    }

    /// A message that all of them send back; until the last is back.
    fn message_to_each(&self) -> Result<Duration> {
        let modules = self.modules;
        self.end.run(move |ModuleContext { publisher, inbox, .. }| {
            Box::pin(async move {
                let begun = Instant::now();
                publisher.publish(Message::new(&[("a", "1")], "hello")?).await;
                let (mut batch, mut received) = (std::collections::VecDeque::new(), 0);
                while received < modules {
                    let taken = timeout(PATIENCE, inbox.recv_batch(&mut batch, modules)).await;
                    received += taken.context("a message did not come back")?;
                    batch.clear();
                }
                Ok(begun.elapsed())
            })
        })
    }
}

/// What a host takes of the machine.
struct Taken {
    modules: usize,
    resident: f64,
    mappings: f64,
    descriptors: f64,
    threads: f64,
    /// Resident memory of the gateway.
    gateway: f64,
}

impl Taken {
    fn by(host: &Host) -> Result<Self> {
        let pid = host.child.id();
        let mappings = fs::read_to_string(format!("/proc/{pid}/maps")).context("the host has ended")?;
        Ok(Self {
            modules: 0,
            resident: resident(pid) as f64,
            mappings: mappings.lines().count() as f64,
            descriptors: descriptors(pid) as f64,
            threads: threads(pid) as f64,
            gateway: resident(std::process::id()) as f64,
        })
    }
}

/// What a host has used so far.
struct Used {
    /// Seconds of a processor.
    processor: f64,
    /// How often one of its threads has waited and gone on.
    wake_ups: f64,
}

impl Used {
    fn by(host: &Host) -> Result<Self> {
        let tasks = format!("/proc/{}/task", host.child.id());
        let (mut nanoseconds, mut wake_ups) = (0_u64, 0_u64);
        for task in fs::read_dir(tasks).context("the host has ended")? {
            let task = task?.path();
            // A thread may end meanwhile.
            let (Ok(times), Ok(status)) =
                (fs::read_to_string(task.join("schedstat")), fs::read_to_string(task.join("status")))
            else {
                continue;
            };
            nanoseconds += times.split(' ').next().and_then(|time| time.parse::<u64>().ok()).unwrap_or(0);
            let waits = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            wake_ups += waits.and_then(|waits| waits.trim().parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Self { processor: nanoseconds as f64 / 1e9, wake_ups: wake_ups as f64 })
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
