//! Lanes and their connections, with a peer that says anything at any time and comes again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream as Peer;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sandgate_wire::link::{
    Agreed, Arrival, Beats, Features, Frame, Instance, Lane, LaneSendError, Lanes, LinkError, SegmentRequest,
    Side, Signal, carry,
};
use sandgate_wire::segments::{Grant, Memory, SegmentAuthority, SegmentError, Token};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::advance;

use crate::script::Script;

const BEATS: Beats = Beats { every: Duration::from_millis(250), patience: Duration::from_millis(900) };
/// How often the tasks get their turn before the script goes on: what a connection has brought by the first one is
/// handled in the second.
const TURNS: usize = 2;

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
}

/// Whatever the peer does: parcels arrive in order and once, what is settled was sent, nothing is lost, and
/// what is said to the peer is well-formed.
pub(crate) fn target(bytes: &[u8]) {
    RUNTIME.with(|runtime| runtime.block_on(End::play(Script::new(bytes))));
}

/// One end of a link.
struct End {
    side: Side,
    lanes: Lanes,
    own: BTreeMap<(u32, u32), Own>,
    /// Modules and epochs that a gateway has given: it gives none twice.
    given: BTreeSet<(u32, u32)>,
    sender: mpsc::Sender<Signal>,
    signals: mpsc::Receiver<Signal>,
    connection: Option<Connection>,
    /// How many connections there were.
    connections: u64,
}

/// A lane, and what must hold for it.
struct Own {
    lane: Lane,
    sent: u64,
    settled: u64,
    received: u64,
    asked: Option<SegmentRequest>,
}

struct Connection {
    peer: Peer,
    carrying: JoinHandle<LinkError>,
    /// What the peer has read of a frame so far.
    read: Vec<u8>,
}

impl End {
    async fn play(mut script: Script<'_>) {
        let (sender, signals) = mpsc::channel(64);
        let side = if script.byte().is_multiple_of(2) { Side::Gateway } else { Side::Host };
        let (lanes, own) = (Lanes::new(), BTreeMap::new());
        let given = BTreeSet::new();
        let mut end = Self { side, lanes, own, given, sender, signals, connection: None, connections: 0 };
        while let Some(step) = script.next() {
            end.step(step, &mut script).await;
        }
        end.turns().await;
        end.disconnect().await;
        let own = std::mem::take(&mut end.own);
        own.into_values().for_each(Own::close);
    }

    async fn step(&mut self, step: u8, script: &mut Script<'_>) {
        match step % 16 {
            0 => self.connect(script.byte()).await,
            1 => self.add(script),
            2 | 3 => self.say(&script.frame().encode().unwrap()),
            4 => self.say(script.bytes()),
            5 | 6 => self.turns().await,
            7 | 8 => {
                let (key, parcel) = (script.lane(), script.parcel());
                if let Some(own) = self.own.get_mut(&key) {
                    match own.lane.try_send(parcel) {
                        Ok(sequence) => {
                            own.sent += 1;
                            assert_eq!(sequence, own.sent);
                        }
                        Err(LaneSendError::Full(_)) => assert!(own.lane.unsettled() > 0),
                        Err(other) => panic!("{other}"),
                    }
                }
            }
            9 | 10 => self.own.values_mut().for_each(Own::receive),
            11 => {
                let (key, back) = (script.lane(), script.number());
                if let Some(own) = self.own.get_mut(&key) {
                    own.lane.settle(own.received.saturating_sub(back));
                }
            }
            12 => {
                let (module, epoch) = script.lane();
                self.lanes.remove(module, epoch);
                if let Some(own) = self.own.remove(&(module, epoch)) {
                    own.close();
                }
            }
            13 => {
                // Callers have no business with the others.
                if let Frame::Signal(signal) = script.frame()
                    && !matches!(signal, Signal::Open { .. } | Signal::Opened { .. })
                {
                    let _ = self.lanes.signal(signal);
                }
            }
            14 => advance(Duration::from_millis(u64::from(script.byte()) * 8)).await,
            _ if step > 127 => {
                let (key, number) = (script.lane(), script.number());
                if let Some(own) = self.own.get_mut(&key) {
                    own.ask(number);
                }
            }
            _ => self.disconnect().await,
        }
    }

    /// The peer comes, or another one in its place.
    async fn connect(&mut self, who: u8) {
        let (mine, peer) = Peer::pair().unwrap();
        mine.set_nonblocking(true).unwrap();
        peer.set_nonblocking(true).unwrap();
        let stream = UnixStream::from_std(mine).unwrap();
        let instance = Instance([if who == 0 { 1 } else { 2 }; 16]);
        let agreed = Agreed { version: 1, features: Features::OURS, peer: instance };
        let (lanes, sender, side) = (self.lanes.clone(), self.sender.clone(), self.side);
        let carrying =
            tokio::spawn(async move { carry(stream, &agreed, side, &lanes, &sender, BEATS).await });
        let connection = Connection { peer, carrying, read: Vec::new() };
        self.connections += 1;
        // The one before is replaced by this one while both are there.
        if let Some(before) = self.connection.replace(connection) {
            yield_now().await;
            before.end().await;
        }
    }

    async fn disconnect(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.end().await;
        }
    }

    fn add(&mut self, script: &mut Script<'_>) {
        let (key, window) = (script.lane(), script.window());
        if self.side == Side::Gateway && !self.given.insert(key) {
            return;
        }
        let lane = Lane::new(key.0, key.1, window);
        lane.serve_segments(Arc::new(OneSegment));
        self.lanes.add(&lane);
        let own = Own { lane, sent: 0, settled: 0, received: 0, asked: None };
        if let Some(before) = self.own.insert(key, own) {
            before.close();
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        if let Some(connection) = &mut self.connection {
            // One that has ended, or does not read, hears nothing.
            let _ = connection.peer.write(bytes);
        }
    }

    async fn turns(&mut self) {
        for _ in 0..TURNS {
            yield_now().await;
        }
        while self.signals.try_recv().is_ok() {}
        if let Some(connection) = &mut self.connection {
            connection.listen();
        }
        // A host cannot have everything sent again as often as it likes.
        if self.side == Side::Gateway {
            let resumed = self.own.values().map(|own| own.lane.statistics().connections).max();
            assert!(resumed.unwrap_or_default() <= self.connections);
        }
    }
}

impl Connection {
    /// Everything that is said must be understood.
    fn listen(&mut self) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = self.peer.read(&mut buffer) {
            self.read.extend_from_slice(&buffer[..count]);
            if count < buffer.len() {
                break;
            }
        }
        let mut at = 0;
        while let Some((_, length)) = Frame::parse(&self.read[at..]).unwrap() {
            at += length;
        }
        self.read.drain(..at);
    }

    async fn end(mut self) {
        self.listen();
        drop(self.peer);
        for _ in 0..TURNS {
            yield_now().await;
        }
        self.carrying.abort();
        if let Err(error) = self.carrying.await {
            assert!(error.is_cancelled());
        }
    }
}

/// Has a segment for whoever asks.
struct OneSegment;

impl SegmentAuthority for OneSegment {
    fn create(&self, _request: u64, _pool: &str, size: u64) -> Result<Grant, SegmentError> {
        let memory = Memory::create(size % 4096).map_err(|_| SegmentError::OutOfMemory)?;
        Ok(Grant { token: Token([1; 16]), memory })
    }

    fn open(&self, _request: u64, token: Token) -> Result<Grant, SegmentError> {
        if token.0[0].is_multiple_of(2) {
            return Err(SegmentError::NoSuch);
        }
        self.create(0, "", u64::from(token.0[0]))
    }

    fn close(&self, _request: u64) {}

    fn retain(&self, _requests: &[u64]) {}
}

impl Own {
    /// Asks for a segment, and takes an earlier request back if it was not answered.
    fn ask(&mut self, number: u64) {
        if let Some(mut asked) = self.asked.take() {
            let _ = Pin::new(&mut asked).poll(&mut Context::from_waker(Waker::noop()));
        }
        self.asked = Some(match number % 2 {
            0 => self.lane.create_segment("pool", number),
            _ => self.lane.open_segment(Token([number as u8; 16])),
        });
    }

    fn receive(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(arrival) = self.lane.poll_recv(&mut context) {
            match arrival.unwrap() {
                Arrival::Parcel { sequence, .. } => {
                    self.received += 1;
                    assert_eq!(sequence, self.received);
                }
                Arrival::Settled(sequence) => {
                    assert!(sequence > self.settled && sequence <= self.sent);
                    self.settled = sequence;
                }
            }
        }
    }

    /// What is given back is what was not settled, in order and whole.
    fn close(self) {
        let back = self.lane.close();
        let settled = self.sent - back.len() as u64;
        assert!(settled >= self.settled);
        for (unsettled, sequence) in back.iter().zip(settled + 1..) {
            assert_eq!(unsettled.sequence, sequence);
        }
        assert_eq!(self.lane.unsettled(), 0);
    }
}
