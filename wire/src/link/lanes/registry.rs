//! What a [`Lanes`](super::Lanes) knows, under its lock, and what a connection asks of it.

mod chosen;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::task::Waker;

use super::{Connection, Shared};
use crate::link::connection::{Batch, Side};
use crate::link::lane::Resumed;
use crate::link::rings::Rings;
use crate::link::{Agreed, Features, Instance, Lane, LinkError, Signal, Violation, Window};
use chosen::Chosen;

/// Modules that one connection may name.
const MODULES_MAX: usize = 1 << 16;

/// A module's number and an epoch.
pub(in crate::link) type Key = (u32, u32);

#[derive(Default)]
pub(super) struct Registry {
    pub(super) lanes: BTreeMap<Key, Lane>,
    pub(super) signals: VecDeque<Signal>,
    /// The connection's writer, when it waits for something to do.
    pub(super) writer: Option<Waker>,
    /// The newest connection, while it lasts.
    current: Option<Current>,
    /// How many there were so far.
    pub(super) connections: u64,
    /// Who was at the other end last.
    peer: Option<Instance>,
    /// For each module the lane that was asked for last on this connection.
    asked: HashMap<u32, Asked>,
    /// Lanes that are to be opened by a gateway, or answered by a host. Each is among `lanes`, so that no
    /// peer can make this grow while it does not read.
    due: BTreeSet<Key>,
    /// Lanes that have something to send, each once, for the same reason.
    ready: VecDeque<Lane>,
    /// The rings of lanes that are being opened on this connection.
    chosen: HashMap<u32, Chosen>,
    /// What the peer of this connection has done past the socket.
    broken: Option<Violation>,
}

#[derive(Clone)]
struct Current {
    number: u64,
    side: Side,
    features: Features,
    rings: Option<Arc<Rings>>,
}

struct Asked {
    epoch: u32,
    /// It waits for the host's answer.
    waits: bool,
    /// What the gateway has said with it.
    received: u64,
    window: Window,
}

/// What comes of an Open at a host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::link) enum Answer {
    /// The lane is there; the writer answers.
    Here,
    /// Somebody else has to decide.
    Elsewhere,
    /// A newer lane of the module was asked for already.
    Outdated,
}

impl Registry {
    pub(super) fn add(&mut self, lane: &Lane) -> Option<Lane> {
        let key = (lane.module(), lane.epoch());
        let replaced = self.lanes.insert(key, lane.clone());
        if let Some(replaced) = &replaced {
            replaced.detach();
        }
        let is_due = self.current.as_ref().is_some_and(|current| match current.side {
            Side::Gateway => true,
            Side::Host => self.waits(key),
        });
        if is_due {
            self.due.insert(key);
        }
        replaced
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Lane> {
        let lane = self.lanes.remove(&key)?;
        lane.detach();
        drop(self.take_chosen(key));
        self.due.remove(&key);
        self.ready.retain(|ready| (ready.module(), ready.epoch()) != key);
        Some(lane)
    }

    /// A lane has something to send. Gives the writer that is to be woken.
    pub(super) fn announce(&mut self, connection: u64, lane: Lane) -> Option<Waker> {
        if !self.is_current(connection) {
            return None;
        }
        self.ready.push_back(lane);
        self.writer.take()
    }

    /// The connection's writer, which is to be woken.
    pub(super) fn take_writer(&mut self, connection: u64) -> Option<Waker> {
        if self.is_current(connection) { self.writer.take() } else { None }
    }

    /// The peer breaks the rules. Gives the writer that is to be woken, which ends the connection.
    pub(super) fn break_off(&mut self, connection: u64, violation: Violation) -> Option<Waker> {
        if !self.is_current(connection) {
            return None;
        }
        self.broken = Some(violation);
        self.writer.take()
    }

    fn is_current(&self, connection: u64) -> bool {
        self.current.as_ref().is_some_and(|current| current.number == connection)
    }

    fn waits(&self, (module, epoch): Key) -> bool {
        self.asked.get(&module).is_some_and(|asked| asked.waits && asked.epoch == epoch)
    }

    /// No connection carries any lane now. Gives the lanes, to be shown when no lock is held.
    fn detach_all(&mut self) -> Vec<Lane> {
        self.asked.clear();
        self.due.clear();
        self.ready.clear();
        self.chosen.clear();
        self.broken = None;
        self.writer = None;
        self.lanes.values().inspect(|lane| lane.detach()).cloned().collect()
    }

    /// Refuses what was never asked for on this connection.
    fn check(&self, (module, epoch): Key) -> Result<(), Violation> {
        match self.asked.get(&module) {
            Some(asked) if asked.epoch >= epoch => Ok(()),
            _ => Err(Violation::UnknownLane { module, epoch }),
        }
    }

    fn ask(&mut self, (module, epoch): Key, received: u64, window: Window) {
        self.asked.insert(module, Asked { epoch, waits: true, received, window });
    }

    fn answered(&mut self, (module, epoch): Key) {
        if let Some(asked) = self.asked.get_mut(&module)
            && asked.epoch == epoch
        {
            asked.waits = false;
        }
    }
}

/// What a connection begins with.
pub(in crate::link) struct Begun {
    pub(in crate::link) number: u64,
    /// Host only: lanes of another gateway, which are over.
    pub(in crate::link) over: Vec<Key>,
}

impl Shared {
    /// A connection begins, and takes the lanes from the one before.
    pub(in crate::link) fn begin(&self, side: Side, agreed: &Agreed) -> Result<Begun, LinkError> {
        let Agreed { peer, features, .. } = *agreed;
        let mut registry = self.lock();
        let other = registry.peer.filter(|known| *known != peer);
        if let Some(known) = other
            && side == Side::Gateway
            && !registry.lanes.is_empty()
        {
            return Err(LinkError::OtherHost { known, found: peer });
        }
        let changed = registry.detach_all();
        let mut over = Vec::new();
        if other.is_some() {
            over = mem::take(&mut registry.lanes).into_keys().collect();
            registry.signals.clear();
        }
        registry.connections += 1;
        let number = registry.connections;
        registry.current = Some(Current { number, side, features, rings: None });
        registry.peer = Some(peer);
        if side == Side::Gateway {
            registry.due = registry.lanes.keys().copied().collect();
        }
        drop(registry);
        // Wakes the connection before this one, which ends. Of two that begin at once the newer one stays.
        self.newest.send_if_modified(|newest| {
            let is_newer = number > *newest;
            *newest = number.max(*newest);
            is_newer
        });
        changed.iter().for_each(Lane::show_connected);
        Ok(Begun { number, over })
    }

    /// A connection has ended.
    pub(in crate::link) fn end(&self, connection: u64) {
        let mut registry = self.lock();
        if !registry.is_current(connection) {
            return;
        }
        registry.current = None;
        let changed = registry.detach_all();
        drop(registry);
        changed.iter().for_each(Lane::show_connected);
    }

    /// Returns when a newer connection has begun.
    pub(in crate::link) async fn replaced(&self, connection: u64) {
        // The sender lives as long as this.
        let _ = self.newest.subscribe().wait_for(|newest| *newest > connection).await;
    }

    /// Puts the opening of lanes and the signals that wait into the batch, and adds the lanes that have
    /// something to send to `turn`. A Bye is put into `bye`.
    pub(in crate::link) fn collect(
        self: &Arc<Self>,
        connection: u64,
        batch: &mut Batch,
        turn: &mut VecDeque<Lane>,
        bye: &mut Option<Signal>,
    ) -> Result<(), Violation> {
        let mut registry = self.lock();
        let Some(current) = registry.current.clone().filter(|current| current.number == connection) else {
            return Ok(());
        };
        if let Some(violation) = registry.broken.take() {
            return Err(violation);
        }
        let mut resumed = Vec::new();
        let mut opened = Ok(());
        while let Some(key) = registry.due.pop_first() {
            let Some(lane) = registry.lanes.get(&key).filter(|lane| !lane.is_closed()).cloned() else {
                continue;
            };
            let (module, epoch) = key;
            let window = lane.window();
            if current.side == Side::Gateway {
                if registry.asked.get(&module).is_some_and(|asked| asked.epoch > epoch) {
                    continue;
                }
                let received = lane.received();
                registry.ask(key, received, window);
                if lane.is_for_rings()
                    && let Some(slot) = registry.choose(key)
                {
                    batch.slot(module, epoch, slot);
                }
                batch.signal(&Signal::Open { module, epoch, window, received });
            } else if let Some((received, window_of_peer)) = registry.take_asked(key) {
                match registry.resume(self.connection(&current), lane, received, window_of_peer) {
                    Ok(None) => {}
                    Ok(Some((lane, how))) => {
                        batch.signal(&Signal::Opened { module, epoch, window, received: how.received });
                        resumed.push((lane, how));
                    }
                    Err(violation) => {
                        opened = Err(violation);
                        break;
                    }
                }
            }
        }
        while !batch.is_full()
            && let Some(signal) = registry.signals.pop_front()
        {
            if let Signal::Refused { module, epoch, .. } = signal {
                registry.answered((module, epoch));
                drop(registry.take_chosen((module, epoch)));
            }
            match signal {
                Signal::Bye { .. } => *bye = Some(signal),
                signal => batch.signal(&signal),
            }
        }
        turn.append(&mut registry.ready);
        drop(registry);
        resumed.into_iter().for_each(finish);
        opened
    }

    /// The writer waits for something to do. Says false when there is something already.
    pub(in crate::link) fn rest(&self, connection: u64, waker: &Waker) -> bool {
        let mut registry = self.lock();
        if !registry.is_current(connection) {
            return true;
        }
        let is_idle = registry.due.is_empty() && registry.signals.is_empty() && registry.ready.is_empty();
        if !is_idle || registry.broken.is_some() {
            return false;
        }
        registry.writer = Some(waker.clone());
        true
    }

    /// At a host: the gateway asks for a lane.
    pub(in crate::link) fn on_open(
        &self,
        connection: u64,
        key: Key,
        received: u64,
        window: Window,
    ) -> Result<Answer, Violation> {
        let mut registry = self.lock();
        let is_new = match registry.asked.get(&key.0) {
            _ if !registry.is_current(connection) => return Ok(Answer::Outdated),
            Some(asked) if asked.epoch > key.1 => return Ok(Answer::Outdated),
            asked => asked.is_none(),
        };
        if is_new && registry.asked.len() >= MODULES_MAX {
            return Err(Violation::TooManyModules(MODULES_MAX));
        }
        registry.ask(key, received, window);
        if registry.lanes.get(&key).is_none_or(Lane::is_closed) {
            return Ok(Answer::Elsewhere);
        }
        registry.due.insert(key);
        let writer = registry.writer.take();
        drop(registry);
        if let Some(writer) = writer {
            writer.wake();
        }
        Ok(Answer::Here)
    }

    /// At a host: the gateway closes a lane, so nobody waits for an answer.
    pub(in crate::link) fn on_close(&self, connection: u64, key: Key) {
        let mut registry = self.lock();
        if registry.is_current(connection) {
            registry.answered(key);
            drop(registry.take_chosen(key));
        }
    }

    /// At a gateway: the host has opened a lane. Says whether it is still there.
    pub(in crate::link) fn on_opened(
        self: &Arc<Self>,
        connection: u64,
        key: Key,
        received: u64,
        window: Window,
    ) -> Result<bool, Violation> {
        let mut registry = self.lock();
        let Some(current) = registry.current.clone().filter(|current| current.number == connection) else {
            return Ok(false);
        };
        registry.check(key)?;
        let waited = registry.waits(key);
        registry.answered(key);
        let is_newest = registry.asked.get(&key.0).is_some_and(|asked| asked.epoch == key.1);
        let Some(lane) = registry.lanes.get(&key).filter(|_| is_newest).cloned() else { return Ok(false) };
        if !waited {
            // Each Opened has everything that is not settled sent again.
            let (module, epoch) = key;
            return Err(Violation::Unasked { module, epoch });
        }
        let Some(resumed) = registry.resume(self.connection(&current), lane, received, window)? else {
            return Ok(false);
        };
        let writer = registry.writer.take();
        drop(registry);
        finish(resumed);
        if let Some(writer) = writer {
            writer.wake();
        }
        Ok(true)
    }

    /// The lane of a frame that has arrived, if it is still there.
    pub(in crate::link) fn find(&self, connection: u64, key: Key) -> Result<Option<Lane>, Violation> {
        let registry = self.lock();
        if !registry.is_current(connection) {
            return Ok(None);
        }
        registry.check(key)?;
        Ok(registry.lanes.get(&key).cloned())
    }

    /// Whether there is such a lane, for a connection that carries them.
    pub(in crate::link) fn has(&self, connection: u64, key: Key) -> bool {
        let registry = self.lock();
        registry.is_current(connection) && registry.lanes.contains_key(&key)
    }

    /// At a host: the lanes that the gateway has not asked for on this connection.
    pub(in crate::link) fn not_asked_for(&self, connection: u64) -> Vec<Key> {
        let registry = self.lock();
        if !registry.is_current(connection) {
            return Vec::new();
        }
        let asked = |key: &Key| registry.asked.get(&key.0).is_some_and(|asked| asked.epoch == key.1);
        registry.lanes.keys().filter(|key| !asked(key)).copied().collect()
    }

    fn connection(self: &Arc<Self>, current: &Current) -> Connection {
        let Current { number, side, features, rings } = current.clone();
        Connection { shared: self.clone(), number, side, features, rings }
    }
}

impl Registry {
    /// What the gateway has said about a lane that waits for the host's answer, which it gets now.
    fn take_asked(&mut self, key: Key) -> Option<(u64, Window)> {
        if !self.waits(key) {
            return None;
        }
        let asked = self.asked.get_mut(&key.0)?;
        asked.waits = false;
        Some((asked.received, asked.window))
    }

    /// The connection carries the lane from now on, from where the peer has said. What comes of it is for
    /// [`finish`]; nothing, if the lane is closed.
    fn resume(
        &mut self,
        connection: Connection,
        lane: Lane,
        received: u64,
        window: Window,
    ) -> Result<Option<(Lane, Resumed)>, Violation> {
        let rings = self.take_chosen((lane.module(), lane.epoch()));
        let Some(how) = lane.resume(connection, received, window, rings)? else { return Ok(None) };
        if how.is_to_be_announced {
            self.ready.push_back(lane.clone());
        }
        Ok(Some((lane, how)))
    }
}

/// What is left to do when a lane was resumed and no lock is held.
fn finish((lane, resumed): (Lane, Resumed)) {
    lane.show_connected();
    resumed.wake();
}

#[cfg(test)]
mod tests;
