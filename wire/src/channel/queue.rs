//! A bounded queue of frames between one producer and one consumer, each with a waker.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::{Closed, SendError};

pub(super) struct Queue {
    state: Mutex<State>,
    capacity: usize,
    /// Bytes that the queue holds before it counts as full.
    budget: usize,
}

struct State {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// Who waits for a frame.
    consumer: Option<Waker>,
    /// Who waits for room.
    producer: Option<Waker>,
    closed: bool,
}

impl Queue {
    pub(super) fn new(capacity: usize, budget: usize) -> Self {
        let state =
            State { frames: VecDeque::new(), bytes: 0, consumer: None, producer: None, closed: false };
        Self { state: Mutex::new(state), capacity: capacity.max(1), budget: budget.max(1) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave the queue half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, frame: Bytes) -> Result<(), SendError> {
        let mut state = self.lock();
        if state.closed {
            return Err(SendError::Closed);
        }
        if state.is_full(self) {
            return Err(SendError::Full(frame));
        }
        state.push(frame);
        let waker = state.consumer.take();
        drop(state);
        wake(waker);
        Ok(())
    }

    /// Adds a frame even when the queue is full, for a producer that has asked for room before. Gives
    /// who is to be woken for it once the caller holds no lock. A closed queue drops it.
    pub(super) fn add(&self, frame: Bytes) -> Option<Waker> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        state.push(frame);
        state.consumer.take()
    }

    /// Takes a frame, and who is to be woken for it once the caller holds no lock.
    pub(super) fn pop(&self) -> Option<(Bytes, Option<Waker>)> {
        let mut state = self.lock();
        let frame = state.pop()?;
        let producer = state.producer_to_wake(self);
        Some((frame, producer))
    }

    pub(super) fn poll_pop(&self, context: &mut Context<'_>) -> Poll<Result<Bytes, Closed>> {
        let mut state = self.lock();
        if let Some(frame) = state.pop() {
            let waker = state.producer_to_wake(self);
            drop(state);
            wake(waker);
            return Poll::Ready(Ok(frame));
        }
        if state.closed {
            return Poll::Ready(Err(Closed));
        }
        remember(&mut state.consumer, context);
        Poll::Pending
    }

    pub(super) fn poll_room(&self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let mut state = self.lock();
        if state.closed {
            return Poll::Ready(Err(Closed));
        }
        if !state.is_full(self) {
            return Poll::Ready(Ok(()));
        }
        remember(&mut state.producer, context);
        Poll::Pending
    }

    pub(super) fn is_full(&self) -> bool {
        self.lock().is_full(self)
    }

    pub(super) fn is_overfull(&self, by: usize) -> bool {
        let state = self.lock();
        state.frames.len() >= self.capacity + by || state.bytes >= self.budget.saturating_mul(2)
    }

    pub(super) fn is_half_empty(&self) -> bool {
        self.lock().is_half_empty(self)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().frames.len()
    }

    pub(super) fn wake_consumer(&self) {
        let waker = self.lock().consumer.take();
        wake(waker);
    }

    pub(super) fn wake_producer(&self) {
        let waker = self.lock().producer.take();
        wake(waker);
    }

    /// Refuses new frames and wakes everyone; what is queued can still be taken.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let wakers = [state.consumer.take(), state.producer.take()];
        drop(state);
        wakers.into_iter().for_each(wake);
    }
}

impl State {
    fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    fn pop(&mut self) -> Option<Bytes> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }

    fn is_full(&self, bounds: &Queue) -> bool {
        self.frames.len() >= bounds.capacity || self.bytes >= bounds.budget
    }

    fn is_half_empty(&self, bounds: &Queue) -> bool {
        self.frames.len() <= bounds.capacity / 2 && self.bytes <= bounds.budget / 2
    }

    /// A waiting producer is woken when half of the queue is free, so that it works in batches
    /// instead of taking turns with the consumer frame by frame.
    fn producer_to_wake(&mut self, bounds: &Queue) -> Option<Waker> {
        if self.is_half_empty(bounds) { self.producer.take() } else { None }
    }
}

fn remember(slot: &mut Option<Waker>, context: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(context.waker()),
        None => *slot = Some(context.waker().clone()),
    }
}

/// Wakes outside the lock: a waker may run anything.
pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
