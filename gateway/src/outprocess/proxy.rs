//! The proxy of one remote module: attach, run, attach again, and the end.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use sandgate_wire::link::{Features, Offer, Signal};

use super::attach::{Attach, AttachError, Ended, flush};
use super::backlog::Backlog;
use super::backoff::Backoff;
use super::connector::Connector;
use super::hosted::{HostAt, Turn};
use super::launched::Launched;
use super::links::{HostLink, JoinError, Links, Place};
use super::over_link::Counts;
use super::over_pair;
use super::presence::Presence;
use super::segments_place::{Left, SegmentsPlace};
use super::tally::Tally;
use super::tunnel::Tunnel;
use crate::broker::{Inbox, Publisher};
use crate::config::{ChannelKind, OutprocessConfig};
use crate::dead_letters::DeadLetters;
use crate::module::{Context, Life, Module};
use crate::segments::ModuleSegments;
use crate::status::{ModuleStatus, State};

/// How long a stopping proxy goes on handing its inbox to a host.
pub(super) const DRAIN: Duration = Duration::from_secs(2);
/// An attach to a host that is started elsewhere went fine if it lasted so long: the next one begins at once.
const FINE: Duration = Duration::from_secs(1);
/// After so long without anybody at the control channel the host is said to be absent.
const ABSENT: Duration = Duration::from_millis(500);
/// How long Destroy, and what stands before it, may take to leave.
const FLUSH: Duration = Duration::from_millis(500);
/// How long a host that nobody waits for may publish after Destroy.
const LINGER: Duration = Duration::from_millis(250);
/// How long what a host sent before it went may take to be published, when the module is being stopped.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// Stands for one remote module.
pub struct Proxy<C> {
    config: OutprocessConfig,
    connector: C,
    links: Links,
}

impl<C: Connector> Proxy<C> {
    /// A proxy that has not begun to attach. `links` are the gateway's, for all its proxies.
    pub fn new(config: OutprocessConfig, connector: C, links: Links) -> Self {
        Self { config, connector, links }
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
            let Self { config, connector, links } = *self;
            let Context { name, publisher, mut inbox, dead_letters, segments, status, stop } = context;
            let launched = config
                .launch
                .clone()
                .map(|launch| Launched::start(launch, config.link, links.clone(), &status, stop.clone()));
            let presence = Presence::new(inbox.attendance());
            let mut running = Running {
                module: name,
                config,
                connector,
                links,
                dead_letters,
                segments,
                launched,
                launch: None,
                publisher,
                presence,
                status,
                stop,
                backlog: Backlog::default(),
                bereaved: false,
                tally: Tally::default(),
            };
            running.attach_until_stopped(&mut inbox).await;
            // Not attached, or Destroy could not be sent: the host has nothing left to do.
            running.end_host(Duration::ZERO).await;
            running.finish();
            Ok(())
        })
    }
}

pub(super) struct Running<C> {
    pub(super) module: String,
    pub(super) config: OutprocessConfig,
    connector: C,
    links: Links,
    pub(super) dead_letters: DeadLetters,
    segments: ModuleSegments,
    pub(super) launched: Option<Launched>,
    /// The launch that has answered last.
    launch: Option<u64>,
    pub(super) publisher: Publisher,
    pub(super) presence: Presence,
    pub(super) status: ModuleStatus,
    pub(super) stop: CancellationToken,
    /// Taken from the inbox and not done with; the next host gets it first.
    pub(super) backlog: Backlog,
    /// The host before died, or hung.
    pub(super) bereaved: bool,
    pub(super) tally: Tally,
}

impl<C: Connector> Running<C> {
    async fn attach_until_stopped(&mut self, inbox: &mut Inbox) {
        let restart = self.config.launch.as_ref().map(|launch| launch.restart);
        let mut backoff = Backoff::new(restart.map_or(FINE, |restart| restart.reset));
        let module = self.module.clone();
        if let Some(directory) = self.config.control.directory().filter(|directory| !directory.is_dir()) {
            let directory = directory.display();
            warn!(module, %directory, "no host can bind control.id: its directory does not exist; create it");
        }
        while !self.stop.is_cancelled() {
            let Some((opened, turn)) = self.open().await else { return };
            let since = Instant::now();
            match opened {
                Ok(attach) => {
                    let ended = self.serve(&attach, turn, inbox).await;
                    self.presence.go();
                    self.tally.add(&attach);
                    attach.close().await;
                    match ended {
                        // A host that was told Destroy goes, which is no news.
                        Ended::Stopped => return,
                        _ if self.stop.is_cancelled() => return,
                        Ended::HostGone => warn!(module, "host gone"),
                        Ended::Silent => {
                            warn!(module, "the host hangs: nothing was heard of it for too long");
                            // One that was launched is made anew; any other may wake up again.
                            self.relaunch("it hung");
                        }
                        other => warn!(module, reason = %other, "attach ended"),
                    }
                    self.status.set(State::Restarting, ended.to_string());
                }
                Err(error) => {
                    error!(module, %error, "cannot attach");
                    self.status.set(State::Absent, error.to_string());
                }
            }
            // Counted from the attach, so a host that came after hours and died at once is a first one.
            let wait = backoff.after(since.elapsed());
            if !wait.is_zero() {
                let _ = self.stop.run_until_cancelled(sleep(wait)).await;
            }
        }
    }

    /// Opens what an attach needs, in its turn. None: the module is to stop.
    async fn open(&self) -> Option<(Result<Attach, AttachError>, Option<Turn>)> {
        let Some(name) = &self.config.hosted else {
            return Some((Attach::open(&self.connector, &self.config), None));
        };
        let host = self.links.host_at(self.config.control.path()?, self.config.link.beats());
        let (link, turn) = self.stop.run_until_cancelled(self.find(&host)).await?;
        let tunnel = Tunnel::open(link, name.clone(), self.links.next_epoch());
        Some((Attach::inside(tunnel, &self.config), turn))
    }

    /// Waits for a host that is found by its link. Meanwhile the status shows whether it is there.
    async fn find(&self, host: &HostAt) -> (HostLink, Option<Turn>) {
        if timeout(ABSENT, host.is_there()).await.is_err() {
            self.status.set(State::Absent, format!("no host is at {}", self.config.control));
            host.is_there().await;
            self.status.set(self.before(), "its host has come");
        }
        host.turn().await
    }

    /// The state in which a module is attached.
    fn before(&self) -> State {
        if self.tally.attaches == 0 { State::Starting } else { State::Restarting }
    }

    /// One attach, from Create to its end.
    async fn serve(&mut self, attach: &Attach, mut turn: Option<Turn>, inbox: &mut Inbox) -> Ended {
        let created = self.stop.run_until_cancelled(self.create(attach, &mut turn)).await;
        if matches!(created, Some(Ok(_) | Err(Ended::Refused(_)))) {
            self.launch = self.launched.as_ref().map(Launched::hear);
        }
        let offer = match created {
            Some(Ok(offer)) => offer,
            Some(Err(ended)) => return ended,
            None => {
                self.farewell(attach, None).await;
                return Ended::Stopped;
            }
        };
        self.tally.attaches += 1;
        let place = match offer {
            Some(offer) if self.config.link.channel.uses_link() => match self.join(&offer).await {
                Ok(place) => Some(place),
                // What is handed to V1's channels counts as delivered: not to a host that has gone meanwhile.
                Err(JoinError::Unreachable) => return Ended::Unreachable,
                Err(_) if !attach.has_its_host() => return Ended::HostGone,
                Err(error) => {
                    warn!(module = self.module, %error, "the host link is not used");
                    None
                }
            },
            Some(offer) => {
                let segments = self.join_for_segments(&offer).await;
                // As above: it may have taken its time.
                if !attach.has_its_host() {
                    return Ended::HostGone;
                }
                return self.serve_on_pair(attach, segments, inbox).await;
            }
            None => None,
        };
        match place {
            Some(place) => {
                info!(module = self.module, way = "host link", "attached");
                self.serve_on_link(attach, place, turn, inbox).await
            }
            None if self.config.hosted.is_some() => {
                warn!(module = self.module, "its host has no lane for it, which is all that it could have");
                Ended::Unreachable
            }
            None => self.serve_on_pair(attach, None, inbox).await,
        }
    }

    /// Create and its Reply. Meanwhile the status shows whether anybody is there.
    async fn create(&self, attach: &Attach, turn: &mut Option<Turn>) -> Result<Option<Offer>, Ended> {
        let patience = self.config.timeout;
        tokio::select! {
            created = attach.create(&self.module, patience) => created,
            never = lend(turn, patience) => match never {},
            never = self.follow_absence(attach) => match never {},
        }
    }

    async fn follow_absence(&self, attach: &Attach) -> Infallible {
        // Of a launched host the launcher knows more, and one with a link is there.
        if self.launched.is_some() || self.config.hosted.is_some() {
            return pending().await;
        }
        let mut peer = attach.control.peer();
        if timeout(ABSENT, peer.wait_for(|peer| peer.connected)).await.is_err() {
            let control = &self.config.control;
            self.status.set(State::Absent, format!("no host is at {control}"));
            // The sender is the channel's.
            let _ = peer.wait_for(|peer| peer.connected).await;
            self.status.set(self.before(), "its host has come");
        }
        // When it goes, this attach is over.
        pending().await
    }

    /// A place on the link that the host offers.
    async fn join(&self, offer: &Offer) -> Result<Place, JoinError> {
        let link = self.links.join(offer, self.config.link.beats()).await?;
        let address = (offer.module, self.links.next_epoch());
        let by_rings = self.config.link.channel == ChannelKind::Auto;
        Ok(link.open(address, self.config.link.window(), by_rings, self.segments.holder()))
    }

    /// A place on the link for a module whose messages go over V1's channels, if it has a grant of segments and
    /// its host is such that it can have some.
    async fn join_for_segments(&self, offer: &Offer) -> Option<SegmentsPlace> {
        if !self.segments.is_granted() || !offer.features.contains(Features::SEGMENTS) {
            return None;
        }
        let joined = match self.join(offer).await {
            Ok(place) => SegmentsPlace::open(place).await,
            Err(error) => Err(error.to_string()),
        };
        joined.inspect_err(|error| warn!(module = self.module, error, "the module has no segments")).ok()
    }

    /// Serves a module on V1's channels.
    async fn serve_on_pair(
        &mut self,
        attach: &Attach,
        mut segments: Option<SegmentsPlace>,
        inbox: &mut Inbox,
    ) -> Ended {
        info!(module = self.module, way = "pair", segments = segments.is_some(), "attached");
        if let Err(ended) = attach.start() {
            return ended;
        }
        info!(module = self.module, "started");
        self.status.set(State::Running, "");
        let inbound = over_pair::Inbound::default();
        let (publisher, dead_letters) = (self.publisher.clone(), self.dead_letters.clone());
        let counts = Counts::default();
        let left = Left { publisher: &publisher, dead_letters: &dead_letters, counts: &counts };
        let receiving = inbound.run(&*attach.message, &publisher);
        tokio::pin!(receiving);
        let (module, stop) = (self.module.clone(), self.stop.clone());
        let ended = {
            let Self { presence, backlog, .. } = self;
            let sending = send_over_pair(attach, inbox, backlog, &stop);
            tokio::select! {
                ended = attach.end(&module) => ended,
                () = &mut receiving => Ended::Closed,
                () = sending => Ended::Stopped,
                ended = attend(attach, presence) => ended,
                never = SegmentsPlace::keep(&mut segments, left) => match never {},
            }
        };
        if ended == Ended::Stopped {
            tokio::select! {
                () = self.farewell(attach, None) => {}
                () = &mut receiving => {}
            }
        }
        inbound.finish();
        // What it could not publish in this time is counted as lost.
        let _ = timeout(LAST_WORDS, receiving).await;
        self.tally.add_inbound(attach, &inbound);
        self.tally.add_left(&counts);
        ended
    }

    /// Destroy, best effort, and time for the host to go. Nothing here waits without a bound.
    pub(super) async fn farewell(&self, attach: &Attach, place: Option<&Place>) {
        match place {
            // The link is the surer way: a control channel may be between two connections.
            Some(place) => {
                let (module, epoch) = (place.lane.module(), place.lane.epoch());
                place.signal(Signal::Close { module, epoch });
            }
            None => flush(&*attach.message, Instant::now() + FLUSH).await,
        }
        let told = attach.destroy();
        if !told && place.is_none() {
            return;
        }
        flush(&*attach.control, Instant::now() + FLUSH).await;
        match (&self.launched, place) {
            (Some(launched), _) => launched.stop().await,
            (None, None) => {
                let mut peer = attach.message.peer();
                let gone = peer.wait_for(|peer| !peer.connected);
                // Either way it is over: the host has gone, or has had its time.
                let _ = timeout(LINGER, gone).await;
            }
            // The serving side waits for the module's end, which the link tells.
            (None, Some(_)) => {}
        }
    }

    /// Has the launch that has answered last replaced, if it is still there.
    fn relaunch(&self, reason: &str) {
        if let (Some(launched), Some(launch)) = (&self.launched, self.launch) {
            launched.relaunch(launch, reason);
        }
    }

    async fn end_host(&self, grace: Duration) {
        if let Some(launched) = &self.launched {
            launched.end(grace).await;
        }
    }

    fn finish(mut self) {
        while let Some(entry) = self.backlog.pop() {
            self.tally.lost_to_host += 1;
            entry.delivery.dropped();
        }
        self.tally.report(&self.module);
        self.status.set(State::Stopped, "");
    }
}

/// Lets others attach meanwhile, when a host takes its time: it may still be loading the module.
async fn lend(turn: &mut Option<Turn>, patience: Duration) -> Infallible {
    sleep(patience).await;
    *turn = None;
    pending().await
}

/// Carries messages to the host until the module is to stop and the inbox is empty, or it takes too long.
async fn send_over_pair(attach: &Attach, inbox: &mut Inbox, backlog: &mut Backlog, stop: &CancellationToken) {
    let too_late = async {
        stop.cancelled().await;
        sleep(DRAIN).await;
    };
    tokio::select! {
        // A closed channel is noticed by the receiving side.
        _ = over_pair::outbound(inbox, backlog, &*attach.message) => {}
        () = too_late => {}
    }
    stop.cancelled().await;
}

/// Follows whether the host reads messages. The message channel connects again by itself.
async fn attend(attach: &Attach, presence: &mut Presence) -> Ended {
    let mut peer = attach.message.peer();
    loop {
        let connected = peer.borrow_and_update().connected;
        if connected {
            presence.come()
        } else {
            presence.go()
        }
        if peer.changed().await.is_err() {
            return Ended::Closed;
        }
    }
}
