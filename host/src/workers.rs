//! The threads that call guests, and the ticker that keeps any one of them from holding up the rest.
//!
//! As many threads work at a time as there are *seats* (processors). A task that runs longer than a tick
//! loses its seat: the ticker gives the seat to a spare thread, which goes on with the queue, and the
//! operating system does the preemption. A spinning or blocked guest thus delays nobody for more than a
//! tick or two. The ticker also counts the engine's epochs, by which a guest's deadline is kept; it is a
//! thread of its own, takes one short lock, allocates nothing but threads that are missing, and sleeps for
//! good while nobody works.
//!
//! A task that has run for long before gives way to others to a [`Beat`].
//! A guest that computes for long *steps back*: its thread lets the other threads of the machine go first, those of
//! other hosts and of the gateway too. A thread that cannot step forward again afterwards leaves.
//!
//! A thread that has nothing to do looks after the gateways' rings, see `looking`.
//!
//! When all threads are stuck and a task has waited for a while, the ticker *condemns* the task that has run
//! for longest: the guest in it ends itself when it next looks at [`is_condemned`].

mod doorbells;
mod habit;
mod looking;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};
use std::{io, panic};

use async_task::Builder;
use sandgate_precedence::{Beat, Precedence, Turns, take_shortest_turns};
use sandgate_wire::link::Spin;

use doorbells::Doorbells;
use habit::Habit;

pub(crate) use looking::Pause;

/// How long a task keeps its seat, and the resolution of deadlines.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// Threads, working, spare and stuck together.
const THREADS_MAX: usize = 64;
/// Idle ticks before the ticker sleeps until there is work again.
const IDLE_TICKS: u32 = 100;
/// The turns of a thread whose tasks take long.
const LONG_TURN: Duration = Duration::from_micros(400);
/// Ticks between two looks at the queue for tasks that nobody takes.
const LOOK: u64 = 100;
/// Ticks that a task waits before it is said that the host is stuck, and between two such lines.
const STUCK: u64 = 1000;

/// A worker's native stack: the guest's own, which is 1 MiB at most, and the host's below and above it.
const STACK: usize = 4 << 20;

/// The seat of a thread that runs nothing.
const IDLE: u64 = 0;
/// The seat of a thread whose seat the ticker has taken.
const UNSEATED: u64 = u64::MAX;

type Runnable = async_task::Runnable<Arc<Habit>>;

/// A pool of worker threads. Cloning shares it; it lives as long as the process.
#[derive(Clone)]
pub struct Workers {
    pool: Arc<Pool>,
}

struct Pool {
    state: Mutex<State>,
    slots: [Slot; THREADS_MAX],
    tick: AtomicU64,
    /// How often the ticker has ticked or woken.
    turns: AtomicU64,
    asleep: AtomicBool,
    ticker: OnceLock<Thread>,
    /// A thread has left, and nobody was there to have another one made: the ticker does.
    is_short: AtomicBool,
    /// Tasks in the queue, for who looks for them without the lock.
    queued: AtomicUsize,
    /// None where there are no threads to look.
    doorbells: Option<Doorbells>,
    /// How long tasks run, on the whole, in nanoseconds.
    run_time: AtomicU64,
    /// As if the system let no thread step forward again.
    #[cfg(test)]
    is_unprivileged: AtomicBool,
}

/// One thread's place.
#[derive(Default)]
struct Slot {
    /// What the thread does: [`IDLE`], [`UNSEATED`], or the tick in which it began, plus one.
    seat: AtomicU64,
    /// The tick in which its task began, plus one.
    begun: AtomicU64,
    /// The `begun` of the task that is to end.
    condemned: AtomicU64,
}

struct State {
    /// Tasks, each with the tick in which it came.
    queue: VecDeque<(Runnable, u64)>,
    /// Seats that nobody sits on.
    seats: usize,
    /// Threads that wait for work. The one that came last is woken first: its caches are warm.
    waiting: Vec<Thread>,
    /// A thread looks at the gateways' rings again and again, and for tasks: it need not be woken.
    looks: bool,
    /// A thread sleeps until a gateway rings.
    listens: bool,
    /// How long is looked before somebody sleeps.
    spin: Spin,
    /// Slots that no thread has.
    free: Vec<usize>,
    /// Threads that have stepped back.
    behind: usize,
}

impl Workers {
    /// Starts a pool with one seat per processor. `on_tick` is called once a tick while anything runs.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn start(on_tick: impl Fn() + Send + 'static) -> io::Result<Self> {
        let seats = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX / 2);
        let pool = Arc::new(Pool::new(seats, Some(Doorbells::new()?)));
        let ticking = pool.clone();
        let ticker =
            thread::Builder::new().name("ticker".into()).spawn(move || ticking.run_ticker(&on_tick))?;
        // Set once: the pool is new.
        let _ = pool.ticker.set(ticker.thread().clone());
        for _ in 0..=seats {
            pool.add_thread(&mut pool.lock())?;
        }
        Ok(Self { pool })
    }

    /// A pool without threads and without a ticker: a task waits until somebody calls [`Workers::run_next`], and no
    /// deadline is kept. It is for tests that say themselves what happens before what.
    #[must_use]
    pub fn without_threads() -> Self {
        Self { pool: Arc::new(Pool::new(0, None)) }
    }

    /// Runs the task that has waited for longest until it ends or waits for something, in the calling thread. False if
    /// there is none.
    pub fn run_next(&self) -> bool {
        let next = self.pool.pop(&mut self.pool.lock());
        next.map(Runnable::run).is_some()
    }

    /// A number that changes as long as the ticker turns. None: it sleeps, because nothing runs.
    pub(crate) fn ticker_turns(&self) -> Option<u64> {
        let turns = self.pool.turns.load(Ordering::Acquire);
        (!self.pool.asleep.load(Ordering::Acquire)).then_some(turns)
    }

    /// Runs a future on the worker threads, to its end.
    pub fn spawn<F>(&self, future: F)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let pool = self.pool.clone();
        let builder = Builder::new().metadata(Arc::new(Habit::default()));
        let (runnable, task) = builder.spawn(|_| future, move |runnable| pool.schedule(runnable));
        task.detach();
        runnable.schedule();
    }
}

thread_local! {
    /// The pool and the slot of this worker thread.
    static PLACE: RefCell<Option<(Arc<Pool>, usize)>> = const { RefCell::new(None) };
    static TURNS: Turns = const { Turns::new(LONG_TURN) };
    static BEAT: Beat = const { Beat::new() };
    static PRECEDENCE: Precedence = const { Precedence::new() };
}

/// Whether the task that this thread runs must end, to free its thread for others.
pub(crate) fn is_condemned() -> bool {
    PLACE.with_borrow(|place| {
        place.as_ref().is_some_and(|(pool, slot)| {
            let slot = &pool.slots[*slot];
            slot.is_condemned(slot.begun.load(Ordering::Relaxed))
        })
    })
}

/// To be called often by a task that may go on and on: threads that wait for this processor go first now and then.
pub(crate) fn give_way() {
    TURNS.with(Turns::give_way);
}

/// Runs what sleeps: no beat wakes it.
pub(crate) fn while_it_waits<T>(wait: impl FnOnce() -> T) -> T {
    BEAT.with(|beat| beat.rest(wait))
}

/// The task that this thread runs has computed for long: other threads of the machine go first until it ends.
pub(crate) fn step_back() {
    PLACE.with_borrow(|place| {
        let Some((pool, _)) = place else { return };
        BEAT.with(Beat::begin);
        if PRECEDENCE.with(Precedence::is_behind) {
            return;
        }
        {
            let mut state = pool.lock();
            // One stays as it is: what a thread that has stepped back begins, would be behind for good.
            if state.threads() - state.behind <= 1 {
                return;
            }
            state.behind += 1;
        }
        // Not under the lock: whoever waits for that would wait for a thread that others go before.
        if !PRECEDENCE.with(Precedence::step_back) {
            pool.lock().behind -= 1;
        }
    });
}

impl State {
    fn threads(&self) -> usize {
        THREADS_MAX - self.free.len()
    }

    /// Whether every thread has something to do.
    fn has_no_spare(&self) -> bool {
        self.waiting.is_empty() && !self.listens && !self.looks
    }
}

impl Pool {
    fn new(seats: usize, doorbells: Option<Doorbells>) -> Self {
        Self {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                seats,
                waiting: Vec::new(),
                looks: false,
                listens: false,
                spin: Spin::new(),
                free: (0..THREADS_MAX).rev().collect(),
                behind: 0,
            }),
            slots: std::array::from_fn(|_| Slot::default()),
            tick: AtomicU64::new(0),
            turns: AtomicU64::new(0),
            asleep: AtomicBool::new(false),
            is_short: AtomicBool::new(false),
            ticker: OnceLock::new(),
            queued: AtomicUsize::new(0),
            doorbells,
            run_time: AtomicU64::new(0),
            #[cfg(test)]
            is_unprivileged: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave the state half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn schedule(&self, runnable: Runnable) {
        let now = self.tick.load(Ordering::Relaxed);
        let mut state = self.lock();
        state.queue.push_back((runnable, now));
        self.queued.store(state.queue.len(), Ordering::Release);
        // Who looks finds it.
        let worker = if state.seats > 0 && !state.looks { self.idle(&mut state) } else { None };
        drop(state);
        self.wake(worker);
    }

    fn pop(&self, state: &mut State) -> Option<Runnable> {
        let (runnable, _) = state.queue.pop_front()?;
        self.queued.store(state.queue.len(), Ordering::Release);
        Some(runnable)
    }

    fn add_thread(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let Some(slot) = state.free.last().copied() else { return Ok(()) };
        let pool = self.clone();
        thread::Builder::new()
            .name(format!("worker-{slot}"))
            .stack_size(STACK)
            .spawn(move || pool.work(slot))?;
        state.free.pop();
        Ok(())
    }

    /// A worker thread's life.
    fn work(self: &Arc<Self>, place: usize) {
        PLACE.set(Some((self.clone(), place)));
        let slot = &self.slots[place];
        let mut state = self.lock();
        loop {
            state = self.look_between_tasks(state);
            let runnable = loop {
                if state.seats > 0
                    && let Some(runnable) = self.pop(&mut state)
                {
                    state.seats -= 1;
                    break runnable;
                }
                state = self.rest(state);
            };
            let other = self.other_for_the_rest(&mut state);
            // The last spare thread sits down: have another one ready, should this one get stuck.
            if state.has_no_spare()
                && let Err(error) = self.add_thread(&mut state)
            {
                tracing::warn!(%error, "no spare worker thread to be had");
            }
            drop(state);
            self.wake(other);
            let begun = self.tick.load(Ordering::Relaxed) + 1;
            slot.begun.store(begun, Ordering::Relaxed);
            slot.seat.store(begun, Ordering::Relaxed);
            self.keep_ticking();
            let habit = runnable.metadata().clone();
            if habit.is_long() {
                BEAT.with(Beat::begin);
                // Whoever has woken this thread would wait for it to the end, if they are on one processor.
                thread::yield_now();
            }
            // A panic belongs to the task, whose awaiter sees it as a failed task.
            let since = Instant::now();
            let _ = panic::catch_unwind(panic::AssertUnwindSafe(|| runnable.run()));
            let taken = since.elapsed();
            self.note_run_time(taken);
            give_way();
            habit.note(taken);
            BEAT.with(Beat::end);
            let seated = slot.seat.swap(IDLE, Ordering::AcqRel) != UNSEATED;
            let was_behind = PRECEDENCE.with(Precedence::is_behind);
            // Before it has the lock, see above.
            let is_behind = was_behind && !self.step_forward();
            state = self.lock();
            if seated {
                state.seats += 1;
            }
            if was_behind {
                state.behind -= 1;
            }
            if is_behind {
                // It would be slower for every task to come.
                state.free.push(place);
                // Others are there, and will have others made; but not where all of them are stuck. One that this thread
                // made would be behind as well.
                if state.has_no_spare() {
                    self.is_short.store(true, Ordering::Release);
                }
                let other = self.idle(&mut state);
                drop(state);
                self.wake(other);
                return;
            }
        }
    }

    /// Undoes a step back of this thread, if the system lets it.
    fn step_forward(&self) -> bool {
        #[cfg(test)]
        if self.is_unprivileged.load(Ordering::Relaxed) {
            return false;
        }
        PRECEDENCE.with(Precedence::step_forward)
    }

    /// Wakes the ticker if it sleeps. Either this sees that it sleeps, or it sees this thread's slot.
    fn keep_ticking(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed)
            && let Some(ticker) = self.ticker.get()
        {
            ticker.unpark();
        }
    }

    fn run_ticker(self: &Arc<Self>, on_tick: &dyn Fn()) {
        take_shortest_turns();
        let mut idle = 0;
        loop {
            thread::sleep(TICK);
            on_tick();
            self.turns.fetch_add(1, Ordering::Release);
            let now = self.tick.fetch_add(1, Ordering::Relaxed) + 1;
            idle = if self.unseat_the_slow(now) { 0 } else { idle + 1 };
            if self.is_short.swap(false, Ordering::Acquire) {
                // If there is none, it is looked after as where none was to be had for another reason.
                let _ = self.add_thread(&mut self.lock());
            }
            if now.is_multiple_of(LOOK) {
                self.look_for_starving(now);
            }
            if idle < IDLE_TICKS {
                continue;
            }
            self.asleep.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            while self.slots.iter().all(|slot| slot.seat.load(Ordering::Relaxed) == IDLE) {
                thread::park();
            }
            self.turns.fetch_add(1, Ordering::Release);
            self.asleep.store(false, Ordering::Release);
            idle = 0;
        }
    }

    /// Takes the seats of the tasks that have run for more than a tick. True if anything runs at all.
    fn unseat_the_slow(&self, now: u64) -> bool {
        let mut running = false;
        for slot in &self.slots {
            let seen = slot.seat.load(Ordering::Relaxed);
            running |= seen != IDLE;
            // Begun in tick n is stored as n + 1: more than one whole tick has passed at n + 2.
            let slow = seen != IDLE && seen != UNSEATED && now > seen;
            if slow && slot.seat.compare_exchange(seen, UNSEATED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            {
                let mut state = self.lock();
                state.seats += 1;
                // Also without a task: the one that is slow may have been the one that looks at the rings.
                let worker = if state.looks { None } else { self.idle(&mut state) };
                drop(state);
                self.wake(worker);
            }
        }
        running
    }

    /// Frees a thread for a task that waits while all threads are stuck, and says so if that does not help.
    fn look_for_starving(self: &Arc<Self>, now: u64) {
        // Whoever holds the lock is not stuck.
        let Ok(mut state) = self.state.try_lock() else { return };
        let Some(waited) = state.queue.front().map(|(_, came)| now.saturating_sub(*came)) else { return };
        if waited < LOOK || !state.has_no_spare() {
            return;
        }
        let (threads, tasks) = (state.threads(), state.queue.len());
        let is_full = threads == THREADS_MAX || self.add_thread(&mut state).is_err();
        drop(state);
        if is_full {
            self.condemn_the_longest_running();
        }
        if waited >= STUCK && now % STUCK < LOOK {
            tracing::error!(
                threads,
                tasks,
                waited_ms = waited,
                "the host is stuck: all its threads are busy"
            );
        }
    }

    fn condemn_the_longest_running(&self) {
        if let Some((slot, begun)) = self.longest_running() {
            // The task that was chosen, and not the one that may have come in its place.
            slot.condemned.store(begun, Ordering::Relaxed);
        }
    }

    /// The thread whose task has run for longest, and when that began. One that has been condemned and does not
    /// end is in host code: the next one must give way.
    fn longest_running(&self) -> Option<(&Slot, u64)> {
        let running = self.slots.iter().filter_map(|slot| {
            let begun = slot.begun.load(Ordering::Relaxed);
            (slot.seat.load(Ordering::Relaxed) != IDLE && !slot.is_condemned(begun)).then_some((slot, begun))
        });
        running.min_by_key(|(_, begun)| *begun)
    }
}

impl Slot {
    /// Whether the task that began then is to end.
    fn is_condemned(&self, begun: u64) -> bool {
        self.condemned.load(Ordering::Relaxed) == begun
    }
}

#[cfg(test)]
mod tests;
