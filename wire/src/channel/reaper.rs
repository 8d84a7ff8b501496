//! One thread that closes nng sockets.
//!
//! Closing a socket waits for its pipes, and freeing an `Aio` waits for its callback. A channel may
//! be dropped anywhere, even by a waker that such a callback has just called, where waiting for the
//! callback would be waiting for itself. So the waiting is done here.

use std::sync::{Arc, OnceLock, mpsc};
use std::thread;

use nng::{Aio, Socket};
use tokio::sync::watch;

/// What is left of a closed channel.
pub(super) struct Remains {
    pub(super) socket: Socket,
    pub(super) aios: [Aio; 2],
    /// Told when the socket is closed and its path is free.
    pub(super) closed: Arc<watch::Sender<bool>>,
}

impl Remains {
    fn dispose(self) {
        self.socket.close();
        for aio in &self.aios {
            // The socket is closed, so no operation can start any more; this one ends with an error.
            aio.wait();
        }
        drop(self.aios);
        self.closed.send_replace(true);
    }
}

/// Hands the remains of a channel to the reaper's thread.
pub(super) fn dispose(remains: Remains) {
    static REAPER: OnceLock<Option<mpsc::Sender<Remains>>> = OnceLock::new();
    let reaper = REAPER.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Remains>();
        let run = move || receiver.into_iter().for_each(Remains::dispose);
        thread::Builder::new().name("nng-reaper".into()).spawn(run).ok().map(|_| sender)
    });
    let refused = match reaper {
        Some(sender) => sender.send(remains).err().map(|error| error.0),
        None => Some(remains),
    };
    if let Some(remains) = refused {
        // No thread could be had. Leaking one socket is better than a dead-lock in a callback.
        tracing::error!("no thread to close a socket on; the socket is leaked");
        remains.closed.send_replace(true);
        std::mem::forget(remains);
    }
}
