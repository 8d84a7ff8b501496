//! The socket of a scripted peer, whose calls wait. Beneath it is the project's own channel, for a bare NNG
//! socket now and then stops to dial or to listen for good; what stands on the wire byte for byte is tested
//! with [`crate::raw`].

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use sandgate_wire::channel::{PairError, PairOptions};
use sandgate_wire::limits::MESSAGE_MAX;
use sandgate_wire::{Address, Channel, PairChannel};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::wait::{PATIENCE, until_some};

const OPTIONS: PairOptions = PairOptions { frame_max: MESSAGE_MAX, capacity: 1024 };

/// A socket whose calls wait, up to the end of patience.
pub struct Pair {
    channel: PairChannel,
    /// What came while something else was waited for.
    early: Mutex<VecDeque<Bytes>>,
    runtime: Runtime,
}

impl Pair {
    /// Connects to an id, now or as soon as somebody listens there, and again after a loss.
    #[must_use]
    pub fn dial(id: &str) -> Self {
        Self::new(PairChannel::dial(&address(id), OPTIONS).unwrap())
    }

    /// Binds an id, as soon as whoever had it before has let go of it: nng closes sockets by the way.
    #[must_use]
    pub fn listen(id: &str) -> Self {
        let bound =
            until_some("the address to be free", || match PairChannel::listen(&address(id), OPTIONS) {
                Err(PairError::InUse(_)) => None,
                bound => Some(bound.unwrap()),
            });
        Self::new(bound)
    }

    fn new(channel: PairChannel) -> Self {
        let early = Mutex::default();
        Self { channel, early, runtime: Builder::new_current_thread().enable_time().build().unwrap() }
    }

    /// Sends a frame, once there is room for it.
    pub fn send(&self, frame: &[u8]) {
        let channel: &dyn Channel = &self.channel;
        let sending = async { timeout(PATIENCE, channel.send(Bytes::copy_from_slice(frame))).await };
        self.runtime.block_on(sending).expect("waited too long for room to send").unwrap();
    }

    /// Sends a frame if there is room for it, and tells whether there was.
    pub fn try_send(&self, frame: &[u8]) -> bool {
        self.channel.try_send(Bytes::copy_from_slice(frame)).is_ok()
    }

    /// The next frame.
    #[must_use]
    pub fn recv(&self) -> Vec<u8> {
        self.recv_within(PATIENCE).expect("waited too long for a frame")
    }

    /// Waits until at least so many peers have been connected, one after the other, and gives their number. What comes
    /// meanwhile is kept: nng does not see that a peer has gone before everything has been read that it sent, and until
    /// then it lets no other in.
    pub fn wait_for_peer(&self, nth: u64) -> u64 {
        let (channel, mut peer): (&dyn Channel, _) = (&self.channel, self.channel.peer());
        let waiting = async {
            loop {
                tokio::select! {
                    come = peer.wait_for(|peer| peer.connections >= nth) => return come.unwrap().connections,
                    frame = channel.recv() => self.early().push_back(frame.unwrap()),
                }
            }
        };
        let waiting = async { timeout(PATIENCE, waiting).await };
        self.runtime.block_on(waiting).expect("waited too long for a peer")
    }

    /// The frames that still come until the peer has gone.
    #[must_use]
    pub fn recv_to_end(&self) -> Vec<Vec<u8>> {
        let (channel, mut peer): (&dyn Channel, _) = (&self.channel, self.channel.peer());
        let mut frames: Vec<_> = self.early().drain(..).map(Vec::from).collect();
        let receiving = async {
            loop {
                tokio::select! {
                    // What came before the end is read first.
                    biased;
                    frame = channel.recv() => frames.push(frame.unwrap().to_vec()),
                    _ = peer.wait_for(|peer| peer.connections > 0 && !peer.connected) => return,
                }
            }
        };
        let receiving = async { timeout(PATIENCE, receiving).await };
        self.runtime.block_on(receiving).expect("waited too long for the peer's end");
        frames
    }

    /// The next frame, if it comes within this time.
    #[must_use]
    pub fn recv_within(&self, time: Duration) -> Option<Vec<u8>> {
        if let Some(early) = self.early().pop_front() {
            return Some(early.into());
        }
        let channel: &dyn Channel = &self.channel;
        let receiving = async { timeout(time, channel.recv()).await };
        self.runtime.block_on(receiving).ok().map(|frame| frame.unwrap().to_vec())
    }

    fn early(&self) -> MutexGuard<'_, VecDeque<Bytes>> {
        self.early.lock().unwrap()
    }
}

fn address(id: &str) -> Address {
    id.parse().unwrap()
}
