//! Working for a gateway: by a thread, or by hand.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::Ended;
use crate::park::{block_on, poll_once};
use crate::session::{Event, Session};

/// A module that is attached by hand, with [`ProxyGateway::attach_by_hand`](crate::ProxyGateway::attach_by_hand).
/// Dropping it detaches as well.
pub struct Worker {
    /// Present until the end.
    session: Option<Session>,
    requests: watch::Receiver<Option<Ended>>,
    ended: Ended,
}

/// What a call of [`Worker::do_work`] did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Work {
    /// Something; there may be more.
    Done,
    /// Nothing, for nothing has come.
    Nothing,
    /// The work is over.
    Ended(Ended),
}

impl Worker {
    pub(crate) fn new(session: Session, requests: watch::Receiver<Option<Ended>>) -> Self {
        Self { session: Some(session), requests, ended: Ended::Failed }
    }

    /// Does the next thing that is to be done, in this thread: handles one control message or gives the module one
    /// message, in turn. Does not wait for messages, only for the module's own calls and the closing of sockets.
    pub fn do_work(&mut self) -> Work {
        let Some(session) = &mut self.session else { return Work::Ended(self.ended) };
        let wanted = *self.requests.borrow();
        if let Some(ended) = wanted {
            return self.end(ended);
        }
        let Some(event) = poll_once(session.next()) else { return Work::Nothing };
        match session.handle(event) {
            Some(ended) => self.end(ended),
            None => Work::Done,
        }
    }

    /// Ends the instance, tells the gateway that the module is gone, and closes the sockets.
    pub fn detach(mut self) {
        self.end(Ended::Detached);
    }

    fn end(&mut self, ended: Ended) -> Work {
        if let Some(session) = self.session.take() {
            self.ended = ended;
            session.end();
        }
        Work::Ended(self.ended)
    }

    /// Works until the end.
    pub(crate) fn run(&mut self) -> Ended {
        loop {
            let Some(session) = &mut self.session else { return self.ended };
            match block_on(next(session, &mut self.requests)) {
                Ok(event) => {
                    if let Some(ended) = session.handle(event) {
                        self.end(ended);
                    }
                }
                Err(ended) => {
                    self.end(ended);
                }
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end(Ended::Detached);
    }
}

/// The next event, unless somebody wants an end.
async fn next(session: &mut Session, requests: &mut watch::Receiver<Option<Ended>>) -> Result<Event, Ended> {
    tokio::select! {
        biased;
        ended = wanted(requests) => Err(ended),
        event = session.next() => Ok(event),
    }
}

async fn wanted(requests: &mut watch::Receiver<Option<Ended>>) -> Ended {
    let wanted = requests.wait_for(Option::is_some).await;
    // An error: nobody is left who could want anything.
    wanted.ok().and_then(|ended| *ended).unwrap_or(Ended::Detached)
}

/// How a worker thread has ended, for those who wait for it.
#[derive(Default)]
pub(crate) struct Outcome {
    ended: Mutex<Option<Ended>>,
    told: Condvar,
}

impl Outcome {
    fn lock(&self) -> MutexGuard<'_, Option<Ended>> {
        // Nothing below can panic half-way through a change.
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was told first holds.
    pub(crate) fn tell(&self, ended: Ended) {
        self.lock().get_or_insert(ended);
        self.told.notify_all();
    }

    pub(crate) fn get(&self) -> Option<Ended> {
        *self.lock()
    }

    pub(crate) fn wait(&self) -> Ended {
        let mut ended = self.lock();
        loop {
            if let Some(ended) = *ended {
                return ended;
            }
            ended = self.told.wait(ended).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn wait_timeout(&self, patience: Duration) -> Option<Ended> {
        let start = Instant::now();
        let mut ended = self.lock();
        while ended.is_none() {
            let left = patience.checked_sub(start.elapsed())?;
            ended = self.told.wait_timeout(ended, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *ended
    }
}

/// Tells of a worker's end even if it panics.
pub(crate) struct Telling(pub(crate) Arc<Outcome>);

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.tell(Ended::Failed);
    }
}
