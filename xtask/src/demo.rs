//! The main job before one's eyes: this machine's readings through a sandboxed module, and a host that is killed.

mod log;
mod process;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::progress::{Paint, Progress};
use crate::project::Project;
use crate::{binaries, guests, tools};
use log::{Entry, LogTail};
use process::{Gateway, Process};

/// How often to look what has changed.
const LOOK: Duration = Duration::from_millis(50);
/// When to kill the host, unless `--seconds` says otherwise.
const KILL_AFTER: Duration = Duration::from_secs(6);
/// Messages that must have passed before the host is killed.
const MESSAGES_BEFORE: u64 = 3;
/// How much longer than `--seconds` to wait for a machine so busy that nothing has passed yet.
const GRACE: Duration = Duration::from_secs(30);

/// Builds everything and shows it at work.
pub fn run(project: &Project, progress: &mut Progress, seconds: Option<u64>) -> Result<()> {
    ensure!(Path::new("/proc/self/stat").exists(), "the demo finds processes in /proc: run it on Linux");
    let tools = tools::provide(project, progress)?;
    guests::rust::build(project, progress)?;
    binaries::build(project, &tools, progress)?;

    let folder = fresh_folder()?;
    let log = folder.path().join("log.json");
    let (configuration, host) = (folder.path().join("gateway.json"), folder.path().join("host.json"));
    let program = project.programs().join("wasm-host");
    write(&configuration, &configure(folder.path(), &log, &host, &program))?;
    write(&host, &configure_host(project, folder.path()))?;

    // From here on, and not while building, Ctrl-C means an orderly end.
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, stop.clone()).context("signals cannot be caught")?;
    }
    let gateway = Gateway::start(&project.programs().join("gateway"), &configuration)?;
    let verdicts = folder.path().join("verdicts");
    let mut show = Show::new(gateway, LogTail::new(log), verdicts, seconds.map(Duration::from_secs));
    show.introduce();
    let shown = show.play(&stop);
    let stopped = show.gateway.stop();
    shown.and(stopped)?;
    show.judge()
}

fn write(file: &Path, document: &Value) -> Result<()> {
    let text = format!("{document:#}\n");
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

/// A new private folder, with room behind its name for a socket: those have names of at most 107 bytes.
fn fresh_folder() -> Result<tempfile::TempDir> {
    let usual = std::env::temp_dir();
    let base = if usual.as_os_str().len() > 64 { PathBuf::from("/tmp") } else { usual };
    let mut folder = tempfile::Builder::new();
    folder.prefix("sandgate-demo-");
    folder.tempdir_in(&base).with_context(|| format!("no folder can be made in {}", base.display()))
}

/// machine_metrics -> threshold -> logger, and hello_world -> fragile. Both modules are in one wasm-host, and
/// each message ends `fragile`.
fn configure(folder: &Path, log: &Path, host: &Path, program: &Path) -> Value {
    let control = |module: &str| folder.join(format!("{module}.control"));
    json!({
        "dead.letter.file": folder.join("dead-letters.ndjson"),
        "modules": [
            { "name": "metrics",
              "loader": { "name": "builtin", "entrypoint": { "module.name": "machine_metrics" } },
              "args": { "interval.ms": 500 } },
            { "name": "threshold",
              "loader": { "name": "outprocess", "entrypoint": {
                  "activation.type": "launch",
                  "control.id": control("threshold"),
                  "launch": { "path": program, "args": ["--config", host], "grace.period.ms": 2000 } } },
              "args": { "pointer": "/cpu/usage", "window": 5, "above": 0.5 } },
            { "name": "hello",
              "loader": { "name": "builtin", "entrypoint": { "module.name": "hello_world" } },
              "args": { "interval.ms": 3000 } },
            { "name": "fragile",
              "loader": { "name": "outprocess", "entrypoint": {
                  "activation.type": "none", "control.id": control("fragile") } },
              "args": "helloWorld" },
            { "name": "log",
              "loader": { "name": "builtin", "entrypoint": { "module.name": "logger" } },
              "args": { "filename": log } }
        ],
        "links": [
            { "source": "metrics", "sink": "threshold" },
            { "source": "threshold", "sink": "log" },
            { "source": "hello", "sink": "fragile", "redelivery.max": 1 }
        ]
    })
}

/// The modules of the wasm-host.
fn configure_host(project: &Project, folder: &Path) -> Value {
    let fragile = project.guests().join("fixtures/trap_with_lines.wasm");
    json!({
        "verdict.dir": "verdicts",
        "modules": [
            { "name": "threshold", "control.id": folder.join("threshold.control"),
              "module.path": project.module("threshold") },
            { "name": "fragile", "control.id": folder.join("fragile.control"), "module.path": fragile }
        ]
    })
}

/// What was shown so far.
struct Show {
    gateway: Gateway,
    log: LogTail,
    /// Where the host keeps verdicts.
    verdicts: PathBuf,
    /// One was shown.
    judged: bool,
    paint: Paint,
    start: Instant,
    length: Option<Duration>,
    /// The host that runs now.
    host: Option<Process>,
    /// The host that was killed.
    killed: Option<Process>,
    before: u64,
    after: u64,
}

impl Show {
    fn new(gateway: Gateway, log: LogTail, verdicts: PathBuf, length: Option<Duration>) -> Self {
        let paint = Paint::on(&std::io::stdout());
        let start = Instant::now();
        Show {
            gateway,
            log,
            verdicts,
            judged: false,
            paint,
            start,
            length,
            host: None,
            killed: None,
            before: 0,
            after: 0,
        }
    }

    fn introduce(&self) {
        let pid = self.gateway.pid();
        self.say(&format!(
            "the gateway runs: process {pid}; it launches a wasm-host with two modules: `threshold`, \
             and `fragile`, which breaks on every message"
        ));
        match self.length {
            Some(length) => println!("    This takes {} seconds.", length.as_secs()),
            None => println!("    Ctrl-C ends it."),
        }
    }

    fn play(&mut self, stop: &AtomicBool) -> Result<()> {
        while !stop.load(Ordering::Relaxed) && !self.is_over() {
            self.gateway.check()?;
            // Messages first: what is here by now does not come from a host that is only found now.
            for entry in self.log.read()? {
                self.show(&entry);
            }
            self.look_for_the_host();
            self.look_for_a_verdict();
            if self.is_time_to_kill() {
                self.kill_the_host()?;
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let Some(length) = self.length else { return false };
        let elapsed = self.start.elapsed();
        elapsed >= length && (self.after > 0 || elapsed >= length + GRACE)
    }

    fn is_time_to_kill(&self) -> bool {
        let at = self.length.map_or(KILL_AFTER, |length| length / 3);
        self.killed.is_none() && self.before >= MESSAGES_BEFORE && self.start.elapsed() >= at
    }

    fn look_for_the_host(&mut self) {
        if self.host.as_ref().is_some_and(Process::is_alive) {
            return;
        }
        self.host = self.gateway.child_named("wasm-host");
        let Some(host) = &self.host else { return };
        let other = if self.killed.is_some() { "another wasm-host" } else { "the wasm-host" };
        self.say(&format!("{other} runs: process {}", host.pid()));
        println!("    {:<26}  {:>6}  {:>8}  alert", "time", "cpu", "average");
    }

    /// Shows the first verdict on the module that breaks; its neighbour goes on meanwhile.
    fn look_for_a_verdict(&mut self) {
        if self.judged {
            return;
        }
        let Some(verdict) = verdict::first(&self.verdicts) else { return };
        self.judged = true;
        self.say(
            "the module `fragile` has broken; its host goes on, and so does its neighbour. The verdict:",
        );
        for line in verdict::lines(&verdict) {
            println!("    {line}");
        }
    }

    fn show(&mut self, entry: &Entry) {
        let Some(reading) = entry.reading() else { return };
        // What a host published before it was killed may be read after that, but not after another has come.
        if self.killed.is_some() && self.host.is_some() {
            self.after += 1;
            if self.after == 1 {
                self.say("messages come through again");
            }
        } else {
            self.before += 1;
        }
        let alert = if reading.alert == "true" { self.paint.red("true") } else { reading.alert };
        println!("    {:<26}  {:>6.3}  {:>8.3}  {alert}", reading.time, reading.value, reading.average);
    }

    fn kill_the_host(&mut self) -> Result<()> {
        let Some(host) = self.host.take() else { return Ok(()) };
        self.say(&format!("killing the wasm-host, process {}, with SIGKILL", host.pid()));
        host.kill()?;
        host.wait_for_end();
        self.gateway.check()?;
        self.say(&format!("the wasm-host is gone; the gateway, process {}, carries on", self.gateway.pid()));
        self.killed = Some(host);
        Ok(())
    }

    fn judge(&self) -> Result<()> {
        let Show { before, after, .. } = self;
        if self.killed.is_none() {
            bail!(
                "only {before} messages came through before the end, so no host was killed; let it run longer, \
                 or look for the reason in what the gateway wrote above"
            );
        }
        if *after == 0 {
            bail!(
                "no message came through after the kill; look for the reason in what the gateway wrote above"
            );
        }
        ensure!(self.judged, "no verdict came; look for the reason in what the gateway wrote above");
        self.say(&format!(
            "{before} messages came through before the kill and {after} after it, beside a module that broke"
        ));
        Ok(())
    }

    fn say(&self, text: &str) {
        println!("{}", self.paint.bold(&format!("==> {text}")));
    }
}
