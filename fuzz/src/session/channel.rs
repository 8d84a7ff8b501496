//! A channel whose other end is a script.

use std::collections::VecDeque;
use std::mem;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use sandgate_wire::Channel;
use sandgate_wire::channel::{Closed, Peer, SendError, Statistics};
use tokio::sync::watch;

/// Frames that it holds for a gateway that does not read.
const CAPACITY: usize = 8;

/// The host's end, and what the script does at the other one.
pub(super) struct Scripted {
    state: Mutex<State>,
    peer: watch::Sender<Peer>,
}

struct State {
    incoming: VecDeque<Bytes>,
    outgoing: VecDeque<Bytes>,
    /// A gateway that reads takes everything at once.
    reads: bool,
    closed: bool,
    consumer: Option<Waker>,
    producer: Option<Waker>,
}

impl Scripted {
    /// With a gateway that is there, and reads.
    pub(super) fn new() -> Self {
        let state = State {
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
            reads: true,
            closed: false,
            consumer: None,
            producer: None,
        };
        let peer = watch::Sender::new(Peer { connected: true, connections: 1 });
        Self { state: Mutex::new(state), peer }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The gateway says something.
    pub(super) fn say(&self, frame: Bytes) {
        let waker = {
            let mut state = self.lock();
            state.incoming.push_back(frame);
            state.consumer.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    /// What the gateway hears.
    pub(super) fn hear(&self) -> VecDeque<Bytes> {
        let (heard, waker) = {
            let mut state = self.lock();
            (mem::take(&mut state.outgoing), state.producer.take())
        };
        waker.into_iter().for_each(Waker::wake);
        heard
    }

    pub(super) fn read(&self, reads: bool) {
        self.lock().reads = reads;
    }

    /// Whether what is said to the gateway reaches it.
    pub(super) fn listens(&self) -> bool {
        self.lock().reads && self.peer.borrow().connected
    }

    /// A gateway goes, or comes.
    pub(super) fn show(&self, connected: bool) {
        self.peer.send_if_modified(|peer| {
            peer.connections += u64::from(connected && !peer.connected);
            mem::replace(&mut peer.connected, connected) != connected
        });
    }
}

impl Channel for Scripted {
    fn try_send(&self, frame: Bytes) -> Result<(), SendError> {
        let mut state = self.lock();
        if state.closed {
            return Err(SendError::Closed);
        }
        if !state.reads && state.outgoing.len() >= CAPACITY {
            return Err(SendError::Full(frame));
        }
        state.outgoing.push_back(frame);
        Ok(())
    }

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let mut state = self.lock();
        if state.closed {
            return Poll::Ready(Err(Closed));
        }
        if state.reads || state.outgoing.len() < CAPACITY {
            return Poll::Ready(Ok(()));
        }
        state.producer = Some(context.waker().clone());
        Poll::Pending
    }

    fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Result<Bytes, Closed>> {
        let mut state = self.lock();
        match state.incoming.pop_front() {
            Some(frame) => Poll::Ready(Ok(frame)),
            None if state.closed => Poll::Ready(Err(Closed)),
            None => {
                state.consumer = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn peer(&self) -> watch::Receiver<Peer> {
        self.peer.subscribe()
    }

    fn statistics(&self) -> Statistics {
        let state = self.lock();
        let waiting = if state.reads { 0 } else { state.outgoing.len() as u64 };
        Statistics { waiting, ..Statistics::default() }
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let wakers = {
            let mut state = self.lock();
            state.closed = true;
            [state.consumer.take(), state.producer.take()]
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
        Box::pin(std::future::ready(()))
    }
}
