//! Suspects: messages that a host may have died of. A host cannot say which message it was, and it has those of
//! many modules in hand; so the next host gets each suspect alone, while everything else that is meant for it
//! waits here. Only what a host had alone is blamed once more.

use std::sync::Arc;
use std::time::Duration;

use sandgate_wire::link::{Closed, Lane};
use tokio::pin;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

/// Places at a host: one for each module that has messages out. No link carries more modules.
const PLACES: u32 = 1 << 16;
/// How long a suspect waits for the others to be done, and how long they wait for it. A call of a module may
/// take five seconds, unless it was told otherwise; what takes longer must not stop all others.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who has messages out at one host: many modules, or one suspect. Whoever waits is served in turn.
pub(super) struct Suspects {
    places: Arc<Semaphore>,
    /// How many suspects wait for the others to be done.
    asking: watch::Sender<usize>,
    /// How many modules are on the link.
    modules: watch::Sender<usize>,
}

/// One module's leave to have messages out.
pub(super) struct Turn {
    suspects: Arc<Suspects>,
    /// One place, or all. Held until somebody asks for it and nothing is out, so that it mostly costs nothing.
    held: Option<OwnedSemaphorePermit>,
    alone: bool,
}

impl Suspects {
    pub(super) fn new() -> Arc<Self> {
        let places = Arc::new(Semaphore::new(PLACES as usize));
        Arc::new(Self { places, asking: watch::channel(0).0, modules: watch::channel(0).0 })
    }

    /// The turn of another module.
    pub(super) fn turn(self: &Arc<Self>) -> Turn {
        self.modules.send_modify(|modules| *modules += 1);
        Turn { suspects: self.clone(), held: None, alone: false }
    }

    async fn take(&self, places: u32) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        self.places.clone().acquire_many_owned(places).await.ok()
    }
}

impl Turn {
    /// Whether the host has, or had when it ended, one message of this module, a suspect, and nothing else of anybody.
    pub(super) fn is_alone(&self) -> bool {
        self.alone
    }

    /// Waits until another message may go out among others. While a suspect asks nothing is added to what is
    /// out already.
    pub(super) async fn share(&mut self, lane: &Lane) -> Result<(), Closed> {
        if self.held.is_some() && *self.suspects.asking.borrow() > 0 {
            let mut asking = self.suspects.asking.subscribe();
            tokio::select! {
                settled = lane.all_settled() => {
                    settled?;
                    self.held = None;
                }
                // It has waited for too long, and goes with the others.
                _ = asking.wait_for(|asking| *asking == 0) => {}
            }
        }
        if self.held.is_none() {
            self.held = self.suspects.take(1).await;
        }
        Ok(())
    }

    /// Waits until nobody has anything out, and holds everybody back. The lane must have nothing out.
    pub(super) async fn isolate(&mut self) {
        self.held = None;
        let asking = Asking::new(&self.suspects);
        // Where others are not done in time the suspect goes among them, and cannot be blamed.
        let all = timeout(PATIENCE, self.suspects.take(PLACES)).await.ok().flatten();
        drop(asking);
        self.alone = all.is_some();
        self.held = match all {
            Some(all) => Some(all),
            None => self.suspects.take(1).await,
        };
    }

    /// Waits until the suspect is settled, and lets the others go on.
    pub(super) async fn acquit(&mut self, lane: &Lane) -> Result<(), Closed> {
        while self.alone {
            match timeout(PATIENCE, lane.all_settled()).await {
                Ok(settled) => {
                    settled?;
                    self.release();
                }
                Err(_) if *self.suspects.modules.borrow() > 1 => self.release(),
                // Nobody is held back.
                Err(_) => {}
            }
        }
        lane.all_settled().await
    }

    /// Goes on with one place.
    fn release(&mut self) {
        self.alone = false;
        let others = self.held.as_mut().and_then(|held| held.split(PLACES as usize - 1));
        drop(others);
    }

    /// Nothing more goes out.
    pub(super) fn leave(&mut self) {
        self.held = None;
    }

    /// Waits for something else than leave. A suspect that asks meanwhile gets the place once nothing is out.
    pub(super) async fn lend<T>(&mut self, lane: &Lane, other: impl Future<Output = T>) -> T {
        pin!(other);
        tokio::select! {
            biased;
            done = &mut other => return done,
            () = self.give_way(lane) => {}
        }
        other.await
    }

    async fn give_way(&mut self, lane: &Lane) {
        let mut asking = self.suspects.asking.subscribe();
        let asked = async {
            // The sender is among what this holds.
            let _ = asking.wait_for(|asking| *asking > 0).await;
            lane.all_settled().await
        };
        match (&self.held, asked.await) {
            (Some(_), Ok(())) => self.held = None,
            // There is nothing to give, or the lane is over, which its receiver notices.
            _ => std::future::pending().await,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.suspects.modules.send_modify(|modules| *modules -= 1);
    }
}

/// A suspect that waits, however the wait ends.
struct Asking<'a>(&'a Suspects);

impl<'a> Asking<'a> {
    fn new(suspects: &'a Suspects) -> Self {
        suspects.asking.send_modify(|asking| *asking += 1);
        Self(suspects)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.asking.send_modify(|asking| *asking -= 1);
    }
}
