//! A process under test: its output by lines, its signals, its end.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{PATIENCE, until_some};

/// Lines that are shown of a process whose test has failed: what it failed with stands above, and is to be seen.
const SHOWN: usize = 60;

/// A child process. Dropping it ends it; when the test has failed, what it wrote is shown.
pub struct Process {
    child: Child,
    name: String,
    output: Arc<Output>,
}

/// What a process wrote, standard output and error together.
#[derive(Default)]
struct Output {
    lines: Mutex<Vec<String>>,
    added: Condvar,
}

impl Process {
    /// Starts a program.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    /// Starts a program with this as its standard input.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn start_with(command: &mut Command, stdin: Stdio) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let output = Arc::new(Output::default());
        collect(child.stdout.take().unwrap(), output.clone());
        collect(child.stderr.take().unwrap(), output.clone());
        Self { child, name, output }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The first line that contains the text, now or as soon as it is written.
    pub fn wait_for_line(&self, text: &str) -> String {
        self.wait_for_nth_line(1, text)
    }

    /// The nth line (from 1) that contains the text.
    pub fn wait_for_nth_line(&self, nth: usize, text: &str) -> String {
        self.wait_for(&format!("{text:?}, time {nth}"), |lines| {
            lines.iter().filter(|line| line.contains(text)).nth(nth - 1).cloned()
        })
    }

    /// The first line that contains all the texts.
    pub fn wait_for_line_with(&self, texts: &[&str]) -> String {
        self.wait_for(&format!("{texts:?}"), |lines| {
            lines.iter().find(|line| texts.iter().all(|text| line.contains(text))).cloned()
        })
    }

    /// How many lines that contain the text have been written so far.
    #[must_use]
    pub fn count_lines(&self, text: &str) -> usize {
        self.output.lines.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }

    /// All lines so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.output.lines.lock().unwrap().join("\n")
    }

    fn wait_for(&self, what: &str, find: impl Fn(&[String]) -> Option<String>) -> String {
        let start = Instant::now();
        let mut lines = self.output.lines.lock().unwrap();
        loop {
            if let Some(line) = find(&lines) {
                return line;
            }
            let left = PATIENCE.checked_sub(start.elapsed());
            let Some(left) = left else {
                drop(lines);
                panic!("{} did not write {what}", self.name)
            };
            lines = self.output.added.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGHUP, which asks a program to read its configuration again.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.wait_exit();
    }

    /// Sends SIGTERM and waits for an end in good order.
    ///
    /// # Panics
    /// The exit status is not 0.
    pub fn stop(&mut self) {
        self.terminate();
        let status = self.wait_exit();
        assert!(status.success(), "{} ended with {status} when it was asked to stop", self.name);
    }

    /// Waits for the end. What the process wrote last may come in a little later.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        until_some(&what, || self.child.try_wait().unwrap())
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The child is waited for by nobody else, so its number is its own until then.
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            // An error means that it has just ended by itself.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if thread::panicking() {
            let lines = self.output.lines.lock().unwrap();
            let before = lines.len().saturating_sub(SHOWN);
            eprintln!("---- {} (process {}) wrote {before} lines and these:", self.name, self.child.id());
            lines[before..].iter().for_each(|line| eprintln!("{line}"));
        }
    }
}

fn collect(stream: impl Read + Send + 'static, output: Arc<Output>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            output.lines.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
            output.added.notify_all();
        }
    });
}

/// The value of `key=` in a line of a program's log.
///
/// # Panics
/// It is not there, or is no number.
#[must_use]
pub fn number(line: &str, key: &str) -> u64 {
    let prefix = format!("{key}=");
    let value = line.split_whitespace().find_map(|word| word.strip_prefix(&prefix));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no number {key} in {line:?}"))
}
