//! A host that this gateway launches, and the link that it is born with.

use std::sync::Arc;
use std::time::Duration;

use sandgate_wire::link::Beats;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::launcher::{LaunchState, Launcher};
use super::links::Links;
use crate::config::{ChannelKind, HostLinkConfig, LaunchConfig};
use crate::status::ModuleStatus;

/// Supervises a host process and takes up its link with every launch. Dropping it kills the process.
pub(super) struct Launched {
    launcher: Arc<Launcher>,
    grace: Duration,
    linking: JoinHandle<()>,
}

impl Launched {
    pub(super) fn start(
        config: LaunchConfig,
        link: HostLinkConfig,
        links: Links,
        status: &ModuleStatus,
        stop: CancellationToken,
    ) -> Self {
        let grace = config.grace;
        let wanted = link.channel == ChannelKind::Auto;
        let launcher = Arc::new(Launcher::start(config, wanted, status.clone(), stop));
        let linking = tokio::spawn(link_each(launcher.clone(), links, link.beats()));
        Self { launcher, grace, linking }
    }

    /// Waits for the process to end by itself, for the grace period, then ends it.
    pub(super) async fn stop(&self) {
        self.end(self.grace).await;
    }

    pub(super) async fn end(&self, grace: Duration) {
        self.launcher.stop(grace).await;
    }

    /// Kills the process, which is then launched again.
    pub(super) fn relaunch(&self, reason: &str) {
        let launch = *self.launcher.launches().borrow();
        self.launcher.relaunch(launch.number, reason);
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        // It holds the launcher, whose end is the process's end.
        self.linking.abort();
    }
}

/// Adopts the link of each launch. It is held until the next launch: modules of the same host that others
/// of the gateway's proxies serve use it as well.
async fn link_each(launcher: Arc<Launcher>, links: Links, beats: Beats) {
    let mut launches = launcher.launches();
    loop {
        let running = launches.borrow_and_update().state == LaunchState::Running;
        // Of a launch that is being made nothing is taken, before it is told.
        let Some((number, stream)) = running.then(|| launcher.take_link()).flatten() else {
            if launches.changed().await.is_err() {
                return;
            }
            continue;
        };
        let adopting = async {
            let _link = links.adopt(stream, beats).await;
            std::future::pending::<()>().await;
        };
        // What was taken may be the next launch's already, which is told in a moment.
        let over = launches.wait_for(|launch| {
            launch.number > number || (launch.number == number && launch.state != LaunchState::Running)
        });
        tokio::select! {
            () = adopting => {}
            over = over => {
                if over.is_err() {
                    return;
                }
            }
        }
    }
}
