//! A module's timers: they tick on the asynchronous side, and wait here until the module is called.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// The timers of one instance. Cloning shares them; they end with the last clone.
#[derive(Clone)]
pub(crate) struct Timers {
    runtime: Handle,
    limit: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    next: u64,
    live: BTreeMap<u64, Live>,
    /// Timers whose time has come; each stands here once at most.
    due: VecDeque<u64>,
    waker: Option<Waker>,
}

struct Live {
    task: AbortHandle,
    repeats: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TimerRefusal {
    TooMany,
    ZeroPeriod,
}

impl Timers {
    /// Up to `limit` timers that tick on this runtime.
    pub(crate) fn new(runtime: Handle, limit: usize) -> Self {
        Self { runtime, limit, state: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// A timer that ticks every so often, or once.
    pub(crate) fn start(&self, period: Duration, repeats: bool) -> Result<u64, TimerRefusal> {
        if period.is_zero() {
            return Err(TimerRefusal::ZeroPeriod);
        }
        let mut state = self.lock();
        if state.live.len() >= self.limit {
            return Err(TimerRefusal::TooMany);
        }
        let timer = state.next;
        state.next += 1;
        let shared = Arc::downgrade(&self.state);
        let task = self.runtime.spawn(async move {
            // A period that no clock can hold is as good as never.
            let Some(first) = Instant::now().checked_add(period) else { return };
            let mut ticks = interval_at(first, period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                let Some(state) = shared.upgrade() else { return };
                lock(&state).tick(timer);
                if !repeats {
                    return;
                }
            }
        });
        state.live.insert(timer, Live { task: task.abort_handle(), repeats });
        Ok(timer)
    }

    /// Ends a timer and withdraws its tick.
    pub(crate) fn cancel(&self, timer: u64) {
        let mut state = self.lock();
        if let Some(live) = state.live.remove(&timer) {
            live.task.abort();
        }
        state.due.retain(|due| *due != timer);
    }

    /// The timer that has been due for longest.
    pub(crate) fn poll_due(&self, context: &Context<'_>) -> Poll<u64> {
        let mut state = self.lock();
        if let Some(timer) = state.due.pop_front() {
            if state.live.get(&timer).is_some_and(|live| !live.repeats) {
                state.live.remove(&timer);
            }
            return Poll::Ready(timer);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl State {
    fn tick(&mut self, timer: u64) {
        if self.live.contains_key(&timer) && !self.due.contains(&timer) {
            self.due.push_back(timer);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.live.values().for_each(|live| live.task.abort());
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // A panic while the lock is held cannot leave the state half-changed.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timers() -> Timers {
        Timers::new(Handle::current(), 2)
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_ticks_every_period() {
        let timers = timers();
        let begin = Instant::now();
        let timer = timers.start(SECOND, true).unwrap();
        for n in 1..4 {
            assert_eq!(poll_fn(|context| timers.poll_due(context)).await, timer);
            assert_eq!(begin.elapsed().as_secs(), n);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn ticks_that_nobody_takes_are_skipped() {
        let timers = timers();
        let timer = timers.start(SECOND, true).unwrap();
        tokio::time::sleep(10 * SECOND + SECOND / 2).await;
        assert_eq!(poll_fn(|context| timers.poll_due(context)).await, timer);
        assert!(poll_fn(|context| Poll::Ready(timers.poll_due(context))).await.is_pending());
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_shot_ticks_once_and_makes_room() {
        let timers = timers();
        let first = timers.start(SECOND, false).unwrap();
        timers.start(10 * SECOND, true).unwrap();
        assert_eq!(timers.start(SECOND, true), Err(TimerRefusal::TooMany));
        assert_eq!(poll_fn(|context| timers.poll_due(context)).await, first);
        assert!(timers.start(SECOND, true).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_withdraws_a_waiting_tick() {
        let timers = timers();
        let timer = timers.start(SECOND, true).unwrap();
        tokio::time::sleep(2 * SECOND).await;
        timers.cancel(timer);
        assert!(poll_fn(|context| Poll::Ready(timers.poll_due(context))).await.is_pending());
        assert_eq!(timers.start(Duration::ZERO, true), Err(TimerRefusal::ZeroPeriod));
    }
}
