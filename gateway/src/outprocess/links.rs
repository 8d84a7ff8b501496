//! The gateway's ends of host links: one for each host process, shared by the proxies of its modules.
//!
//! A link outlives its connections. When one is dropped while both processes live, it is made again and the
//! lanes go on where they were. It ends when a connection is refused, which is what the socket of a dead
//! process does, when the host says nothing for too long, or when its only connection was inherited.

use std::collections::HashMap;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use sandgate_wire::channel::Peer;
use sandgate_wire::link::{
    Agreed, Beats, Features, Greeting, Instance, Lane, Lanes, LinkError, LinkStatistics, Offer, Side, Signal,
    SignalError, Versions, Window, carry, greet,
};
use sandgate_wire::segments::SegmentAuthority;
use thiserror::Error;
use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{debug, info, warn};

use super::connecting::{connect, keep};
use super::hosted::{self, HostAt};
use super::suspects::{Suspects, Turn};

/// How long a host may take to connect, to greet, and a launched one to appear.
pub(super) const JOIN: Duration = Duration::from_secs(2);
/// How often it is looked what happened on a link.
const LOOK: Duration = Duration::from_secs(1);
/// Signals of one module that wait for its proxy.
const SIGNALS: usize = 64;

/// All links of a gateway. Cloning shares them.
#[derive(Clone, Default)]
pub struct Links {
    shared: Arc<Shared>,
}

struct Shared {
    /// Which process this is, to hosts.
    instance: Instance,
    hosts: Mutex<HashMap<Instance, Weak<Host>>>,
    joining: Mutex<()>,
    /// Hosts that are found by the socket of their link.
    hosted: Mutex<HashMap<PathBuf, Weak<hosted::Shared>>>,
    /// The newest epoch. Those of a module only grow, also when another proxy takes its place.
    epoch: AtomicU32,
    /// A launched host has greeted.
    adopted: Notify,
}

/// The link to one host process. Cloning shares it; it ends with the last clone.
#[derive(Clone)]
pub(super) struct HostLink {
    host: Arc<Host>,
}

pub(super) struct Host {
    lanes: Lanes,
    pub(super) state: watch::Sender<LinkState>,
    /// The same, as a control channel inside the link shows it. It begins with a host that is there.
    peer: watch::Sender<Peer>,
    /// What happened on the link, as of the last look.
    statistics: watch::Sender<LinkStatistics>,
    /// Who is told of a lane's signals.
    proxies: Mutex<HashMap<(u32, u32), mpsc::Sender<Signal>>>,
    /// Whose control messages come on the link, by the epoch of the attach.
    tunnels: Mutex<HashMap<u32, mpsc::Sender<Bytes>>>,
    suspects: Arc<Suspects>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// How a link is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LinkState {
    Connecting,
    Connected,
    /// The host has ended, or will have nothing to do with this gateway.
    Gone,
    /// The host has said nothing for too long.
    Silent,
    /// The address that it gave leads nowhere: it is on another machine, or another user's.
    Elsewhere,
}

/// Why a host's offer was of no use.
#[derive(Debug, Error)]
pub(super) enum JoinError {
    #[error("the host speaks versions {theirs} of the link, this gateway {ours}")]
    Versions { ours: Versions, theirs: Versions },
    #[error("the host's address is not to be found on this machine, or not for this user")]
    Elsewhere,
    /// It may have died, or be too slow. Nothing may be handed to it by V1's channels, where it would be lost.
    #[error("the host does not answer on the link")]
    Unreachable,
}

/// One attached module's place on a link. Dropping it takes the lane off the link.
pub(super) struct Place {
    pub(super) lane: Lane,
    pub(super) signals: mpsc::Receiver<Signal>,
    link: HostLink,
}

impl Default for Shared {
    fn default() -> Self {
        let (hosts, joining, adopted) = (Mutex::default(), Mutex::default(), Notify::new());
        let epoch = AtomicU32::default();
        Self { instance: Instance::random(), hosts, joining, hosted: Mutex::default(), epoch, adopted }
    }
}

impl Links {
    fn hosts(&self) -> MutexGuard<'_, HashMap<Instance, Weak<Host>>> {
        // Nothing below can panic half-way through a change.
        self.shared.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn greeting(&self) -> Greeting {
        Greeting::ours(self.shared.instance).with(Features::RINGS)
    }

    /// The epoch of another attach.
    pub(super) fn next_epoch(&self) -> u32 {
        self.shared.epoch.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    fn find(&self, instance: Instance) -> Option<HostLink> {
        let host = self.hosts().get(&instance)?.upgrade()?;
        let alive = matches!(*host.state.borrow(), LinkState::Connecting | LinkState::Connected);
        alive.then_some(HostLink { host })
    }

    fn register(&self, instance: Instance) -> HostLink {
        let link = HostLink { host: Arc::new(Host::new()) };
        let mut hosts = self.hosts();
        hosts.retain(|_, host| host.strong_count() > 0);
        hosts.insert(instance, Arc::downgrade(&link.host));
        link
    }

    /// The link to the host, and whether it is a new one. Of proxies that come at once, one makes it: a host
    /// takes one connection of a gateway.
    pub(super) fn find_or_register(&self, instance: Instance) -> (HostLink, bool) {
        let _one_at_a_time = self.shared.joining.lock().unwrap_or_else(PoisonError::into_inner);
        match self.find(instance) {
            Some(link) => (link, false),
            None => (self.register(instance), true),
        }
    }

    /// The link to the host that has made this offer: the one that is there, or a new one.
    pub(super) async fn join(&self, offer: &Offer, beats: Beats) -> Result<HostLink, JoinError> {
        if Versions::OURS.agree(offer.versions).is_none() {
            return Err(JoinError::Versions { ours: Versions::OURS, theirs: offer.versions });
        }
        let link = match &offer.address {
            Some(address) => {
                let (link, new) = self.find_or_register(offer.host);
                if new {
                    self.keep(&link, address.clone(), offer.host, beats, None);
                }
                link
            }
            None => self.wait_for(offer.host).await.ok_or(JoinError::Unreachable)?,
        };
        let mut state = link.host.state.subscribe();
        let settled = state.wait_for(|state| *state != LinkState::Connecting);
        match timeout(JOIN, settled).await.map(|state| state.map(|state| *state)) {
            Ok(Ok(LinkState::Connected)) => Ok(link),
            Ok(Ok(LinkState::Elsewhere)) => Err(JoinError::Elsewhere),
            _ => Err(JoinError::Unreachable),
        }
    }

    /// Has a link kept connected, at first by this connection, if there is one.
    fn keep(
        &self,
        link: &HostLink,
        address: String,
        instance: Instance,
        beats: Beats,
        first: Option<(UnixStream, Agreed)>,
    ) {
        let host = Arc::downgrade(&link.host);
        let keeping = keep(host, address, instance, self.greeting(), beats, first);
        link.host.runs(tokio::spawn(keeping));
    }

    /// The host at this socket, for all modules that have the same.
    pub(super) fn host_at(&self, socket: &Path, beats: Beats) -> HostAt {
        let mut hosted = self.shared.hosted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosted.get(socket).and_then(HostAt::upgrade) {
            return host;
        }
        let host = HostAt::new(self.clone(), socket, beats);
        hosted.insert(socket.to_owned(), host.downgrade());
        host
    }

    /// The link to whatever host listens at this socket. None: nobody does, or none of ours.
    pub(super) async fn connect_to(&self, socket: &Path, beats: Beats) -> Option<HostLink> {
        let address = socket.to_str()?;
        let connected = timeout(JOIN, connect(address, &self.greeting())).await;
        let (stream, agreed) = match connected {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                debug!(address, %error, "no host at the socket of its link");
                return None;
            }
            Err(_) => return None,
        };
        let instance = agreed.peer;
        let (link, new) = self.find_or_register(instance);
        if new {
            link.host.state.send_replace(LinkState::Connected);
            self.keep(&link, address.to_owned(), instance, beats, Some((stream, agreed)));
        }
        Some(link)
    }

    /// Waits until the launched host of this instance has greeted.
    async fn wait_for(&self, instance: Instance) -> Option<HostLink> {
        let waiting = async {
            loop {
                let adopted = self.shared.adopted.notified();
                if let Some(link) = self.find(instance) {
                    return link;
                }
                adopted.await;
            }
        };
        timeout(JOIN, waiting).await.ok()
    }

    /// Takes the gateway's end of the connection that a launched host was started with. The link lives as
    /// long as what is given back.
    pub(super) async fn adopt(&self, stream: StdUnixStream, beats: Beats) -> Option<HostLink> {
        let stream = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
        let mut stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                warn!(%error, "the descriptor for a launched host cannot be used");
                return None;
            }
        };
        // A V1 host never greets; its end closes with it.
        let agreed = match greet(&mut stream, &self.greeting()).await {
            Ok(agreed) => agreed,
            Err(error) => {
                debug!(%error, "the launched host does not use the host link");
                return None;
            }
        };
        debug!(host = %agreed.peer, "the launched host has greeted");
        let link = self.register(agreed.peer);
        link.host.state.send_replace(LinkState::Connected);
        let host = Arc::downgrade(&link.host);
        link.host.runs(tokio::spawn(async move {
            let reason = run(&host, stream, agreed, beats).await;
            finish(&host, &reason, false);
        }));
        self.shared.adopted.notify_waiters();
        Some(link)
    }
}

impl Host {
    fn new() -> Self {
        Self {
            lanes: Lanes::new(),
            state: watch::channel(LinkState::Connecting).0,
            peer: watch::channel(Peer { connected: true, connections: 1 }).0,
            statistics: watch::Sender::default(),
            tunnels: Mutex::default(),
            proxies: Mutex::default(),
            suspects: Suspects::new(),
            task: Mutex::default(),
        }
    }

    fn proxies(&self) -> MutexGuard<'_, HashMap<(u32, u32), mpsc::Sender<Signal>>> {
        self.proxies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runs(&self, task: JoinHandle<()>) {
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Shows what has happened on the link, but for the frames, of which there are always more.
    fn look(&self) {
        let now = self.lanes.statistics();
        let worth = |statistics: &LinkStatistics| {
            let LinkStatistics { connections, unknown, strays, .. } = *statistics;
            (connections, unknown, strays)
        };
        self.statistics.send_if_modified(|shown| {
            let is_news = worth(shown) != worth(&now);
            *shown = now;
            is_news
        });
    }

    fn tunnels(&self) -> MutexGuard<'_, HashMap<u32, mpsc::Sender<Bytes>>> {
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dispatch(&self, signal: Signal) {
        let signal = match signal {
            Signal::Control { epoch, frame, .. } => {
                let tunnel = self.tunnels().get(&epoch).cloned();
                // Whoever asked and does not read asks again, and who has gone has no answer to get.
                return drop(tunnel.map(|tunnel| tunnel.try_send(frame)));
            }
            other => other,
        };
        if let Signal::Bye { reason } = &signal {
            info!(reason, "the host ends the link");
        }
        let Some(address) = signal.lane() else { return };
        let proxy = self.proxies().get(&address).cloned();
        // A proxy that is behind has older news to look at; the newest state comes again with the next change.
        if let Some(Err(error)) = proxy.map(|proxy| proxy.try_send(signal)) {
            debug!(%error, "a signal of a host was not taken");
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        let LinkStatistics { connections, frames_sent, frames_received, unknown, strays } =
            self.lanes.statistics();
        if connections > 0 {
            info!(connections, frames_sent, frames_received, unknown, strays, "host link statistics");
        }
    }
}

impl HostLink {
    /// Completes when the host has said nothing for too long; never, if it has gone.
    pub(super) async fn hangs(&self) {
        let mut state = self.host.state.subscribe();
        // The sender is among what this holds.
        let _ = state.wait_for(|state| *state == LinkState::Silent).await;
    }

    /// Completes when the host has gone, or hangs.
    pub(super) async fn ended(&self) {
        let mut state = self.host.state.subscribe();
        let over = |state: &LinkState| !matches!(state, LinkState::Connecting | LinkState::Connected);
        // The sender is among what this holds.
        let _ = state.wait_for(over).await;
    }

    /// Whether the host is there, as a control channel tells it.
    pub(super) fn peer(&self) -> watch::Receiver<Peer> {
        self.host.peer.subscribe()
    }

    /// Says something to the host.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        self.host.lanes.signal(signal)
    }

    pub(super) fn add_tunnel(&self, epoch: u32, incoming: mpsc::Sender<Bytes>) {
        self.host.tunnels().insert(epoch, incoming);
    }

    pub(super) fn remove_tunnel(&self, epoch: u32) {
        self.host.tunnels().remove(&epoch);
    }

    /// Puts a module on the link, through shared memory if it may and can. The authority answers when its host asks for segments.
    pub(super) fn open(
        &self,
        (module, epoch): (u32, u32),
        window: Window,
        by_rings: bool,
        segments: impl SegmentAuthority + 'static,
    ) -> Place {
        let (sender, signals) = mpsc::channel(SIGNALS);
        self.host.proxies().insert((module, epoch), sender);
        let lane = match by_rings {
            true => Lane::new(module, epoch, window),
            false => Lane::on_socket(module, epoch, window),
        };
        lane.serve_segments(Arc::new(segments));
        self.host.lanes.add(&lane);
        Place { lane, signals, link: self.clone() }
    }
}

impl Place {
    /// How the link is.
    pub(super) fn state(&self) -> watch::Receiver<LinkState> {
        self.link.host.state.subscribe()
    }

    /// What happened on the link, as it is looked at for all its modules: changed when something did that is worth
    /// knowing.
    pub(super) fn statistics(&self) -> watch::Receiver<LinkStatistics> {
        self.link.host.statistics.subscribe()
    }

    /// The module's turn among those that have messages out at the host.
    pub(super) fn turn(&self) -> Turn {
        self.link.host.suspects.turn()
    }

    /// Says something to the host. False when there is no room for it.
    pub(super) fn signal(&self, signal: Signal) -> bool {
        self.link.host.lanes.signal(signal).is_ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (module, epoch) = (self.lane.module(), self.lane.epoch());
        self.link.host.lanes.remove(module, epoch);
        // Whatever way it came here, what the module held of segments is given back.
        drop(self.lane.close());
        self.link.host.proxies().remove(&(module, epoch));
    }
}

/// Carries one connection to its end.
pub(super) async fn run(host: &Weak<Host>, stream: UnixStream, agreed: Agreed, beats: Beats) -> LinkError {
    let Some(lanes) = host.upgrade().map(|host| host.lanes.clone()) else { return LinkError::Closed };
    let (sender, mut signals) = mpsc::channel(SIGNALS);
    let carrying = carry(stream, &agreed, Side::Gateway, &lanes, &sender, beats);
    let dispatching = async {
        while let Some(signal) = signals.recv().await {
            if let Some(host) = host.upgrade() {
                host.dispatch(signal);
            }
        }
    };
    let looking = async {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while let Some(host) = host.upgrade() {
            host.look();
            drop(host);
            looks.tick().await;
        }
    };
    let reason = tokio::select! {
        reason = carrying => reason,
        () = dispatching => LinkError::Closed,
        () = looking => LinkError::Closed,
    };
    // What the host said last.
    while let Ok(signal) = signals.try_recv() {
        host.upgrade().iter().for_each(|host| host.dispatch(signal.clone()));
    }
    reason
}

pub(super) fn finish(host: &Weak<Host>, reason: &LinkError, elsewhere: bool) {
    let Some(host) = host.upgrade() else { return };
    debug!(%reason, "host link ended");
    host.peer.send_modify(|peer| peer.connected = false);
    host.state.send_replace(match reason {
        LinkError::Silent(_) => LinkState::Silent,
        _ if elsewhere => LinkState::Elsewhere,
        _ => LinkState::Gone,
    });
}
