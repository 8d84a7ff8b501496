//! Hosts that are found by the socket of their link: one connection for all their modules, and no other socket.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sandgate_wire::link::Beats;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::links::{HostLink, Links};

/// Attaches to one host that are under way at a time: more would only wait in its queues, and in those be lost.
const AT_A_TIME: usize = 32;
/// How often it is looked whether a host has come.
const LOOK: Duration = Duration::from_millis(20);

/// Whatever host listens at a socket, one after the other. Cloning shares it.
#[derive(Clone)]
pub(super) struct HostAt {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    host: watch::Sender<Option<HostLink>>,
    turns: Arc<Semaphore>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// The right to attach a module. It is given back when the module is started.
pub(super) type Turn = OwnedSemaphorePermit;

impl HostAt {
    /// Looks for the host from now on. Called in a runtime.
    pub(super) fn new(links: Links, socket: &Path, beats: Beats) -> Self {
        let (host, turns) = (watch::Sender::new(None), Arc::new(Semaphore::new(AT_A_TIME)));
        let shared = Arc::new(Shared { host, turns, task: Mutex::default() });
        let following = follow(Arc::downgrade(&shared), links, socket.to_owned(), beats);
        *shared.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(tokio::spawn(following));
        Self { shared }
    }

    pub(super) fn downgrade(&self) -> Weak<Shared> {
        Arc::downgrade(&self.shared)
    }

    pub(super) fn upgrade(shared: &Weak<Shared>) -> Option<Self> {
        shared.upgrade().map(|shared| Self { shared })
    }

    /// Waits until there is a host.
    pub(super) async fn is_there(&self) {
        // The sender is among what this holds.
        let _ = self.shared.host.subscribe().wait_for(Option::is_some).await;
    }

    /// Waits for the turn to attach, and for a host.
    pub(super) async fn turn(&self) -> (HostLink, Option<Turn>) {
        loop {
            // Never closed.
            let turn = self.shared.turns.clone().acquire_owned().await.ok();
            let host = self.shared.host.borrow().clone();
            if let Some(host) = host {
                return (host, turn);
            }
            drop(turn);
            self.is_there().await;
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// Keeps track of the host at a socket, until nobody wants it any more.
async fn follow(shared: Weak<Shared>, links: Links, socket: PathBuf, beats: Beats) {
    loop {
        let Some(host) = links.connect_to(&socket, beats).await else {
            sleep(LOOK).await;
            continue;
        };
        match shared.upgrade() {
            Some(shared) => shared.host.send_replace(Some(host.clone())),
            None => return,
        };
        host.ended().await;
        match shared.upgrade() {
            Some(shared) => shared.host.send_replace(None),
            None => return,
        };
    }
}
