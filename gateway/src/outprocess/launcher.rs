//! A module host as a child process: started, started again when it exits, and ended in good order or
//! by force.

use std::env;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::backoff::Backoff;
use crate::config::LaunchConfig;

/// Tells a Sandgate host that a gateway started it, and which process that is. It then exits after
/// Destroy, and when that process has gone.
const LAUNCHED_BY: &str = "SANDGATE_LAUNCHED_BY";
/// How long a host has between SIGTERM and SIGKILL.
const TERM: Duration = Duration::from_secs(2);

/// Supervises one host process. Dropping it kills the process.
pub(super) struct Launcher {
    /// Set once, to how long the process may take to exit by itself.
    grace: watch::Sender<Option<Duration>>,
    task: JoinHandle<()>,
}

impl Launcher {
    /// Starts the host. From the moment that `stop` is cancelled it is not started again.
    pub(super) fn start(module: String, config: LaunchConfig, stop: CancellationToken) -> Self {
        let (grace, asked) = watch::channel(None);
        let task = tokio::spawn(supervise(module, config, stop, asked));
        Self { grace, task }
    }

    /// Waits up to `grace` for the process to exit, then sends SIGTERM, then SIGKILL, and reaps it. Only
    /// the first call's `grace` counts; all wait for the end.
    pub(super) async fn stop(&self, grace: Duration) {
        self.grace.send_if_modified(|asked| match asked {
            Some(_) => false,
            None => {
                *asked = Some(grace);
                true
            }
        });
        // The receiver is the supervising task's, which drops it when the process has gone.
        self.grace.closed().await;
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn supervise(
    module: String,
    config: LaunchConfig,
    stop: CancellationToken,
    mut asked: watch::Receiver<Option<Duration>>,
) {
    let mut backoff = Backoff::default();
    let mut launched = false;
    while !stop.is_cancelled() {
        let since = Instant::now();
        match spawn(&config) {
            Ok(child) => {
                let mut host = Host(child);
                let child = &mut host.0;
                let pid = child.id().unwrap_or_default();
                if launched {
                    info!(module, pid, "relaunched");
                } else {
                    info!(module, pid, "launched");
                }
                launched = true;
                tokio::select! {
                    biased;
                    status = child.wait() => match status {
                        Ok(status) if stop.is_cancelled() => info!(module, pid, %status, "host exited"),
                        Ok(status) => warn!(module, pid, %status, "host exited; it is launched again"),
                        Err(error) => error!(module, pid, %error, "cannot wait for the host"),
                    },
                    grace = asked_to_end(&mut asked) => return end(&module, child, grace).await,
                }
            }
            Err(error) => {
                let reason = explain(&config.path, &error);
                error!(module, "cannot launch the host: {reason}");
            }
        }
        tokio::select! {
            () = sleep(backoff.after(since.elapsed())) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn asked_to_end(asked: &mut watch::Receiver<Option<Duration>>) -> Duration {
    // An error means that nobody is there to ask any more: end at once.
    asked.wait_for(Option::is_some).await.ok().and_then(|grace| *grace).unwrap_or_default()
}

/// A running host. Dropping it ends the whole group at once; once the process has been waited for, its
/// number may be another's, and nothing is sent.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(pid) = self.0.id() {
            signal(pid, Signal::KILL);
        }
    }
}

fn spawn(config: &LaunchConfig) -> io::Result<Child> {
    Command::new(locate(&config.path, env::current_exe().ok().as_deref()))
        .args(&config.args)
        .env(LAUNCHED_BY, process::id().to_string())
        .stdin(Stdio::null())
        // A group of its own: Ctrl-C in a terminal is for the gateway, which ends its hosts in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// A name alone is looked for beside the gateway's own program first; everything else is left to the
/// operating system, which looks on `PATH` for a name and in the working directory for a path.
fn locate(path: &Path, own: Option<&Path>) -> PathBuf {
    let alone = path.components().count() == 1 && !path.to_string_lossy().contains('/');
    own.and_then(Path::parent)
        .map(|directory| directory.join(path))
        .filter(|beside| alone && beside.is_file())
        .unwrap_or_else(|| path.to_owned())
}

fn explain(path: &Path, error: &io::Error) -> String {
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

/// Ends a process: by itself, by SIGTERM, by SIGKILL. A V1 host that publishes while its gateway stops
/// hangs in a send and heeds nothing but the last.
async fn end(module: &str, child: &mut Child, grace: Duration) {
    let Some(pid) = child.id() else { return };
    if let Ok(status) = timeout(grace, child.wait()).await {
        return report(module, pid, status);
    }
    info!(module, pid, "host still runs; sending SIGTERM");
    signal(pid, Signal::TERM);
    if let Ok(status) = timeout(TERM, child.wait()).await {
        return report(module, pid, status);
    }
    warn!(module, pid, "host has not heeded SIGTERM; sending SIGKILL");
    signal(pid, Signal::KILL);
    report(module, pid, child.wait().await);
}

/// Signals the whole group, so that a shell around the host takes it along. The child is not reaped
/// yet, so the number is still its own.
fn signal(pid: u32, signal: Signal) {
    let group = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(Err(error)) = group.map(|group| kill_process_group(group, signal)) {
        warn!(pid, %error, "cannot signal the host");
    }
}

fn report(module: &str, pid: u32, status: io::Result<process::ExitStatus>) {
    match status {
        Ok(status) => info!(module, pid, %status, "host exited"),
        Err(error) => error!(module, pid, %error, "cannot wait for the host"),
    }
}

#[cfg(test)]
mod tests;
