//! The demo's processes: found in `/proc`, ended by their numbers, never by their names.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to end when it was asked to.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

/// The gateway; ended, with the hosts that it launched, when this is dropped.
pub struct Gateway {
    child: Child,
    hosts: Vec<Process>,
}

impl Gateway {
    /// Starts a gateway in a process group of its own, so that Ctrl-C reaches the demo alone and it ends in
    /// order. What it writes is shown, line by line.
    pub fn start(program: &Path, configuration: &Path) -> Result<Self> {
        let mut child = Command::new(program)
            .arg(configuration)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        if let Some(lines) = child.stderr.take() {
            thread::spawn(move || {
                for line in BufReader::new(lines).lines().map_while(Result::ok) {
                    eprintln!("    | {line}");
                }
            });
        }
        Ok(Gateway { child, hosts: Vec::new() })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error if it has ended.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait().context("the gateway cannot be looked at")? {
            Some(status) => {
                bail!("the gateway ended by itself, with {status}; it should have said why, above")
            }
            None => Ok(()),
        }
    }

    /// The process of this name that it launched.
    pub fn child_named(&mut self, name: &str) -> Option<Process> {
        let processes = fs::read_dir("/proc").ok()?;
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut stats = pids.filter_map(Stat::of);
        let host = stats.find(|stat| stat.parent == self.pid() && stat.name == name && stat.state != 'Z')?;
        let host = Process { pid: host.pid, started: host.started };
        self.hosts.push(host.clone());
        Some(host)
    }

    /// Asks it to end, and ends it if it does not.
    pub fn stop(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        // It was not waited for yet, so its number is still its own.
        signal(self.pid(), Signal::TERM)?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                if !status.success() {
                    bail!("the gateway ended with {status} when it was asked to stop");
                }
                return Ok(());
            }
            thread::sleep(LOOK);
        }
        self.child.kill()?;
        self.child.wait()?;
        bail!("the gateway did not stop within {} seconds and was killed", PATIENCE.as_secs())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Errors mean that the processes are gone already.
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        for host in &self.hosts {
            // A host that the gateway launched ends with it; it has a moment for that.
            if !host.wait_for_end() {
                let _ = host.kill();
            }
        }
    }
}

/// A process that is not our child. The time of its start tells it from another that gets its number later.
#[derive(Clone)]
pub struct Process {
    pid: u32,
    started: u64,
}

impl Process {
    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        Stat::of(self.pid)
            .is_some_and(|stat| stat.started == self.started && !matches!(stat.state, 'Z' | 'X'))
    }

    /// Ends it by force.
    pub fn kill(&self) -> Result<()> {
        if self.is_alive() { signal(self.pid, Signal::KILL) } else { Ok(()) }
    }

    /// Waits for its end, but not for ever; whether it came.
    pub fn wait_for_end(&self) -> bool {
        let start = Instant::now();
        while self.is_alive() {
            if start.elapsed() > PATIENCE {
                return false;
            }
            thread::sleep(LOOK);
        }
        true
    }
}

fn signal(pid: u32, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(pid.cast_signed()).context("a process has no number")?;
    kill_process(pid, signal).with_context(|| format!("process {} cannot be signalled", pid.as_raw_nonzero()))
}

/// What `/proc/PID/stat` tells.
struct Stat {
    pid: u32,
    name: String,
    state: char,
    parent: u32,
    started: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Stat> {
        Stat::parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name stands in brackets and may itself hold brackets and spaces; the other fields hold neither.
    fn parse(pid: u32, text: &str) -> Option<Stat> {
        let (before, after) = text.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        // The first field here is the third of the manual page.
        let fields: Vec<_> = after.split_whitespace().collect();
        Some(Stat {
            pid,
            name: name.to_owned(),
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Stat;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let text = "42 (a (b) c) S 7 42 42 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 123456 0 0";
        let stat = Stat::parse(42, text).expect("a line of the kernel");
        assert_eq!((stat.name.as_str(), stat.state, stat.parent, stat.started), ("a (b) c", 'S', 7, 123_456));
    }

    #[test]
    fn this_process_is_found() {
        let stat = Stat::of(std::process::id()).expect("Linux");
        assert_eq!(stat.pid, std::process::id());
        assert_ne!(stat.state, 'Z');
    }
}
