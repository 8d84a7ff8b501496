//! A host that this gateway launches, the link that it is born with, and whether it is heard of.

use std::future::pending;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sandgate_wire::link::Beats;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::launcher::{LaunchState, Launcher};
use super::links::Links;
use crate::config::{HostLinkConfig, LaunchConfig};
use crate::status::ModuleStatus;

/// Supervises a host process and takes up its link with every launch. Dropping it kills the process.
pub(super) struct Launched {
    launcher: Arc<Launcher>,
    grace: Duration,
    /// The newest launch that was heard of.
    heard: Arc<AtomicU64>,
    watching: JoinHandle<()>,
}

impl Launched {
    pub(super) fn start(
        config: LaunchConfig,
        link: HostLinkConfig,
        links: Links,
        status: &ModuleStatus,
        stop: CancellationToken,
    ) -> Self {
        let LaunchConfig { grace, start_timeout, .. } = config;
        let wanted = link.channel.uses_link();
        let launcher = Arc::new(Launcher::start(config, wanted, status.clone(), stop));
        let heard = Arc::new(AtomicU64::new(0));
        let (beats, watched) = (link.beats(), heard.clone());
        let watch = Watch { launcher: launcher.clone(), links, beats, start_timeout, heard: watched };
        Self { launcher, grace, heard, watching: tokio::spawn(watch.run()) }
    }

    /// Waits for the process to end by itself, for the grace period, then ends it.
    pub(super) async fn stop(&self) {
        self.end(self.grace).await;
    }

    pub(super) async fn end(&self, grace: Duration) {
        self.launcher.stop(grace).await;
    }

    /// The host has answered. Gives the number of its launch.
    pub(super) fn hear(&self) -> u64 {
        let number = self.launcher.launches().borrow().number;
        self.heard.fetch_max(number, Ordering::Relaxed);
        number
    }

    /// Kills the process of this launch, which is then launched again.
    pub(super) fn relaunch(&self, launch: u64, reason: &str) {
        self.launcher.relaunch(launch, reason);
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        // It holds the launcher, whose end is the process's end.
        self.watching.abort();
    }
}

/// Watches each launch: whether the process is heard of in time, and whether it hangs, whatever the module's
/// proxy is doing.
struct Watch {
    launcher: Arc<Launcher>,
    links: Links,
    beats: Beats,
    start_timeout: Duration,
    heard: Arc<AtomicU64>,
}

impl Watch {
    async fn run(self) {
        let mut launches = self.launcher.launches();
        loop {
            let launch = *launches.borrow_and_update();
            if launch.state != LaunchState::Running {
                if launches.changed().await.is_err() {
                    return;
                }
                continue;
            }
            // What was taken may be the next launch's already, which is told in a moment.
            let (number, stream) = match self.launcher.take_link() {
                Some((number, stream)) => (number, Some(stream)),
                None => (launch.number, None),
            };
            let over = launches.wait_for(|launch| {
                launch.number > number || (launch.number == number && launch.state != LaunchState::Running)
            });
            tokio::select! {
                never = self.accompany(number, stream) => match never {},
                over = over => {
                    if over.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Stays with one launch. Its link is held until the end: modules of the same host that others of the
    /// gateway's proxies serve use it as well.
    async fn accompany(&self, number: u64, stream: Option<UnixStream>) -> std::convert::Infallible {
        let hangs = async {
            let link = match stream {
                Some(stream) => self.links.adopt(stream, self.beats).await,
                None => None,
            };
            let Some(link) = link else { return pending().await };
            self.heard.fetch_max(number, Ordering::Relaxed);
            link.hangs().await;
            link
        };
        let late = async {
            sleep(self.start_timeout).await;
            if self.heard.load(Ordering::Relaxed) >= number {
                pending().await
            }
        };
        let _link = tokio::select! {
            link = hangs => {
                self.launcher.relaunch(number, "it hung");
                Some(link)
            }
            () = late => {
                let limit = self.start_timeout.as_millis();
                self.launcher.relaunch(number, &format!("nothing was heard of it within {limit} ms"));
                None
            }
        };
        pending().await
    }
}
