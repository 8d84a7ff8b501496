//! A Pair0 socket of the nng library alone, without the project's own channel around it: what a V1 peer has.

use std::time::Duration;

use nng::options::{Options, ReconnectMaxTime, ReconnectMinTime, RecvMaxSize, RecvTimeout, SendTimeout};
use nng::{Error, Protocol, Socket};

use crate::wait::PATIENCE;

/// A socket whose calls wait, up to the end of patience.
pub struct Pair(Socket);

impl Pair {
    /// Connects to an id, now or as soon as somebody listens there, and again after a loss.
    #[must_use]
    pub fn dial(id: &str) -> Self {
        let pair = Self::open();
        pair.0.dial_async(&address(id)).unwrap();
        pair
    }

    /// Binds an id.
    #[must_use]
    pub fn listen(id: &str) -> Self {
        let pair = Self::open();
        pair.0.listen(&address(id)).unwrap_or_else(|error| panic!("cannot listen on {id}: {error}"));
        pair
    }

    fn open() -> Self {
        let socket = Socket::new(Protocol::Pair0).unwrap();
        socket.set_opt::<RecvMaxSize>(64 << 20).unwrap();
        socket.set_opt::<RecvTimeout>(Some(PATIENCE)).unwrap();
        socket.set_opt::<SendTimeout>(Some(PATIENCE)).unwrap();
        socket.set_opt::<ReconnectMinTime>(Some(Duration::from_millis(10))).unwrap();
        socket.set_opt::<ReconnectMaxTime>(Some(Duration::from_millis(50))).unwrap();
        Self(socket)
    }

    /// Sends a frame, once there is a peer that takes it.
    pub fn send(&self, frame: &[u8]) {
        if let Err((_, error)) = self.0.send(frame) {
            panic!("cannot send: {error}");
        }
    }

    /// The next frame.
    #[must_use]
    pub fn recv(&self) -> Vec<u8> {
        self.recv_within(PATIENCE).expect("waited too long for a frame")
    }

    /// The next frame, if it comes within this time.
    #[must_use]
    pub fn recv_within(&self, time: Duration) -> Option<Vec<u8>> {
        self.0.set_opt::<RecvTimeout>(Some(time)).unwrap();
        match self.0.recv() {
            Ok(message) => Some(message.to_vec()),
            Err(Error::TimedOut) => None,
            Err(error) => panic!("cannot receive: {error}"),
        }
    }
}

fn address(id: &str) -> String {
    if id.contains("://") { id.to_owned() } else { format!("ipc://{id}") }
}
