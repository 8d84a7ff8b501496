//! Who looks after the rings of a connection while it lasts: a task of the runtime, or threads of the process's own.

use std::io;
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::task::{JoinHandle, yield_now};

use super::{RingWatch, Rings, Spin, WatchedRings};

/// Ends when it is dropped.
pub(in crate::link) enum Serving {
    Task(JoinHandle<()>),
    Watched(Arc<dyn RingWatch>, WatchedRings),
}

impl Serving {
    /// Begins. Without a watch it is called in a runtime.
    ///
    /// # Errors
    /// The runtime cannot wait for the bell.
    pub(in crate::link) fn begin(rings: Arc<Rings>, watch: Option<Arc<dyn RingWatch>>) -> io::Result<Self> {
        if let Some(watch) = watch {
            let watched = WatchedRings::new(rings);
            watch.begin(&watched);
            return Ok(Self::Watched(watch, watched));
        }
        let heard = rings.bell.hear()?;
        Ok(Self::Task(tokio::spawn(serve(rings, heard))))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        match self {
            Self::Task(task) => task.abort(),
            Self::Watched(watch, watched) => watch.end(watched),
        }
    }
}

/// Looks, sleeps while there is nothing, and is woken by the peer, or by who has left something to be looked at.
async fn serve(rings: Arc<Rings>, mut heard: Receiver) {
    let mut spin = Spin::new();
    loop {
        if rings.look() {
            spin.found();
            yield_now().await;
        } else if spin.goes_on() {
            // Whoever is to send the next message may wait for this processor, or for this thread.
            std::thread::yield_now();
            yield_now().await;
        } else if rings.arena.fall_asleep() {
            let mut bytes = [0; 64];
            tokio::select! {
                read = heard.read(&mut bytes) => match read {
                    Ok(1..) => spin.woken(),
                    // The peer has gone: the link says so too.
                    _ => return,
                },
                () = rings.has_again.notified() => {}
            }
            rings.arena.awake();
        } else {
            // There is something again already. A peer can have it so for ever.
            yield_now().await;
        }
    }
}
