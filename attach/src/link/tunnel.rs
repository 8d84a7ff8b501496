//! A module's control channel inside the link: V1's control messages for a module that has no sockets of its own.

use std::collections::{HashMap, VecDeque};
use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use sandgate_wire::channel::{Closed, Peer, SendError, Statistics};
use sandgate_wire::link::{Instance, Lanes, Signal};
use sandgate_wire::{Channel, Control};
use tokio::sync::watch;

/// Control messages of a gateway that wait for the session, which takes them at once if there is one.
const WAITING: usize = 4;

/// The control channels of a host's modules, by the modules' names.
#[derive(Default)]
pub(super) struct Tunnels(HashMap<String, Weak<Shared>>);

/// A module's end. Dropping it closes it.
pub(super) struct Tunnel(Arc<Shared>);

struct Shared {
    name: String,
    state: Mutex<State>,
    /// Always there: whether a gateway is connected is the link's affair.
    peer: watch::Sender<Peer>,
}

#[derive(Default)]
struct State {
    incoming: VecDeque<Bytes>,
    consumer: Option<Waker>,
    /// Where the newest message came from, and answers go.
    gateway: Option<Origin>,
    /// Which gateway has the module: as on V1's channels until it goes, or lets go of it.
    owner: Option<Instance>,
    closed: bool,
    counts: Statistics,
}

/// An attach of a gateway.
pub(super) struct Origin {
    pub(super) gateway: Instance,
    pub(super) lanes: Lanes,
    pub(super) epoch: u32,
}

impl Tunnels {
    /// The control channel of this module from now on. It goes on with what an older one has not handed over.
    pub(super) fn open(&mut self, name: String) -> Tunnel {
        if self.0.len() == self.0.capacity() {
            self.0.retain(|_, tunnel| tunnel.strong_count() > 0);
        }
        let state = self.find(&name).map(|older| older.hand_over()).unwrap_or_default();
        let peer = watch::Sender::new(Peer { connected: true, connections: 1 });
        let shared = Arc::new(Shared { name: name.clone(), state: Mutex::new(state), peer });
        self.0.insert(name, Arc::downgrade(&shared));
        Tunnel(shared)
    }

    /// That of a module, if there is such a module.
    pub(super) fn find(&self, name: &str) -> Option<Tunnel> {
        self.0.get(name)?.upgrade().map(Tunnel)
    }
}

impl Tunnel {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave the state half-changed.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has come and was not received, and from whom. Nothing comes any more.
    fn hand_over(&self) -> State {
        let mut state = self.state();
        let incoming = std::mem::take(&mut state.incoming);
        State { incoming, gateway: state.gateway.take(), owner: state.owner, ..State::default() }
    }

    /// The gateway that has the module, if one does.
    pub(super) fn owner(&self) -> Option<Instance> {
        self.state().owner
    }

    /// Takes a message of a gateway. What the session does not keep up with is dropped: a gateway repeats itself.
    pub(super) fn hear(&self, from: Origin, frame: Bytes) {
        let mut state = self.state();
        if state.incoming.back() == Some(&frame) {
            // Said again, because nobody has answered yet.
            return;
        }
        if state.closed || state.incoming.len() >= WAITING {
            state.counts.dropped += 1;
            return;
        }
        state.counts.received += 1;
        let lets_go = matches!(Control::decode(&frame), Ok(Control::Destroy));
        state.owner = (!lets_go).then_some(from.gateway);
        state.gateway = Some(from);
        state.incoming.push_back(frame);
        let consumer = state.consumer.take();
        drop(state);
        consumer.into_iter().for_each(Waker::wake);
    }
}

impl Channel for Tunnel {
    fn try_send(&self, frame: Bytes) -> Result<(), SendError> {
        let mut state = self.state();
        if state.closed {
            return Err(SendError::Closed);
        }
        // Nobody has asked.
        let Some(Origin { lanes, epoch, .. }) = &state.gateway else { return Ok(()) };
        let (lanes, epoch) = (lanes.clone(), *epoch);
        state.counts.sent += 1;
        drop(state);
        // Behind the lock, for it wakes the connection's writer.
        let said = lanes.signal(Signal::Control { epoch, name: self.0.name.clone(), frame: frame.clone() });
        said.map_err(|_| SendError::Full(frame))
    }

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(if self.state().closed { Err(Closed) } else { Ok(()) })
    }

    fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Result<Bytes, Closed>> {
        let mut state = self.state();
        if let Some(frame) = state.incoming.pop_front() {
            return Poll::Ready(Ok(frame));
        }
        if state.closed {
            return Poll::Ready(Err(Closed));
        }
        state.consumer = Some(context.waker().clone());
        Poll::Pending
    }

    fn peer(&self) -> watch::Receiver<Peer> {
        self.0.peer.subscribe()
    }

    fn statistics(&self) -> Statistics {
        self.state().counts
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut state = self.state();
        state.closed = true;
        let consumer = state.consumer.take();
        drop(state);
        consumer.into_iter().for_each(Waker::wake);
        Box::pin(ready(()))
    }
}

#[cfg(test)]
mod tests {
    use sandgate_wire::Create;

    use super::*;

    fn origin(gateway: u8) -> Origin {
        Origin { gateway: Instance([gateway; 16]), lanes: Lanes::new(), epoch: 1 }
    }

    fn create(arguments: &str) -> Bytes {
        Control::Create(Create { uri: "u".into(), arguments: arguments.into() }).encode().unwrap()
    }

    fn next(tunnel: &Tunnel) -> Option<Bytes> {
        match tunnel.poll_recv(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(frame) => frame.ok(),
            Poll::Pending => None,
        }
    }

    #[test]
    fn what_was_not_received_goes_to_the_channel_that_takes_its_place() {
        let mut tunnels = Tunnels::default();
        let expected = tunnels.open("a".into());
        for _ in 0..2 {
            tunnels.find("a").unwrap().hear(origin(1), create("1"));
        }
        let session = tunnels.open("a".into());
        drop(expected);
        assert_eq!(next(&session), Some(create("1")));
        assert_eq!((next(&session), session.owner()), (None, Some(Instance([1; 16]))));
        session.hear(origin(1), Control::Destroy.encode().unwrap());
        assert_eq!(session.owner(), None);
        drop(session);
        assert!(tunnels.find("a").is_none());
    }

    #[test]
    fn a_gateway_that_says_too_much_is_not_kept_and_a_closed_channel_hears_nothing() {
        let tunnel = Tunnels::default().open("a".into());
        for number in 0..2 * WAITING {
            tunnel.hear(origin(1), create(&number.to_string()));
        }
        assert_eq!(tunnel.statistics().dropped, WAITING as u64);
        assert_eq!(std::iter::from_fn(|| next(&tunnel)).count(), WAITING);
        drop(tunnel.close());
        tunnel.hear(origin(1), create("1"));
        assert_eq!(next(&tunnel), None);
        assert_eq!(tunnel.try_send(create("1")), Err(SendError::Closed));
    }

    #[test]
    fn names_of_modules_that_have_gone_do_not_pile_up() {
        let mut tunnels = Tunnels::default();
        for number in 0..10_000 {
            drop(tunnels.open(number.to_string()));
        }
        assert!(tunnels.0.len() < 100, "{}", tunnels.0.len());
    }
}
