//! The socket of a scripted peer, whose calls wait. Beneath it is the project's own channel, for a bare NNG
//! socket now and then stops to dial or to listen for good; what stands on the wire byte for byte is tested
//! with [`crate::raw`].

use std::time::Duration;

use bytes::Bytes;
use sandgate_wire::channel::PairOptions;
use sandgate_wire::limits::MESSAGE_MAX;
use sandgate_wire::{Address, Channel, PairChannel};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::wait::PATIENCE;

const OPTIONS: PairOptions = PairOptions { frame_max: MESSAGE_MAX, capacity: 1024 };

/// A socket whose calls wait, up to the end of patience.
pub struct Pair {
    channel: PairChannel,
    runtime: Runtime,
}

impl Pair {
    /// Connects to an id, now or as soon as somebody listens there, and again after a loss.
    #[must_use]
    pub fn dial(id: &str) -> Self {
        Self::new(PairChannel::dial(&address(id), OPTIONS).unwrap())
    }

    /// Binds an id.
    #[must_use]
    pub fn listen(id: &str) -> Self {
        Self::new(PairChannel::listen(&address(id), OPTIONS).unwrap())
    }

    fn new(channel: PairChannel) -> Self {
        Self { channel, runtime: Builder::new_current_thread().enable_time().build().unwrap() }
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

    /// The next frame, if it comes within this time.
    #[must_use]
    pub fn recv_within(&self, time: Duration) -> Option<Vec<u8>> {
        let channel: &dyn Channel = &self.channel;
        let receiving = async { timeout(time, channel.recv()).await };
        self.runtime.block_on(receiving).ok().map(|frame| frame.unwrap().to_vec())
    }
}

fn address(id: &str) -> Address {
    id.parse().unwrap()
}
