//! What threads without a task do: they look after the rings of the gateways.
//!
//! One *looks* again and again, for as long as the last messages came so close together that it is worth it. One
//! *listens*: it sleeps until a gateway rings, or until there is a task and nobody else to take it. The others are parked.
//! So a message finds its module's thread without another thread in between, and a host without messages sleeps.
//!
//! While all threads have tasks nobody looks, but between two tasks; the ticker sees to it that this does not last longer
//! than a tick or two, and where tasks are long somebody listens all the time.

use std::panic;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use sandgate_precedence::Turns;
use sandgate_wire::link::{RingWatch, WatchedRings};

use super::{PLACE, Pool, State, TURNS, Workers, while_it_waits};

/// Where tasks run longer than this, somebody listens while they run.
const LONG: Duration = Duration::from_micros(50);

/// A thread that has nothing to do.
pub(super) enum Idle {
    Parked(Thread),
    Listening,
}

impl RingWatch for Workers {
    fn begin(&self, rings: &WatchedRings) {
        if let Some(doorbells) = &self.pool.doorbells {
            doorbells.add(rings);
            self.pool.have_somebody_look();
        }
    }

    fn end(&self, rings: &WatchedRings) {
        self.pool.doorbells.iter().for_each(|doorbells| doorbells.remove(rings));
    }
}

/// A task's waiting for something that comes by the rings, or from a thread that unparks this one.
pub(crate) struct Pause {
    begun: Instant,
    has_parked: bool,
}

impl Pause {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), has_parked: false }
    }

    /// Waits a little, for so long at most. What is waited for may be there then.
    pub(crate) fn wait(&mut self, most: Duration) {
        PLACE.with_borrow(|place| {
            let pool = place.as_ref().map(|(pool, _)| &**pool).filter(|pool| pool.has_rings());
            if let Some(pool) = pool {
                if self.begun.elapsed() < LONG {
                    // Nobody else may be looking.
                    if !pool.look() {
                        thread::yield_now();
                    }
                    return;
                }
                if !self.has_parked {
                    pool.have_somebody_listen();
                }
                // All threads may be waiting so.
                pool.look();
            }
            self.has_parked = true;
            while_it_waits(|| thread::park_timeout(most));
        });
    }
}

impl Pool {
    fn has_rings(&self) -> bool {
        self.doorbells.as_ref().is_some_and(|doorbells| doorbells.any())
    }

    fn look(&self) -> bool {
        let Some(doorbells) = &self.doorbells else { return false };
        // Who looks must not end with what it finds: nobody would look any more.
        panic::catch_unwind(panic::AssertUnwindSafe(|| doorbells.look())).unwrap_or_else(|_| {
            tracing::error!("a mistake in this host: looking at the gateways' rings has failed");
            false
        })
    }

    fn have_somebody_listen(&self) {
        let mut state = self.lock();
        let other = if state.looks || state.listens { None } else { self.idle(&mut state) };
        drop(state);
        self.wake(other);
    }

    /// There are rings that nobody knows of who listens already.
    fn have_somebody_look(&self) {
        let mut state = self.lock();
        let other = if state.looks { None } else { self.idle(&mut state) };
        drop(state);
        self.wake(other);
    }

    /// Takes out a thread that has nothing to do: a parked one, whose caches are warm, rather than the one that listens.
    pub(super) fn idle(&self, state: &mut State) -> Option<Idle> {
        let parked = state.waiting.pop().map(Idle::Parked);
        parked.or_else(|| state.listens.then_some(Idle::Listening))
    }

    /// Wakes it, once the lock is not held.
    pub(super) fn wake(&self, idle: Option<Idle>) {
        match (idle, &self.doorbells) {
            (Some(Idle::Parked(thread)), _) => thread.unpark(),
            (Some(Idle::Listening), Some(doorbells)) => doorbells.interrupt(),
            (Some(Idle::Listening) | None, _) => {}
        }
    }

    /// This thread takes a task. Somebody is woken for what else there is to do, where that is worth it.
    pub(super) fn other_for_the_rest(&self, state: &mut State) -> Option<Idle> {
        if state.seats > 0 && !state.queue.is_empty() {
            return self.idle(state);
        }
        let doorbells = self.doorbells.as_ref().filter(|doorbells| doorbells.any() && !state.looks)?;
        if state.listens {
            // It was not to be rung for while this thread looked.
            return (!doorbells.fall_asleep()).then_some(Idle::Listening);
        }
        let long = u128::from(self.run_time.load(Ordering::Relaxed)) > LONG.as_nanos();
        if long { self.idle(state) } else { None }
    }

    /// This thread is between two tasks. If nobody else looks, it does.
    pub(super) fn look_between_tasks<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if state.queue.is_empty() || state.looks || state.listens {
            return state;
        }
        drop(state);
        self.look();
        self.lock()
    }

    /// How long a task has run.
    pub(super) fn note_run_time(&self, taken: Duration) {
        let taken = u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX);
        let before = self.run_time.load(Ordering::Relaxed);
        self.run_time.store(before - before / 8 + taken / 8, Ordering::Relaxed);
    }

    /// This thread has nothing to do. It returns when there may be something.
    pub(super) fn rest<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if let Some(doorbells) = self.doorbells.as_ref().filter(|doorbells| doorbells.any() && !state.looks) {
            state.looks = true;
            let (mut spin, listens) = (state.spin, state.listens);
            drop(state);
            if listens {
                doorbells.awake();
            }
            loop {
                if self.look() {
                    spin.found();
                }
                if self.queued.load(Ordering::Acquire) > 0 || !spin.goes_on() {
                    break;
                }
                // Whoever is to send the next message may wait for this processor.
                thread::yield_now();
            }
            state = self.lock();
            state.looks = false;
            state.spin = spin;
            let has_task = state.seats > 0 && !state.queue.is_empty();
            if has_task || !doorbells.fall_asleep() {
                return state;
            }
            if !state.listens {
                state.listens = true;
                drop(state);
                TURNS.with(Turns::before_sleep);
                let is_rung = doorbells.wait();
                TURNS.with(Turns::after_sleep);
                state = self.lock();
                state.listens = false;
                if !state.looks {
                    doorbells.awake();
                }
                if is_rung {
                    state.spin.woken();
                }
                return state;
            }
        }
        state.waiting.push(thread::current());
        drop(state);
        TURNS.with(Turns::before_sleep);
        thread::park();
        TURNS.with(Turns::after_sleep);
        state = self.lock();
        // Whoever woke it took it out; it may also have woken by itself.
        let me = thread::current().id();
        state.waiting.retain(|waiting| waiting.id() != me);
        state
    }
}
