//! The host's end of the host link: who may connect, and which session gets which signal.
//!
//! One link for each gateway process carries all modules that it has attached here. A host that a gateway
//! has launched gets its connection as a descriptor; any other listens on a socket in a directory of its
//! own and tells the address with its Replies.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sandgate_wire::link::{
    Beats, Features, Greeting, Instance, Lanes, LinkError, Offer, RingWatch, Side, Signal, Versions, carry,
    greet,
};
use sandgate_wire::{Channel, Control, Reply, Status};
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::directory::{Directory, listen_at};
use super::seat::{Account, LinkEvent, Seat, refuse};
use super::tunnel::{Origin, Tunnel, Tunnels};
use crate::burst::Burst;
use crate::farewell::{FAREWELL, LOOK};

/// How long a peer that has connected may take to greet.
const GREETING: Duration = Duration::from_secs(2);
/// Signals that wait for a session, and for the dispatcher.
const SIGNALS: usize = 64;
/// Gateway processes that are served at a time. Mostly it is one.
const GATEWAYS_MAX: usize = 16;
/// How often a gateway is told what its modules did, if they did anything.
const STATISTICS: Duration = Duration::from_secs(1);
/// How often it is looked at the longest whether they did.
const STATISTICS_AT_REST: Duration = Duration::from_secs(4);

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
    directory: Option<Directory>,
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
    tunnels: Tunnels,
    unknown: Burst,
    /// Who looks after the rings of gateways that connect from now on, if that is not the runtime.
    watch: Option<Arc<dyn RingWatch>>,
}

struct Gateway {
    lanes: Lanes,
    connection: AbortHandle,
}

impl LinkServer {
    /// Listens on a socket in a new directory that is for this user alone, below `XDG_RUNTIME_DIR` or the
    /// temporary directory. It is removed with the server. Called in a runtime, which serves it from then on.
    ///
    /// # Errors
    /// The directory or the socket cannot be made.
    pub fn listen() -> io::Result<Self> {
        let instance = Instance::random();
        let (listener, directory) = Directory::listen(&instance)?;
        let server = Self::new(instance, Some(directory));
        tokio::spawn(server.clone().accept(listener));
        tokio::spawn(server.clone().tell_statistics());
        Ok(server)
    }

    /// Listens at this path too, where gateways look for modules without control channels of their own
    /// ([`LinkServer::control`]). The socket is for this user alone. One that nobody listens at any more is replaced.
    /// Called in a runtime.
    ///
    /// # Errors
    /// There is a file of that name, or somebody listens there, or the socket cannot be made.
    pub fn listen_at(&self, path: &Path) -> io::Result<()> {
        let (listener, socket) = listen_at(path)?;
        let server = self.clone();
        tokio::spawn(async move {
            let _removed_with_the_runtime = socket;
            server.accept(listener).await;
        });
        Ok(())
    }

    /// Has threads of the process's own look after the rings of gateways that connect from now on.
    pub fn watched_by(&self, watch: Arc<dyn RingWatch>) {
        self.lock().watch = Some(watch);
    }

    /// The control channel of a module that gateways ask for by its name, on this link. A newer one takes its place.
    #[must_use]
    pub fn control(&self, name: &str) -> Arc<dyn Channel> {
        Arc::new(self.lock().tunnels.open(name.to_owned()))
    }

    /// Serves the one connection that this process was started with. The future ends with the connection,
    /// once a gateway has greeted on it, however late. If that never comes about, because the gateway speaks
    /// other versions or none, the future never ends, no link is offered, and V1's channels serve it.
    /// Called in a runtime.
    pub fn inherit(stream: UnixStream) -> (Self, impl Future<Output = ()>) {
        let server = Self::new(Instance::random(), None);
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

    fn new(instance: Instance, directory: Option<Directory>) -> Self {
        let (useless, state) = (AtomicBool::new(false), Mutex::default());
        Self { shared: Arc::new(Shared { instance, directory, useless, state }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below can panic half-way through a change.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a session its number.
    #[must_use]
    pub fn register(&self) -> Seat {
        let (sender, events) = mpsc::channel(SIGNALS);
        let mut state = self.lock();
        // One that was given back is as good as a new one: epochs tell the modules apart.
        let free = state.seats.iter().position(mpsc::Sender::is_closed).unwrap_or(state.seats.len());
        match state.seats.get_mut(free) {
            Some(seat) => *seat = sender,
            None => state.seats.push(sender),
        }
        let module = u32::try_from(free).unwrap_or(u32::MAX);
        Seat::new(self.clone(), module, events)
    }

    /// Takes leave of the gateways that are connected: what can be sent still leaves, for a bounded time.
    pub async fn finish(&self) {
        let gateways: Vec<_> = {
            let state = self.lock();
            let connected = state.gateways.values().filter(|gateway| !gateway.connection.is_finished());
            connected.map(|gateway| (gateway.lanes.clone(), gateway.connection.clone())).collect()
        };
        for (lanes, _) in &gateways {
            // A gateway for which too much waits sees the connection end.
            let _ = lanes.signal(Signal::Bye { reason: "the program ends".into() });
        }
        let gone = async {
            while gateways.iter().any(|(_, connection)| !connection.is_finished()) {
                sleep(LOOK).await;
            }
        };
        let _ = timeout(FAREWELL, gone).await;
    }

    /// What a Reply says of the link to one who asks for this module; nothing, if it is of no use.
    pub(super) fn offer(&self, module: u32) -> Option<Offer> {
        let Shared { instance, directory, useless, .. } = &*self.shared;
        let offer = Offer {
            versions: Versions::OURS,
            features: Features::OURS,
            host: *instance,
            module,
            address: directory.as_ref().map(Directory::address),
        };
        (!useless.load(Ordering::Relaxed)).then_some(offer)
    }

    pub(super) fn open_account(&self, module: u32, account: Account) {
        self.lock().accounts.insert(module, Arc::new(account));
    }

    pub(super) fn close_account(&self, module: u32) -> Option<Arc<Account>> {
        self.lock().accounts.remove(&module)
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
        let mine = Greeting::ours(self.shared.instance).with(Features::RINGS);
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
                    state.watch.clone().map_or_else(Lanes::new, Lanes::watched_by)
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
        let peer = agreed.peer;
        tracing::debug!(gateway = %peer, version = agreed.version, "host link connected");
        while let Some(signal) = received.recv().await {
            self.dispatch(peer, &lanes, signal);
        }
        match carrying.await {
            Ok(reason) => tracing::debug!(gateway = %agreed.peer, %reason, "host link disconnected"),
            Err(_) => tracing::debug!(gateway = %agreed.peer, "host link replaced"),
        }
        true
    }

    fn dispatch(&self, peer: Instance, lanes: &Lanes, signal: Signal) {
        let (module, epoch, event) = match signal {
            Signal::Open { module, epoch, .. } => {
                (module, epoch, LinkEvent::Open { lanes: lanes.clone(), epoch })
            }
            Signal::Start { module, epoch } => (module, epoch, LinkEvent::Start { epoch }),
            Signal::Close { module, epoch } => (module, epoch, LinkEvent::Close { epoch }),
            Signal::Revive { module, epoch } => (module, epoch, LinkEvent::Revive { epoch }),
            Signal::Control { epoch, name, frame } => {
                let origin = Origin { gateway: peer, lanes: lanes.clone(), epoch };
                return self.on_control(&name, origin, frame);
            }
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

    /// Passes a control message on to the module that it is for. While another gateway has that it is dropped, as V1's
    /// channels have it: whose it is repeats itself.
    fn on_control(&self, name: &str, origin: Origin, frame: Bytes) {
        let (tunnel, is_taken) = {
            let state = self.lock();
            let tunnel = state.tunnels.find(name);
            let owner = tunnel.as_ref().and_then(Tunnel::owner).filter(|owner| *owner != origin.gateway);
            let owner = owner.and_then(|owner| state.gateways.get(&owner));
            (tunnel, owner.is_some_and(|owner| !owner.connection.is_finished()))
        };
        match tunnel {
            Some(_) if is_taken => tracing::debug!(module = name, "another gateway has it"),
            Some(tunnel) => tunnel.hear(origin, frame),
            None => {
                if let Some(count) = self.lock().unknown.note() {
                    let module = name.escape_debug().to_string();
                    tracing::warn!(module, count, "a gateway asks for a module that is not here");
                }
                let reply = Control::Reply(Reply { status: Status::CREATION_ERROR, extension: Bytes::new() });
                if let Ok(frame) = reply.encode() {
                    let answer = Signal::Control { epoch: origin.epoch, name: name.to_owned(), frame };
                    // A gateway that does not read asks again.
                    let _ = origin.lanes.signal(answer);
                }
            }
        }
    }

    /// Tells gateways what their modules did, while they do something. While they do not it is looked less often.
    async fn tell_statistics(self) {
        let mut wait = STATISTICS;
        loop {
            sleep(wait).await;
            wait = if self.tell_accounts() { STATISTICS } else { (2 * wait).min(STATISTICS_AT_REST) };
        }
    }

    /// Says whether there was anything to tell.
    fn tell_accounts(&self) -> bool {
        let accounts: Vec<_> =
            self.lock().accounts.iter().map(|(module, account)| (*module, account.clone())).collect();
        // Telling wakes the connection's writer, which is not to be done under the lock.
        let told = accounts.iter().filter(|(module, account)| account.tell(*module));
        told.count() > 0
    }
}

impl Gateway {
    /// It is connected, or may come back for its lanes.
    fn is_of_use(&self) -> bool {
        !self.connection.is_finished() || !self.lanes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Wake, Waker};

    use tokio::io::AsyncReadExt;
    use tokio::task::{JoinHandle, yield_now};

    use super::*;
    use crate::Figures;

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

    /// A module that has done nothing.
    struct Idle;

    impl Figures for Idle {
        fn figures(&self) -> Vec<(&'static str, u64)> {
            vec![("received", 0)]
        }
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
        let server = LinkServer::new(Instance::random(), None);
        let (lanes, (ours, mut theirs)) = (Lanes::new(), UnixStream::pair().unwrap());
        let agreed =
            sandgate_wire::link::Agreed { version: 1, features: Features::OURS, peer: Instance([1; 16]) };
        let (signals, _received) = mpsc::channel(1);
        let mut carrying = Box::pin(carry(ours, &agreed, Side::Host, &lanes, &signals, NO_BEATS));
        let looking = Arc::new(Looking { server: server.clone(), woken: 0.into(), locked: 0.into() });
        let waker = Waker::from(looking.clone());
        let seat = server.register();
        seat.open_account(Arc::new(Idle), lanes.clone(), 1);
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
