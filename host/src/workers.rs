//! The threads that call guests, and the ticker that keeps any one of them from holding up the rest.
//!
//! As many threads work at a time as there are *seats* (processors). A task that runs longer than a tick
//! loses its seat: the ticker gives the seat to a spare thread, which goes on with the queue, and the
//! operating system does the preemption. A spinning or blocked guest thus delays nobody for more than a
//! tick or two. The ticker also counts the engine's epochs, by which a guest's deadline is kept; it is a
//! thread of its own, takes one short lock, allocates nothing, and sleeps for good while nobody works.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;
use std::{io, panic};

use async_task::{Runnable, Task};

/// How long a task keeps its seat, and the resolution of deadlines.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// Threads, working, spare and stuck together.
const THREADS_MAX: usize = 64;
/// Idle ticks before the ticker sleeps until there is work again.
const IDLE_TICKS: u32 = 100;

/// The slot of a thread that runs nothing.
const IDLE: u64 = 0;
/// The slot of a thread whose seat the ticker has taken.
const UNSEATED: u64 = u64::MAX;

/// A pool of worker threads. Cloning shares it; it lives as long as the process.
#[derive(Clone)]
pub struct Workers {
    pool: Arc<Pool>,
}

struct Pool {
    state: Mutex<State>,
    /// What each thread does: [`IDLE`], [`UNSEATED`], or the tick in which it began, plus one.
    slots: [AtomicU64; THREADS_MAX],
    tick: AtomicU64,
    asleep: AtomicBool,
    ticker: OnceLock<Thread>,
}

struct State {
    queue: VecDeque<Runnable>,
    /// Seats that nobody sits on.
    seats: usize,
    /// Threads that wait for work. The one that came last is woken first: its caches are warm.
    waiting: Vec<Thread>,
    threads: usize,
}

impl Workers {
    /// Starts a pool with one seat per processor. `on_tick` is called once a tick while anything runs.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn start(on_tick: impl Fn() + Send + 'static) -> io::Result<Self> {
        let seats = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX / 2);
        let pool = Arc::new(Pool {
            state: Mutex::new(State { queue: VecDeque::new(), seats, waiting: Vec::new(), threads: 0 }),
            slots: [const { AtomicU64::new(IDLE) }; THREADS_MAX],
            tick: AtomicU64::new(0),
            asleep: AtomicBool::new(false),
            ticker: OnceLock::new(),
        });
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

    /// Runs a future on the worker threads. Dropping the task cancels the future; `detach` lets it go.
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let pool = self.pool.clone();
        let (runnable, task) = async_task::spawn(future, move |runnable| pool.schedule(runnable));
        runnable.schedule();
        task
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave the state half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn schedule(&self, runnable: Runnable) {
        let mut state = self.lock();
        state.queue.push_back(runnable);
        let worker = if state.seats > 0 { state.waiting.pop() } else { None };
        drop(state);
        if let Some(worker) = worker {
            worker.unpark();
        }
    }

    fn add_thread(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        if state.threads == THREADS_MAX {
            return Ok(());
        }
        let (pool, slot) = (self.clone(), state.threads);
        thread::Builder::new().name(format!("worker-{slot}")).spawn(move || pool.work(slot))?;
        state.threads += 1;
        Ok(())
    }

    /// A worker thread's life.
    fn work(self: &Arc<Self>, slot: usize) {
        let slot = &self.slots[slot];
        let mut state = self.lock();
        loop {
            let runnable = loop {
                if state.seats > 0
                    && let Some(runnable) = state.queue.pop_front()
                {
                    state.seats -= 1;
                    break runnable;
                }
                state.waiting.push(thread::current());
                drop(state);
                thread::park();
                state = self.lock();
                // Whoever woke it took it out; it may also have woken by itself.
                let me = thread::current().id();
                state.waiting.retain(|waiting| waiting.id() != me);
            };
            // The last spare thread sits down: have another one ready, should this one get stuck.
            if state.waiting.is_empty()
                && let Err(error) = self.add_thread(&mut state)
            {
                tracing::warn!(%error, "no spare worker thread to be had");
            }
            drop(state);
            slot.store(self.tick.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            self.keep_ticking();
            // A panic belongs to the task, whose awaiter sees it as a failed task.
            let _ = panic::catch_unwind(panic::AssertUnwindSafe(|| runnable.run()));
            let seated = slot.swap(IDLE, Ordering::AcqRel) != UNSEATED;
            state = self.lock();
            if seated {
                state.seats += 1;
            }
        }
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

    fn run_ticker(&self, on_tick: &dyn Fn()) {
        let mut idle = 0;
        loop {
            thread::sleep(TICK);
            on_tick();
            let now = self.tick.fetch_add(1, Ordering::Relaxed) + 1;
            idle = if self.unseat_the_slow(now) { 0 } else { idle + 1 };
            if idle < IDLE_TICKS {
                continue;
            }
            self.asleep.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            while self.slots.iter().all(|slot| matches!(slot.load(Ordering::Relaxed), IDLE)) {
                thread::park();
            }
            self.asleep.store(false, Ordering::Relaxed);
            idle = 0;
        }
    }

    /// Takes the seats of the tasks that have run for more than a tick. True if anything runs at all.
    fn unseat_the_slow(&self, now: u64) -> bool {
        let mut running = false;
        for slot in &self.slots {
            let seen = slot.load(Ordering::Relaxed);
            running |= seen != IDLE;
            // Begun in tick n is stored as n + 1: more than one whole tick has passed at n + 2.
            let slow = seen != IDLE && seen != UNSEATED && now > seen;
            if slow && slot.compare_exchange(seen, UNSEATED, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                let mut state = self.lock();
                state.seats += 1;
                let worker = state.waiting.pop();
                drop(state);
                if let Some(worker) = worker {
                    worker.unpark();
                }
            }
        }
        running
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn tasks_run_and_return() {
        let workers = Workers::start(|| {}).unwrap();
        let (done, result) = mpsc::channel();
        for n in 0..100 {
            let done = done.clone();
            workers.spawn(async move { done.send(n).unwrap() }).detach();
        }
        let mut seen: Vec<i32> = (0..100).map(|_| result.recv_timeout(LONG).unwrap()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn stuck_tasks_do_not_stop_the_others() {
        let workers = Workers::start(|| {}).unwrap();
        // More of them than there are seats, each stuck until the end of the test.
        let stuck = thread::available_parallelism().map_or(1, usize::from) * 3;
        let gates: Vec<_> = (0..stuck)
            .map(|_| {
                let (release, gate) = mpsc::channel::<()>();
                workers
                    .spawn(async move {
                        let _ = gate.recv();
                    })
                    .detach();
                release
            })
            .collect();
        let (done, result) = mpsc::channel();
        workers.spawn(async move { done.send(()).unwrap() }).detach();
        result.recv_timeout(LONG).expect("a task behind the stuck ones runs");
        drop(gates);
    }

    #[test]
    fn a_panicking_task_leaves_its_thread_and_seat_in_use() {
        let workers = Workers::start(|| {}).unwrap();
        for _ in 0..2 * THREADS_MAX {
            workers.spawn(async { panic!("as intended by this test") }).detach();
        }
        let (done, result) = mpsc::channel();
        workers.spawn(async move { done.send(()).unwrap() }).detach();
        result.recv_timeout(LONG).expect("the pool works on");
    }

    #[test]
    fn the_ticker_ticks_while_something_runs() {
        let (tick, ticks) = mpsc::channel();
        let workers = Workers::start(move || {
            let _ = tick.send(());
        })
        .unwrap();
        // It sleeps after a while without work.
        while ticks.recv_timeout(Duration::from_millis(500)).is_ok() {}
        let (release, gate) = mpsc::channel::<()>();
        workers
            .spawn(async move {
                let _ = gate.recv();
            })
            .detach();
        for _ in 0..2 * IDLE_TICKS {
            ticks.recv_timeout(LONG).expect("it ticks again");
        }
        drop(release);
    }
}
