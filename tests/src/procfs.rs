//! Processes that are not the test's own children, as `/proc` shows them.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::until;

/// A process known by its number and the time of its start, which tells it from a later one of the same
/// number. Dropping it ends the process, so that a failed test leaves none behind.
pub struct Stray {
    pid: u32,
    started: u64,
}

impl Stray {
    /// The process of this number.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn new(pid: u32) -> Self {
        let (_, _, started) = stat(pid).unwrap_or_else(|| panic!("there is no process {pid}"));
        Self { pid, started }
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it still runs; one that only waits to be reaped does not.
    #[must_use]
    pub fn is_running(&self) -> bool {
        stat(self.pid).is_some_and(|(state, _, started)| started == self.started && state != 'Z')
    }

    /// Ends it by force.
    pub fn kill(&self) {
        if self.is_running() {
            let pid = Pid::from_raw(self.pid.cast_signed()).unwrap();
            // An error means that it has just ended.
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// Waits until it has ended.
    pub fn wait_end(&self) {
        until(&format!("the end of process {}", self.pid), || !self.is_running());
    }
}

impl Drop for Stray {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The memory that a process has in use, in bytes.
///
/// # Panics
/// There is no such process.
#[must_use]
pub fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// The processes whose parent is this one.
#[must_use]
pub fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, its_parent, _)| its_parent == parent)).collect()
}

/// The most memory that a process has had resident so far, in KiB.
#[must_use]
pub fn peak_memory_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How many descriptors a process has open.
#[must_use]
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// How many descriptors of a process are of a memory file whose name contains this text.
#[must_use]
pub fn memory_files(pid: u32, name: &str) -> usize {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    // One that was closed since is not there any more.
    let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().contains(name)).count()
}

/// How many threads a process has.
#[must_use]
pub fn threads(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).unwrap().count()
}

/// State, parent and start time. The name stands in brackets and may itself hold brackets and spaces.
fn stat(pid: u32) -> Option<(char, u32, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some((fields.first()?.chars().next()?, fields.get(1)?.parse().ok()?, fields.get(19)?.parse().ok()?))
}

/// The Unix sockets of a process, listening or connected, at a path that contains this text: the numbers of
/// their descriptors.
#[must_use]
pub fn unix_sockets(pid: u32, path: &str) -> Vec<i32> {
    let table = fs::read_to_string(format!("/proc/{pid}/net/unix")).unwrap();
    let inodes: Vec<String> = table
        .lines()
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields.get(7)?.contains(path).then(|| format!("socket:[{}]", fields[6]))
        })
        .collect();
    fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            // One that was closed since is not there any more.
            let target = fs::read_link(entry.path()).ok()?;
            let is_one = inodes.iter().any(|inode| *inode == target.to_string_lossy());
            entry.file_name().to_str()?.parse().ok().filter(|_| is_one)
        })
        .collect()
}
