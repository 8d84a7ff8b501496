//! The proxy of one remote module: attach, run, attach again, and the end.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::attach::{Attach, Ended, flush};
use super::backoff::Backoff;
use super::connector::Connector;
use super::launcher::Launcher;
use super::traffic::{Inbound, outbound};
use crate::broker::{Attendance, Delivery, Inbox, Publisher};
use crate::config::OutprocessConfig;
use crate::module::{Context, Life, Module};

/// How long a stopping proxy goes on handing its inbox to a host.
const DRAIN: Duration = Duration::from_secs(2);
/// How long Destroy, and what stands before it, may take to leave.
const FLUSH: Duration = Duration::from_millis(500);
/// How long a host that nobody waits for may publish after Destroy.
const LINGER: Duration = Duration::from_millis(250);
/// How long what a host sent before it went may take to be published.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Stands for one remote module.
pub struct Proxy<C> {
    config: OutprocessConfig,
    connector: C,
}

impl<C: Connector> Proxy<C> {
    /// A proxy that has not begun to attach.
    pub fn new(config: OutprocessConfig, connector: C) -> Self {
        Self { config, connector }
    }

    /// The longest that stopping can take.
    #[must_use]
    pub fn longest_stop(config: &OutprocessConfig) -> Duration {
        let grace = config.launch.as_ref().map(|launch| launch.grace).unwrap_or_default();
        grace + Duration::from_secs(15)
    }
}

impl<C: Connector> Module for Proxy<C> {
    /// Runs until the module is stopped. Whatever happens to the host, this does not end before that.
    fn run(self: Box<Self>, context: Context) -> Life {
        Box::pin(async move {
            let launcher = self.config.launch.clone().map(|launch| {
                let launcher = Launcher::start(context.name.clone(), launch.clone(), context.stop.clone());
                (launcher, launch.grace)
            });
            let attendance = context.inbox.attendance();
            let mut running = Running {
                config: self.config,
                connector: self.connector,
                launcher,
                attendance,
                pending: VecDeque::new(),
                tally: Tally::default(),
            };
            let Context { name, publisher, mut inbox, stop } = context;
            running.attach_until_stopped(&name, &publisher, &mut inbox, &stop).await;
            // Not attached, or Destroy could not be sent: the host has nothing left to do.
            running.end_host(Duration::ZERO).await;
            running.tally.lost_to_host += running.pending.len() as u64;
            running.tally.report(&name);
            Ok(())
        })
    }
}

/// Sums over all attaches.
#[derive(Default)]
struct Tally {
    attaches: u64,
    sent: u64,
    received: u64,
    malformed: u64,
    oversized: u64,
    /// Connections that the host ended, or that a frame far over the limit ended.
    lost_connections: u64,
    /// Messages that were taken from the inbox and never handed to the transport.
    lost_to_host: u64,
    /// Messages that had arrived and could not be published before the end, or found no room.
    lost_from_host: u64,
}

impl Tally {
    fn add(&mut self, attach: &Attach, inbound: &Inbound) {
        let (statistics, control) = (attach.message.statistics(), attach.control.statistics());
        self.sent += statistics.sent;
        self.received += statistics.received;
        self.malformed += inbound.malformed() + attach.malformed();
        self.oversized += statistics.oversized + control.oversized;
        self.lost_connections += statistics.lost_connections + control.lost_connections;
        self.lost_to_host += statistics.waiting;
        self.lost_from_host += statistics.received.saturating_sub(inbound.handled()) + statistics.dropped;
    }

    fn report(&self, module: &str) {
        let Self {
            attaches,
            sent,
            received,
            malformed,
            oversized,
            lost_connections,
            lost_to_host,
            lost_from_host,
        } = self;
        info!(
            module,
            attaches,
            sent,
            received,
            malformed,
            oversized,
            lost_connections,
            lost_to_host,
            lost_from_host,
            "channel statistics"
        );
    }
}

struct Running<C> {
    config: OutprocessConfig,
    connector: C,
    launcher: Option<(Launcher, Duration)>,
    attendance: Attendance,
    /// Taken from the inbox and not yet by a channel; the next host gets it first.
    pending: VecDeque<Delivery>,
    tally: Tally,
}

impl<C: Connector> Running<C> {
    async fn attach_until_stopped(
        &mut self,
        module: &str,
        publisher: &Publisher,
        inbox: &mut Inbox,
        stop: &CancellationToken,
    ) {
        let mut backoff = Backoff::default();
        if let Some(directory) = self.config.control.directory().filter(|directory| !directory.is_dir()) {
            let directory = directory.display();
            warn!(module, %directory, "no host can bind control.id: its directory does not exist; create it");
        }
        while !stop.is_cancelled() {
            self.attendance.set(false);
            let since = Instant::now();
            match Attach::open(&self.connector, &self.config) {
                Ok(attach) => {
                    let inbound = Inbound::default();
                    let ended = self.serve(&attach, &inbound, module, publisher, inbox, stop).await;
                    self.attendance.set(false);
                    self.tally.add(&attach, &inbound);
                    attach.close().await;
                    match ended {
                        // A host that was told Destroy goes, which is no news.
                        Ended::Stopped => return,
                        _ if stop.is_cancelled() => return,
                        Ended::HostGone => warn!(module, "host gone"),
                        other => warn!(module, reason = %other, "attach ended"),
                    }
                }
                Err(error) => error!(module, %error, "cannot attach"),
            }
            // Counted from the attach, so a host that came after hours and died at once is a first one.
            let wait = backoff.after(since.elapsed());
            if !wait.is_zero() {
                let _ = stop.run_until_cancelled(sleep(wait)).await;
            }
        }
    }

    /// One attach, from Create to its end.
    async fn serve(
        &mut self,
        attach: &Attach,
        inbound: &Inbound,
        module: &str,
        publisher: &Publisher,
        inbox: &mut Inbox,
        stop: &CancellationToken,
    ) -> Ended {
        match stop.run_until_cancelled(attach.create(module, self.config.timeout)).await {
            Some(Ok(())) => {}
            Some(Err(ended)) => return ended,
            None => {
                self.farewell(attach).await;
                return Ended::Stopped;
            }
        }
        self.tally.attaches += 1;
        info!(module, "attached");
        if let Err(ended) = attach.start() {
            return ended;
        }
        info!(module, "started");

        let receiving = inbound.run(&*attach.message, publisher);
        tokio::pin!(receiving);
        let ended = {
            let attendance = self.attendance.clone();
            let presence = attend(attach, &attendance);
            let sending = self.send_until_stopped(attach, inbox, stop);
            tokio::select! {
                ended = attach.end(module) => ended,
                () = &mut receiving => Ended::Closed,
                () = sending => Ended::Stopped,
                ended = presence => ended,
            }
        };
        inbound.finish();
        // What it could not publish in this time is counted as lost.
        let _ = timeout(LAST_WORDS, receiving).await;
        ended
    }

    /// Carries messages to the host until the inbox is closed and empty, then takes leave of the host.
    async fn send_until_stopped(&mut self, attach: &Attach, inbox: &mut Inbox, stop: &CancellationToken) {
        let too_late = async {
            stop.cancelled().await;
            sleep(DRAIN).await;
        };
        tokio::select! {
            // A closed channel is noticed by the receiving side.
            _ = outbound(inbox, &mut self.pending, &*attach.message) => {}
            () = too_late => {}
        }
        stop.cancelled().await;
        self.farewell(attach).await;
    }

    /// Destroy, best effort, and time for the host to go. Nothing here waits without a bound.
    async fn farewell(&self, attach: &Attach) {
        flush(&*attach.message, Instant::now() + FLUSH).await;
        if !attach.destroy() {
            return;
        }
        flush(&*attach.control, Instant::now() + FLUSH).await;
        match &self.launcher {
            Some((_, grace)) => self.end_host(*grace).await,
            None => {
                let mut peer = attach.message.peer();
                let gone = peer.wait_for(|peer| !peer.connected);
                // Either way it is over: the host has gone, or has had its time.
                let _ = timeout(LINGER, gone).await;
            }
        }
    }

    async fn end_host(&self, grace: Duration) {
        if let Some((launcher, _)) = &self.launcher {
            launcher.stop(grace).await;
        }
    }
}

/// Follows whether the host reads messages: while its message channel has no peer, nobody waits for
/// room in the inbox. The channel connects again by itself.
async fn attend(attach: &Attach, attendance: &Attendance) -> Ended {
    let mut peer = attach.message.peer();
    loop {
        attendance.set(peer.borrow_and_update().connected);
        if peer.changed().await.is_err() {
            return Ended::Closed;
        }
    }
}
