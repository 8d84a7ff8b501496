//! The way out of a module, for any of its threads: order, back-pressure, and an end.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use sandgate_attach::Port;
use sandgate_wire::Message;
use sandgate_wire::channel::SendError;
use sandgate_wire::link::Lane;
use thiserror::Error;

use crate::statistics::Ledger;

/// How long a publish waits for room.
const PATIENCE: Duration = Duration::from_secs(5);
/// While it waits it looks this often whether the gateway is still there.
const PEER_CHECK: Duration = Duration::from_millis(20);

/// Where an instance publishes its messages. It belongs to one attach: when that has ended it refuses, and the
/// next instance gets another. Cloning shares it.
#[derive(Clone)]
pub struct Broker {
    pub(crate) outlet: Arc<Outlet>,
}

/// Why a message was not published.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum PublishError {
    /// The gateway has not said Start yet.
    #[error("the module has not been started yet")]
    NotStarted,
    /// The instance that this broker was given to has ended.
    #[error("the module is not attached any more")]
    Detached,
    /// The gateway has gone without a word. The next one gets an instance of its own.
    #[error("the gateway has gone")]
    NoGateway,
    /// The gateway has made no room for 5 seconds.
    #[error("the gateway does not take messages fast enough")]
    Full,
}

impl Broker {
    pub(crate) fn new(outlet: Arc<Outlet>) -> Self {
        Self { outlet }
    }

    /// Hands a message to the gateway, which publishes it under the module's name. May be called from any
    /// thread; each thread's messages keep their order. Waits for room, for 5 seconds at most.
    ///
    /// Over the host link a Sandgate gateway gets the message as long as this program lives, and acknowledges it once it
    /// is in the sinks' inboxes; what is published in `receive` it gets at least once, for a message that the program did
    /// not finish is given to the next one. A V1 gateway gets it at most once; keep it below 1 MiB then, for V1 drops
    /// larger ones.
    ///
    /// # Errors
    /// The message was not taken, for the reason given.
    pub fn publish_message(&self, message: &Message) -> Result<(), PublishError> {
        self.outlet.publish(message, PATIENCE)
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").finish_non_exhaustive()
    }
}

/// What the brokers of one instance share.
pub(crate) struct Outlet {
    way: Mutex<Way>,
    /// How often there may have been room, or the way has ended. A lock of its own: a port wakes also while it is asked,
    /// under that of the way. A channel remembers one waker, so all who wait share this.
    news: Mutex<u64>,
    changed: Condvar,
    ledger: Arc<Ledger>,
}

enum Way {
    /// Before Start.
    Closed,
    Open(Port),
    Ended,
}

impl Outlet {
    pub(crate) fn new(ledger: Arc<Ledger>) -> Arc<Self> {
        Arc::new(Self {
            way: Mutex::new(Way::Closed),
            news: Mutex::default(),
            changed: Condvar::new(),
            ledger,
        })
    }

    /// Messages may be published, through here.
    pub(crate) fn open(&self, port: Port) {
        *self.lock() = Way::Open(port);
    }

    /// Nothing is published any more; who waits for room is told.
    pub(crate) fn end(&self) {
        let before = std::mem::replace(&mut *self.lock(), Way::Ended);
        self.tell();
        drop(before);
    }

    /// The lane by which the gateway is asked for segments, while there is one.
    pub(crate) fn segments(&self) -> Option<Lane> {
        match &*self.lock() {
            Way::Open(port) => port.segments().cloned(),
            Way::Closed | Way::Ended => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Way> {
        // A panic while the lock is held cannot leave the way half-changed.
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn news(&self) -> MutexGuard<'_, u64> {
        // As above.
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has everybody look who waits.
    fn tell(&self) {
        *self.news() += 1;
        self.changed.notify_all();
    }

    fn publish(self: &Arc<Self>, message: &Message, patience: Duration) -> Result<(), PublishError> {
        let result = self.hand_over(message, patience);
        self.ledger.count(|counts| match result {
            Ok(()) => counts.published += 1,
            Err(PublishError::NotStarted | PublishError::Detached) => counts.refused += 1,
            Err(PublishError::NoGateway | PublishError::Full) => counts.dropped += 1,
        });
        result
    }

    fn hand_over(self: &Arc<Self>, message: &Message, patience: Duration) -> Result<(), PublishError> {
        let mut frame = message.frame().clone();
        let mut deadline = None;
        loop {
            let way = self.lock();
            let port = match &*way {
                Way::Closed => return Err(PublishError::NotStarted),
                Way::Ended => return Err(PublishError::Detached),
                Way::Open(port) => port,
            };
            if port.is_abandoned() {
                return Err(PublishError::NoGateway);
            }
            frame = match port.try_send(frame) {
                Ok(()) => return Ok(()),
                Err(SendError::Closed) => return Err(PublishError::Detached),
                Err(SendError::Full(frame)) => frame,
            };
            // What comes after this is not missed.
            let (seen, waker) = (*self.news(), Waker::from(self.clone()));
            if port.poll_ready(&mut Context::from_waker(&waker)).is_ready() {
                // The waker that the port has forgotten with this was everybody's.
                self.tell();
                continue;
            }
            let now = Instant::now();
            let left = deadline.get_or_insert(now + patience).saturating_duration_since(now);
            if left.is_zero() {
                return Err(PublishError::Full);
            }
            drop(way);
            let wait = left.min(PEER_CHECK);
            // How it ended is seen by looking again.
            let _ = self.changed.wait_timeout_while(self.news(), wait, |news| *news == seen);
        }
    }
}

/// The channel has room.
impl Wake for Outlet {
    fn wake(self: Arc<Self>) {
        self.tell();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::mpsc;
    use std::task::Poll;
    use std::thread;

    use bytes::Bytes;
    use sandgate_wire::channel::{Closed, Peer, Statistics};
    use sandgate_wire::{Channel, MemoryChannel};
    use tokio::sync::watch;

    use super::*;

    fn message(text: &str) -> Message {
        Message::new(&[("text", text)], "").unwrap()
    }

    fn open(capacity: usize) -> (Arc<Outlet>, Arc<Ledger>, MemoryChannel) {
        let ledger = Arc::new(Ledger::default());
        let outlet = Outlet::new(ledger.clone());
        let (near, far) = MemoryChannel::pair(capacity);
        outlet.open(Port::pair(Arc::new(near)));
        (outlet, ledger, far)
    }

    #[test]
    fn nothing_goes_out_before_start_or_after_the_end() {
        let ledger = Arc::new(Ledger::default());
        let outlet = Outlet::new(ledger.clone());
        let broker = Broker::new(outlet.clone());
        assert_eq!(broker.publish_message(&message("early")), Err(PublishError::NotStarted));
        outlet.end();
        assert_eq!(broker.publish_message(&message("late")), Err(PublishError::Detached));
        assert_eq!(ledger.statistics().refused, 2);
    }

    #[test]
    fn a_full_channel_is_waited_for_and_given_up_in_the_end() {
        let (outlet, ledger, _far) = open(1);
        assert_eq!(outlet.publish(&message("fills it"), PATIENCE), Ok(()));
        assert_eq!(outlet.publish(&message("too many"), Duration::from_millis(1)), Err(PublishError::Full));
        let counts = ledger.statistics();
        assert_eq!((counts.published, counts.dropped), (1, 1));
    }

    /// A channel that has whoever asks for room ask again at once, as a lane does that has taken a piece of something large.
    struct Eager(MemoryChannel);

    impl Channel for Eager {
        fn try_send(&self, frame: Bytes) -> Result<(), SendError> {
            self.0.try_send(frame)
        }

        fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
            let ready = self.0.poll_ready(context);
            if ready.is_pending() {
                context.waker().wake_by_ref();
            }
            ready
        }

        fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Result<Bytes, Closed>> {
            self.0.poll_recv(context)
        }

        fn peer(&self) -> watch::Receiver<Peer> {
            self.0.peer()
        }

        fn statistics(&self) -> Statistics {
            self.0.statistics()
        }

        fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            self.0.close()
        }
    }

    #[test]
    fn who_is_woken_while_he_asks_asks_again() {
        let (near, far) = MemoryChannel::pair(1);
        let outlet = Outlet::new(Arc::default());
        outlet.open(Port::pair(Arc::new(Eager(near))));
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let broker = Broker::new(outlet);
            (0..3).for_each(|_| tell.send(broker.publish_message(&message("x"))).unwrap());
        });
        let far: &dyn Channel = &far;
        for _ in 0..3 {
            crate::park::block_on(far.recv()).unwrap();
            assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(Ok(())));
        }
    }

    #[test]
    fn all_who_wait_get_their_turn_when_the_gateway_reads() {
        let (outlet, _ledger, far) = open(1);
        let publishers: Vec<_> = (0..4)
            .map(|_| {
                let broker = Broker::new(outlet.clone());
                thread::spawn(move || (0..50).all(|_| broker.publish_message(&message("x")).is_ok()))
            })
            .collect();
        let far: &dyn Channel = &far;
        for _ in 0..200 {
            crate::park::block_on(far.recv()).unwrap();
        }
        assert!(publishers.into_iter().all(|publisher| publisher.join().unwrap()));
    }

    #[test]
    fn who_waits_is_told_of_the_end_and_of_a_gateway_that_goes() {
        let (outlet, _ledger, far) = open(1);
        let hour = Duration::from_secs(3600);
        let wait = |outlet: &Arc<Outlet>| {
            outlet.publish(&message("fills it"), hour).unwrap();
            let outlet = outlet.clone();
            thread::spawn(move || outlet.publish(&message("waits"), hour))
        };
        let waiting = wait(&outlet);
        outlet.end();
        assert_eq!(waiting.join().unwrap(), Err(PublishError::Detached));
        drop(far);
        let (outlet, _ledger, far) = open(1);
        let waiting = wait(&outlet);
        drop(far);
        assert_eq!(waiting.join().unwrap(), Err(PublishError::NoGateway));
    }
}
