//! A module host as a child process: started, started again when it exits or hangs, given up when it does so
//! too often, and ended in good order or by force.

mod crash_loop;
mod process;

use std::io;
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::backoff::Backoff;
use crate::config::LaunchConfig;
use crate::status::{ModuleStatus, State};
use crash_loop::CrashLoop;
use process::{Process, explain};

/// Supervises one host process. Dropping it kills the process.
pub struct Launcher {
    /// Set once, to how long the process may take to exit by itself.
    grace: watch::Sender<Option<Duration>>,
    /// The newest launch that was found useless, and why.
    useless: watch::Sender<Option<(u64, String)>>,
    launch: watch::Receiver<Launch>,
    link: LinkSlot,
    task: JoinHandle<()>,
}

/// The newest launch of a host.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Launch {
    /// Its number: 1 is the first, 0 none yet.
    pub number: u64,
    /// What became of it.
    pub state: LaunchState,
}

/// What became of a launch.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LaunchState {
    /// The process has ended, or there was none yet. There will be another launch unless it is being stopped.
    #[default]
    Ended,
    /// The process runs.
    Running,
    /// The process has ended, one time too many. There will be another launch when the module is revived.
    Quarantined,
}

/// The gateway's end of the newest launch's host link, until somebody takes it.
#[derive(Clone, Default)]
struct LinkSlot(Arc<Mutex<Option<(u64, UnixStream)>>>);

impl Launcher {
    /// Starts the host, with a host link if `link` says so. From the moment that `stop` is cancelled it is not
    /// started again.
    #[must_use]
    pub fn start(config: LaunchConfig, link: bool, status: ModuleStatus, stop: CancellationToken) -> Self {
        let (grace, asked) = watch::channel(None);
        let (useless, complaints) = watch::channel(None);
        let (tell, launch) = watch::channel(Launch::default());
        let slot = LinkSlot::default();
        let supervisor = Supervisor {
            crashes: CrashLoop::new(config.restart),
            config,
            link: link.then(|| slot.clone()),
            status,
            stop,
            launch: tell,
        };
        let task = tokio::spawn(supervisor.run(asked, complaints));
        Self { grace, useless, launch, link: slot, task }
    }

    /// The newest launch, now and whenever it changes.
    #[must_use]
    pub fn launches(&self) -> watch::Receiver<Launch> {
        self.launch.clone()
    }

    /// The gateway's end of the host link of the newest launch, with that launch's number. It is there from the
    /// moment that the launch is told as running, once, and until the process ends. It does not block.
    #[must_use]
    pub fn take_link(&self) -> Option<(u64, UnixStream)> {
        self.link.lock().take()
    }

    /// Ends the process of this launch by force, because it hangs or the like, and has it launched again after
    /// the usual wait. Nothing if that process has ended already.
    pub fn relaunch(&self, number: u64, reason: &str) {
        self.useless.send_replace(Some((number, reason.to_owned())));
    }

    /// Waits up to `grace` for the process to exit, then sends SIGTERM, then SIGKILL, and reaps it. Only
    /// the first call's `grace` counts; all wait for the end.
    pub async fn stop(&self, grace: Duration) {
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

impl LinkSlot {
    fn lock(&self) -> MutexGuard<'_, Option<(u64, UnixStream)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that launches.
struct Supervisor {
    config: LaunchConfig,
    link: Option<LinkSlot>,
    status: ModuleStatus,
    stop: CancellationToken,
    launch: watch::Sender<Launch>,
    crashes: CrashLoop,
}

/// How a launch ended.
enum Exit {
    /// The process exited, or was killed as useless; the reason.
    Alone(String),
    /// As it was asked to.
    Asked,
}

impl Supervisor {
    async fn run(
        mut self,
        mut asked: watch::Receiver<Option<Duration>>,
        mut complaints: watch::Receiver<Option<(u64, String)>>,
    ) {
        let mut backoff = Backoff::new(self.config.restart.reset);
        while !self.stop.is_cancelled() {
            let since = Instant::now();
            let reason = match self.spawn() {
                Ok(process) => {
                    let exit = self.accompany(process, &mut asked, &mut complaints).await;
                    self.status.set_figure("pid", Value::Null);
                    if let Some(link) = &self.link {
                        drop(link.lock().take());
                    }
                    match exit {
                        Exit::Asked => break,
                        Exit::Alone(_) if self.stop.is_cancelled() => break,
                        Exit::Alone(reason) if self.crashes.exit() => {
                            self.quarantine(&reason, &mut asked).await;
                            backoff = Backoff::new(self.config.restart.reset);
                            continue;
                        }
                        Exit::Alone(reason) => reason,
                    }
                }
                Err(error) => {
                    let (module, reason) = (self.status.name(), explain(&self.config.path, &error));
                    error!(module, "cannot launch the host: {reason}");
                    format!("cannot launch the host: {reason}")
                }
            };
            self.status.set_launch(Some((State::Restarting, reason)));
            self.tell(LaunchState::Ended);
            tokio::select! {
                () = sleep(backoff.after(since.elapsed())) => {}
                () = self.stop.cancelled() => {}
            }
        }
        self.status.set_launch(None);
        self.tell(LaunchState::Ended);
    }

    fn spawn(&self) -> io::Result<Process> {
        let number = self.launch.borrow().number + 1;
        let (ours, theirs) = match &self.link {
            Some(_) => UnixStream::pair().map(|(ours, theirs)| (Some(ours), Some(theirs)))?,
            None => (None, None),
        };
        let process = Process::spawn(&self.config, theirs)?;
        let (module, pid) = (self.status.name(), process.pid());
        if number == 1 {
            info!(module, pid, "launched");
        } else {
            info!(module, pid, "relaunched");
        }
        if let (Some(slot), Some(ours)) = (&self.link, ours) {
            ours.set_nonblocking(true)?;
            *slot.lock() = Some((number, ours));
        }
        self.status.set_figure("launches", number);
        self.status.set_figure("pid", pid);
        self.status.set_launch(None);
        self.launch.send_replace(Launch { number, state: LaunchState::Running });
        Ok(process)
    }

    /// Stays with a process until it has ended.
    async fn accompany(
        &self,
        mut process: Process,
        asked: &mut watch::Receiver<Option<Duration>>,
        complaints: &mut watch::Receiver<Option<(u64, String)>>,
    ) -> Exit {
        let (module, pid, number) = (self.status.name(), process.pid(), self.launch.borrow().number);
        tokio::select! {
            biased;
            status = process.wait() => match status {
                Ok(status) if self.stop.is_cancelled() => {
                    info!(module, pid, %status, "host exited");
                    Exit::Asked
                }
                Ok(status) => {
                    warn!(module, pid, %status, "host exited; it is launched again");
                    Exit::Alone(format!("host exited with {status}"))
                }
                Err(error) => {
                    error!(module, pid, %error, "cannot wait for the host");
                    Exit::Alone(format!("cannot wait for the host: {error}"))
                }
            },
            grace = asked_to_end(asked) => {
                report(module, pid, process.end(module, grace).await);
                Exit::Asked
            }
            reason = found_useless(complaints, number) => {
                warn!(module, pid, reason, "host is ended by force and launched again");
                report(module, pid, process.kill().await);
                Exit::Alone(reason)
            }
        }
    }

    /// Waits until the module is revived, or to be stopped.
    async fn quarantine(&self, last: &str, asked: &mut watch::Receiver<Option<Duration>>) {
        let (module, reason) = (self.status.name(), format!("{}; the last: {last}", self.crashes.explain()));
        error!(module, reason, "host is quarantined: it is not launched again until the module is revived");
        let mut revivals = self.status.revivals();
        self.status.set_launch(Some((State::Quarantined, reason)));
        self.tell(LaunchState::Quarantined);
        tokio::select! {
            // The sender lives as long as the status.
            _ = revivals.changed() => info!(module, "revived"),
            () = self.stop.cancelled() => {}
            _ = asked_to_end(asked) => {}
        }
    }

    fn tell(&self, state: LaunchState) {
        self.launch.send_modify(|launch| launch.state = state);
    }
}

async fn asked_to_end(asked: &mut watch::Receiver<Option<Duration>>) -> Duration {
    // An error means that nobody is there to ask any more: end at once.
    asked.wait_for(Option::is_some).await.ok().and_then(|grace| *grace).unwrap_or_default()
}

/// Why this launch is of no use any more.
async fn found_useless(complaints: &mut watch::Receiver<Option<(u64, String)>>, launch: u64) -> String {
    let of_this = |complaint: &Option<(u64, String)>| complaint.as_ref().is_some_and(|(of, _)| *of == launch);
    let complaint = complaints.wait_for(of_this).await.ok().and_then(|complaint| complaint.clone());
    match complaint {
        Some((_, reason)) => reason,
        // Nobody is there to complain any more.
        None => std::future::pending().await,
    }
}

fn report(module: &str, pid: u32, status: io::Result<ExitStatus>) {
    match status {
        Ok(status) => info!(module, pid, %status, "host exited"),
        Err(error) => error!(module, pid, %error, "cannot wait for the host"),
    }
}

#[cfg(test)]
mod tests;
