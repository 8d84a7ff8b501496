//! One launched process with its group: begun, waited for, and ended by itself, by SIGTERM, by SIGKILL.

use std::env;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, ExitStatus, Stdio};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::{Child, Command};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::config::LaunchConfig;

/// Tells a Sandgate host that a gateway started it, and which process that is. It then exits after
/// Destroy, and when that process has gone.
const LAUNCHED_BY: &str = "SANDGATE_LAUNCHED_BY";
/// Tells a Sandgate host which descriptor is its end of the host link.
const LINK_FD: &str = "SANDGATE_LINK_FD";
/// That descriptor: the first behind the standard ones.
const LINK_DESCRIPTOR: i32 = 3;
/// How long a host has between SIGTERM and SIGKILL.
const TERM: Duration = Duration::from_secs(2);

/// A running host and what it started in its group. Dropping it ends the whole group at once; once the
/// process has been reaped, its number may be another's, and nothing is sent.
pub(super) struct Process {
    child: Child,
    pid: u32,
}

impl Process {
    /// Starts a host, with one end of the host link if there is one.
    pub(super) fn spawn(config: &LaunchConfig, link: Option<UnixStream>) -> io::Result<Self> {
        let mut command = process::Command::new(locate(&config.path, env::current_exe().ok().as_deref()));
        command
            .args(&config.args)
            .env(LAUNCHED_BY, process::id().to_string())
            .env_remove(LINK_FD)
            .stdin(Stdio::null())
            // A group of its own: Ctrl-C in a terminal is for the gateway, which ends its hosts in order.
            .process_group(0);
        if let Some(link) = link {
            let mapping = FdMapping { parent_fd: OwnedFd::from(link), child_fd: LINK_DESCRIPTOR };
            command.fd_mappings(vec![mapping]).map_err(io::Error::other)?;
            command.env(LINK_FD, LINK_DESCRIPTOR.to_string());
        }
        let child = Command::from(command).kill_on_drop(true).spawn()?;
        let pid = child.id().unwrap_or_default();
        Ok(Self { child, pid })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the process exits, then ends what is left of its group: a shell that exits first would
    /// leave its host behind. May be dropped and called again.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.exited().await?;
        // The process is not reaped yet, so the number is still its own.
        self.signal(Signal::KILL);
        self.child.wait().await
    }

    /// Ends the whole group now.
    pub(super) async fn kill(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::KILL);
        self.child.wait().await
    }

    /// Ends the process: by itself, by SIGTERM, by SIGKILL. A V1 host that publishes while its gateway stops
    /// hangs in a send and heeds nothing but the last.
    pub(super) async fn end(mut self, module: &str, grace: Duration) -> io::Result<ExitStatus> {
        let pid = self.pid;
        if let Ok(status) = timeout(grace, self.wait()).await {
            return status;
        }
        info!(module, pid, "host still runs; sending SIGTERM");
        self.signal(Signal::TERM);
        if let Ok(status) = timeout(TERM, self.wait()).await {
            return status;
        }
        warn!(module, pid, "host has not heeded SIGTERM; sending SIGKILL");
        self.kill().await
    }

    /// Completes when the process has exited. It is left unreaped, which keeps its number and its group's.
    async fn exited(&self) -> io::Result<()> {
        let Some(pid) = self.child.id().and_then(raw) else { return Ok(()) };
        let wait = move || {
            loop {
                match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                    Err(Errno::INTR) => {}
                    other => return other.map(drop),
                }
            }
        };
        // What the runtime itself offers reaps.
        Ok(spawn_blocking(wait).await.map_err(io::Error::other)??)
    }

    /// Signals the whole group, so that a shell around the host takes it along.
    fn signal(&self, signal: Signal) {
        let Some(group) = self.child.id().and_then(raw) else { return };
        match kill_process_group(group, signal) {
            // Nobody is left in the group.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => warn!(pid = self.pid, %error, "cannot signal the host"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

fn raw(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// A name alone is looked for beside the gateway's own program first; everything else is left to the
/// operating system, which looks on `PATH` for a name and in the working directory for a path.
pub(super) fn locate(path: &Path, own: Option<&Path>) -> PathBuf {
    let alone = path.components().count() == 1 && !path.to_string_lossy().contains('/');
    own.and_then(Path::parent)
        .map(|directory| directory.join(path))
        .filter(|beside| alone && beside.is_file())
        .unwrap_or_else(|| path.to_owned())
}

pub(super) fn explain(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        ErrorKind::NotFound => format!(
            "there is no program `{path}`; a name alone is looked for beside the gateway and on PATH, a relative \
             path in the working directory: correct launch.path or install the program"
        ),
        ErrorKind::PermissionDenied => {
            format!("`{path}` cannot be executed; make it executable (chmod +x) or correct launch.path")
        }
        _ => format!("`{path}`: {error}"),
    }
}
