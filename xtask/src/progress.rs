//! What the person at the terminal sees: each step before it starts, that it still runs, how long it took.

use std::io::{IsTerminal, stderr};
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a command may be silent before a line says that it still runs.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// Prints steps and remembers them for the summary.
pub struct Progress {
    paint: Paint,
    steps: Vec<(&'static str, Duration)>,
}

impl Progress {
    /// Writes to standard error, as cargo does, so that standard output is the result alone.
    pub fn new() -> Self {
        Progress { paint: Paint::on(&stderr()), steps: Vec::new() }
    }

    /// Does a step.
    pub fn step<T>(&mut self, name: &'static str, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("{} {what}", self.paint.bold(&format!("==> {name}:")));
        let start = Instant::now();
        let result = work().with_context(|| format!("step `{name}` failed"))?;
        let time = start.elapsed();
        eprintln!("    {name}: {} after {}", self.paint.green("done"), seconds(time));
        self.steps.push((name, time));
        Ok(result)
    }

    /// Does a step that is one command.
    pub fn command(&mut self, name: &'static str, what: &str, command: &mut Command) -> Result<()> {
        self.step(name, what, || run(name, command))
    }

    /// Says something between two steps.
    pub fn note(&self, text: &str) {
        eprintln!("    {text}");
    }

    /// Lists the steps.
    pub fn summary(&self) {
        eprintln!("{}", self.paint.bold("==> everything passed"));
        for (name, time) in &self.steps {
            eprintln!("    {name:<24} {:>10}", seconds(*time));
        }
        let total = self.steps.iter().map(|(_, time)| *time).sum();
        eprintln!("    {:<24} {:>10}", "total", seconds(total));
    }

    /// Says why nothing more is done.
    pub fn failed(&self, error: &anyhow::Error) {
        eprintln!("{} {error:#}", self.paint.red("error:"));
    }
}

/// Runs a command to its end, with its output on the terminal.
pub fn run(name: &str, command: &mut Command) -> Result<()> {
    let status = status(name, command)?;
    if !status.success() {
        bail!("`{}` ended with {status}; what it found stands above", shown(command));
    }
    Ok(())
}

fn status(name: &str, command: &mut Command) -> Result<ExitStatus> {
    let mut child = command.spawn().with_context(|| format!("`{}` cannot be run", shown(command)))?;
    let start = Instant::now();
    let (done, ended) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while ended.recv_timeout(SIGN_OF_LIFE) == Err(RecvTimeoutError::Timeout) {
                eprintln!("    {name}: running for {}", seconds(start.elapsed()));
            }
        });
        let status = child.wait().context("the command cannot be waited for");
        drop(done);
        status
    })
}

/// A command as one would type it.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    // Cargo's full path says nothing to the reader.
    let program = words[0].rsplit('/').next().unwrap_or_default();
    [&[program.into()], &words[1..]].concat().join(" ")
}

/// A time as a person reads it.
pub fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        whole => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

/// Colours, or none.
#[derive(Clone, Copy)]
pub struct Paint(bool);

impl Paint {
    /// Colours on a terminal, unless the user wants none.
    pub fn on(stream: &impl IsTerminal) -> Self {
        Paint(stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    /// For headings.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// For what is well.
    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    /// For what is not.
    pub fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
