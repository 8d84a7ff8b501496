//! The host's end of the host link: who may connect, and which session gets which signal.
//!
//! One link for each gateway process carries all modules that it has attached here. A host that a gateway
//! has launched gets its connection as a descriptor; any other listens on a socket in a directory of its
//! own and tells the address with its Replies.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{env, fs};

use sandgate_wire::link::{
    Beats, Features, Greeting, Instance, Lanes, LinkError, LinkStatistics, Offer, Side, Signal, Versions,
    carry, greet,
};
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::flow::Flow;

/// How long a peer that has connected may take to greet.
const GREETING: Duration = Duration::from_secs(2);
/// Signals that wait for a session, and for the dispatcher.
const SIGNALS: usize = 64;
/// Gateway processes that are served at a time. Mostly it is one.
const GATEWAYS_MAX: usize = 16;
/// How often a gateway is told what its modules did, if they did anything.
const STATISTICS: Duration = Duration::from_secs(1);

/// How the directory of a host's socket begins, and the socket in it.
const DIRECTORY: &str = "sandgate-host-";
const SOCKET: &str = "link";

/// The gateway is the one who watches: a host has nothing better to do than to wait for it.
const NO_BEATS: Beats = Beats { every: Duration::MAX, patience: Duration::MAX };

/// The end of a link that sessions register with. Cloning shares it.
#[derive(Clone)]
pub struct LinkServer {
    shared: Arc<Shared>,
}

struct Shared {
    instance: Instance,
    /// Where gateways connect; none where the one gateway is connected already.
    address: Option<String>,
    directory: Option<PathBuf>,
    /// The connection that this process was started with is of no use.
    useless: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the module's number on the link.
    seats: Vec<mpsc::Sender<LinkEvent>>,
    gateways: HashMap<Instance, Gateway>,
    accounts: HashMap<u32, Arc<Account>>,
}

struct Gateway {
    lanes: Lanes,
    connection: AbortHandle,
}

/// What is told of a module, and to whom.
struct Account {
    flow: Arc<Flow>,
    lanes: Lanes,
    epoch: u32,
    /// The sum of the counters that were told last, or [`NEVER`].
    told: AtomicU64,
}

/// Nothing was told yet.
const NEVER: u64 = u64::MAX;

/// A session's place at the link.
pub(crate) struct Seat {
    server: LinkServer,
    pub(crate) module: u32,
    pub(crate) events: mpsc::Receiver<LinkEvent>,
}

/// What a gateway wants of a session.
pub(crate) enum LinkEvent {
    Open { lanes: Lanes, epoch: u32 },
    Start { epoch: u32 },
    Close { epoch: u32 },
    Revive { epoch: u32 },
}

impl LinkServer {
    /// Listens on a socket in a new directory that is for this user alone, below `XDG_RUNTIME_DIR` or the
    /// temporary directory. It is removed with the server.
    ///
    /// # Errors
    /// The directory or the socket cannot be made.
    pub fn listen() -> io::Result<Self> {
        let base = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|base| base.is_dir());
        let instance = Instance::random();
        let base = base.unwrap_or_else(env::temp_dir);
        sweep(&base);
        let directory = base.join(format!("{DIRECTORY}{instance}"));
        fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let path = directory.join(SOCKET);
        let server = Self::new(instance, Some(path.clone()), Some(directory));
        let listener = UnixListener::bind(&path)?;
        tokio::spawn(server.clone().accept(listener));
        tokio::spawn(server.clone().tell_statistics());
        Ok(server)
    }

    /// Serves the one connection that this process was started with. The future ends with the connection,
    /// once a gateway has greeted on it, however late. If that never comes about, because the gateway speaks
    /// other versions or none, the future never ends, no link is offered, and V1's channels serve it.
    pub fn inherit(stream: UnixStream) -> (Self, impl Future<Output = ()>) {
        let server = Self::new(Instance::random(), None, None);
        tokio::spawn(server.clone().tell_statistics());
        let serving = server.clone();
        (server, async move {
            if !serving.serve(stream, Duration::MAX).await {
                serving.shared.useless.store(true, Ordering::Relaxed);
                tracing::warn!("no host link with the gateway that launched this host; V1's channels remain");
                pending::<()>().await;
            }
        })
    }

    fn new(instance: Instance, path: Option<PathBuf>, directory: Option<PathBuf>) -> Self {
        let address = path.map(|path| path.to_string_lossy().into_owned());
        let (useless, state) = (AtomicBool::new(false), Mutex::default());
        Self { shared: Arc::new(Shared { instance, address, directory, useless, state }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below can panic half-way through a change.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a session its number.
    pub(crate) fn register(&self) -> Seat {
        let (sender, events) = mpsc::channel(SIGNALS);
        let mut state = self.lock();
        let module = u32::try_from(state.seats.len()).unwrap_or(u32::MAX);
        state.seats.push(sender);
        Seat { server: self.clone(), module, events }
    }

    async fn accept(self, listener: UnixListener) {
        let own = rustix::process::geteuid().as_raw();
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, mostly: that may pass.
                    tracing::warn!(%error, "cannot accept a gateway on the host link");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            // The directory keeps others out already.
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == own || peer.uid() == 0 => {
                    let server = self.clone();
                    tokio::spawn(async move { server.serve(stream, GREETING).await });
                }
                Ok(peer) => tracing::warn!(uid = peer.uid(), "another user at the host link was refused"),
                Err(error) => {
                    tracing::warn!(%error, "a peer without credentials at the host link was refused");
                }
            }
        }
    }

    /// Greets on a connection and serves it to its end. Says false if nothing came of it.
    async fn serve(&self, mut stream: UnixStream, patience: Duration) -> bool {
        let mine = Greeting::ours(self.shared.instance);
        let agreed = match timeout(patience, greet(&mut stream, &mine)).await {
            Ok(Ok(agreed)) => agreed,
            failed => {
                match failed {
                    // One that only looks whether somebody is here says nothing.
                    Ok(Ok(_) | Err(LinkError::Closed)) => {}
                    Ok(Err(error)) => tracing::warn!(%error, "a peer at the host link was refused"),
                    Err(_) => tracing::warn!("a peer at the host link did not greet in time"),
                }
                // Of an inherited descriptor this process has another copy, which would keep it open.
                let _ = stream.shutdown().await;
                return false;
            }
        };
        let (signals, mut received) = mpsc::channel(SIGNALS);
        let lanes = {
            let mut state = self.lock();
            match state.gateways.get(&agreed.peer) {
                Some(known) => known.lanes.clone(),
                None => {
                    state.gateways.retain(|_, gateway| gateway.is_of_use());
                    if state.gateways.len() >= GATEWAYS_MAX {
                        tracing::warn!("too many gateways at the host link; one was refused");
                        return false;
                    }
                    Lanes::new()
                }
            }
        };
        let carrying = {
            let lanes = lanes.clone();
            tokio::spawn(async move { carry(stream, &agreed, Side::Host, &lanes, &signals, NO_BEATS).await })
        };
        let gateway = Gateway { lanes: lanes.clone(), connection: carrying.abort_handle() };
        let before = self.lock().gateways.insert(agreed.peer, gateway);
        if let Some(before) = before {
            // The same gateway has come anew, so its old connection is dead, whether it looks so or not.
            before.connection.abort();
        }
        tracing::debug!(gateway = %agreed.peer, version = agreed.version, "host link connected");
        while let Some(signal) = received.recv().await {
            self.dispatch(&lanes, signal);
        }
        match carrying.await {
            Ok(reason) => tracing::debug!(gateway = %agreed.peer, %reason, "host link disconnected"),
            Err(_) => tracing::debug!(gateway = %agreed.peer, "host link replaced"),
        }
        true
    }

    fn dispatch(&self, lanes: &Lanes, signal: Signal) {
        let (module, epoch, event) = match signal {
            Signal::Open { module, epoch, .. } => {
                (module, epoch, LinkEvent::Open { lanes: lanes.clone(), epoch })
            }
            Signal::Start { module, epoch } => (module, epoch, LinkEvent::Start { epoch }),
            Signal::Close { module, epoch } => (module, epoch, LinkEvent::Close { epoch }),
            Signal::Revive { module, epoch } => (module, epoch, LinkEvent::Revive { epoch }),
            Signal::Bye { reason } => return tracing::debug!(reason, "the gateway ends the host link"),
            // Only hosts say the others.
            _ => return,
        };
        let seat = self.lock().seats.get(module as usize).cloned();
        // A session that does not keep up is busy ending an instance: the gateway asks again.
        let heard = seat.is_some_and(|seat| seat.try_send(event).is_ok());
        if !heard {
            refuse(lanes, module, epoch, "there is no such module, or it is busy");
        }
    }

    /// Tells gateways what their modules did, while they do something.
    async fn tell_statistics(self) {
        let mut ticks = interval(STATISTICS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.tell_accounts();
        }
    }

    fn tell_accounts(&self) {
        let accounts: Vec<_> =
            self.lock().accounts.iter().map(|(module, account)| (*module, account.clone())).collect();
        // Telling wakes the connection's writer, which is not to be done under the lock.
        accounts.iter().for_each(|(module, account)| account.tell(*module));
    }
}

impl Gateway {
    /// It is connected, or may come back for its lanes.
    fn is_of_use(&self) -> bool {
        !self.connection.is_finished() || !self.lanes.is_empty()
    }
}

impl Account {
    fn tell(&self, module: u32) {
        let LinkStatistics { unknown, strays, .. } = self.lanes.statistics();
        let sum = self.flow.sum().wrapping_add(unknown).wrapping_add(strays);
        if sum == self.told.load(Ordering::Relaxed) {
            return;
        }
        // Those of the link are all modules'.
        let counts = self.flow.counts().chain([("link_unknown", unknown), ("link_strays", strays)]);
        let json = serde_json::Value::from_iter(counts).to_string();
        let signal = Signal::Statistics { module, epoch: self.epoch, json };
        // Said with the next tick, when there was no room.
        if self.lanes.signal(signal).is_ok() {
            self.told.store(sum, Ordering::Relaxed);
        }
    }
}

impl Seat {
    /// What a Reply says of the link, if there is one.
    pub(crate) fn offer(&self) -> Option<Offer> {
        let Shared { instance, address, useless, .. } = &*self.server.shared;
        let offer = Offer {
            versions: Versions::OURS,
            features: Features::OURS,
            host: *instance,
            module: self.module,
            address: address.clone(),
        };
        (!useless.load(Ordering::Relaxed)).then_some(offer)
    }

    /// Has the gateway told what the module does.
    pub(crate) fn open_account(&self, flow: Arc<Flow>, lanes: Lanes, epoch: u32) {
        let account = Account { flow, lanes, epoch, told: AtomicU64::new(NEVER) };
        self.server.lock().accounts.insert(self.module, Arc::new(account));
    }

    /// Tells a last time.
    pub(crate) fn close_account(&self) {
        let account = self.server.lock().accounts.remove(&self.module);
        if let Some(account) = account {
            account.tell(self.module);
        }
    }
}

/// Says that a lane is not to be had.
pub(crate) fn refuse(lanes: &Lanes, module: u32, epoch: u32, reason: &str) {
    // A gateway that does not read learns it by waiting in vain.
    let _ = lanes.signal(Signal::Refused { module, epoch, reason: reason.to_owned() });
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            remove(directory);
        }
    }
}

fn remove(directory: &Path) {
    // What cannot be removed is an empty directory that nobody else can use.
    let _ = fs::remove_file(directory.join(SOCKET));
    let _ = fs::remove_dir(directory);
}

/// Removes what hosts have left behind that were killed: sockets that nobody listens on.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let named = entry.file_name().to_str().is_some_and(|name| name.starts_with(DIRECTORY));
        let dead = |path: &Path| {
            let tried = std::os::unix::net::UnixStream::connect(path.join(SOCKET));
            tried.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        };
        if named && dead(&entry.path()) {
            remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Wake, Waker};

    use tokio::io::AsyncReadExt;
    use tokio::task::{JoinHandle, yield_now};

    use super::*;

    const OTHERS: Versions = Versions { oldest: 2, newest: 3 };

    /// A host that was started with a link, and the gateway's end of it.
    fn born() -> (LinkServer, JoinHandle<()>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (server, serving) = LinkServer::inherit(ours);
        (server, tokio::spawn(serving), theirs)
    }

    async fn turns() {
        for _ in 0..100 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_launched_host_goes_on_without_a_link_that_its_gateway_does_not_use() {
        // A gateway of other versions; one that closes the link; one that says something else.
        for case in 0..3 {
            let (server, serving, mut gateway) = born();
            let seat = server.register();
            assert!(seat.offer().is_some());
            match case {
                0 => {
                    let hello = Greeting { versions: OTHERS, ..Greeting::ours(Instance([1; 16])) };
                    greet(&mut gateway, &hello).await.unwrap_err();
                }
                1 => {}
                _ => drop(gateway.write_all(&[7; 100]).await),
            }
            drop(gateway);
            while seat.offer().is_some() {
                yield_now().await;
            }
            turns().await;
            assert!(!serving.is_finished(), "case {case}: the host would end");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_launched_host_waits_for_a_greeting_that_is_late_and_ends_with_its_link() {
        let (server, serving, mut gateway) = born();
        let seat = server.register();
        sleep(Duration::from_secs(3600)).await;
        greet(&mut gateway, &Greeting::ours(Instance([1; 16]))).await.unwrap();
        assert!(seat.offer().is_some());
        drop(gateway);
        serving.await.unwrap();
    }

    /// Looks, when it is called, whether the server is locked.
    struct Looking {
        server: LinkServer,
        woken: AtomicUsize,
        locked: AtomicUsize,
    }

    impl Wake for Looking {
        fn wake(self: Arc<Self>) {
            self.woken.fetch_add(1, Ordering::Relaxed);
            let locked = self.server.shared.state.try_lock().is_err();
            self.locked.fetch_add(usize::from(locked), Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn statistics_wake_nobody_under_the_lock() {
        let server = LinkServer::new(Instance::random(), None, None);
        let (lanes, (ours, mut theirs)) = (Lanes::new(), UnixStream::pair().unwrap());
        let agreed =
            sandgate_wire::link::Agreed { version: 1, features: Features::OURS, peer: Instance([1; 16]) };
        let (signals, _received) = mpsc::channel(1);
        let mut carrying = Box::pin(carry(ours, &agreed, Side::Host, &lanes, &signals, NO_BEATS));
        let looking = Arc::new(Looking { server: server.clone(), woken: 0.into(), locked: 0.into() });
        let waker = Waker::from(looking.clone());
        let seat = server.register();
        seat.open_account(Arc::default(), lanes.clone(), 1);
        let mut poll = || carrying.as_mut().poll(&mut Context::from_waker(&waker)).is_pending();
        // The writer waits for something to do.
        assert!(poll());
        server.tell_accounts();
        assert!(looking.woken.load(Ordering::Relaxed) > 0);
        assert_eq!(looking.locked.load(Ordering::Relaxed), 0);
        assert!(poll());
        assert!(theirs.read_u8().await.is_ok());
    }
}
