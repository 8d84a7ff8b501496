//! Notices when the host itself is stuck, and says so once a second: the session thread, on which all sockets are
//! served, and the ticker, by which deadlines are kept. The ticker in turn watches the worker threads.
//!
//! It is a thread that wakes once a second; an idle host is not disturbed by more than that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use std::{io, thread};

use tokio::runtime::Handle;

use crate::workers::Workers;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watchdog {
    _alive: Sender<()>,
}

impl Watchdog {
    /// Watches these workers' ticker and this runtime.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(workers: &Workers, runtime: &Handle) -> io::Result<Self> {
        let (alive, dropped) = channel();
        let (workers, session) = (workers.clone(), Session::new(runtime));
        thread::Builder::new().name("watchdog".into()).spawn(move || watch(&dropped, &workers, session))?;
        Ok(Self { _alive: alive })
    }
}

fn watch(dropped: &Receiver<()>, workers: &Workers, mut session: Session) {
    let mut turns = None;
    while dropped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        if !session.turns() {
            tracing::error!("the host is stuck: its session thread serves no sockets");
        }
        let turned = workers.ticker_turns();
        if turned.is_some() && turned == turns {
            tracing::error!("the host is stuck: its ticker keeps no deadlines");
        }
        turns = turned;
    }
}

/// A runtime that is given a task with every look, and must have done it by the next one.
struct Session {
    runtime: Handle,
    given: u64,
    done: Arc<AtomicU64>,
}

impl Session {
    fn new(runtime: &Handle) -> Self {
        Self { runtime: runtime.clone(), given: 0, done: Arc::default() }
    }

    /// Whether it has done its last task. While it has not it gets no other: they would pile up.
    fn turns(&mut self) -> bool {
        if self.done.load(Ordering::Relaxed) != self.given {
            return false;
        }
        self.given += 1;
        let (given, done) = (self.given, self.done.clone());
        self.runtime.spawn(async move { done.store(given, Ordering::Relaxed) });
        true
    }
}
