//! A module's timers: a queue of deadlines, which the module's actor waits for together with its messages.
//!
//! Nothing ticks on its own. The actor asks when the next deadline comes, and the runtime wakes it then;
//! starting and ending timers costs no task and wakes nobody. Only the actor calls the guest, and only the
//! guest changes its timers, so the actor always asks after a change.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until};

/// A year: as good as never.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

/// The timers of one instance. Cloning shares them.
#[derive(Clone)]
pub(crate) struct Timers {
    runtime: Handle,
    limit: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    next: u64,
    live: BTreeMap<u64, Timer>,
    /// The deadlines of all that live, the earliest first.
    queue: BTreeSet<(Instant, u64)>,
    /// What wakes the actor, made for the first timer.
    alarm: Option<Pin<Box<Sleep>>>,
}

struct Timer {
    deadline: Instant,
    /// None: it ticks once.
    period: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TimerRefusal {
    TooMany,
    ZeroPeriod,
}

impl Timers {
    /// Up to `limit` timers that tick by this runtime's clock.
    pub(crate) fn new(runtime: Handle, limit: u64) -> Self {
        Self { runtime, limit: limit as usize, state: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave the state half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        let now = Instant::now();
        let deadline = now.checked_add(period).unwrap_or_else(|| now + NEVER);
        state.live.insert(timer, Timer { deadline, period: repeats.then_some(period) });
        state.queue.insert((deadline, timer));
        Ok(timer)
    }

    /// Ends a timer, and withdraws its tick.
    pub(crate) fn cancel(&self, timer: u64) {
        let mut state = self.lock();
        if let Some(ended) = state.live.remove(&timer) {
            state.queue.remove(&(ended.deadline, timer));
        }
    }

    /// The timer that has been due for longest. Pending: the next one's deadline wakes the task.
    pub(crate) fn poll_due(&self, context: &mut Context<'_>) -> Poll<u64> {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(&(deadline, timer)) = state.queue.first() else { return Poll::Pending };
        if deadline > Instant::now() {
            let alarm = state.alarm.get_or_insert_with(|| {
                let _runtime = self.runtime.enter();
                Box::pin(sleep_until(deadline))
            });
            if alarm.deadline() != deadline {
                alarm.as_mut().reset(deadline);
            }
            ready!(alarm.as_mut().poll(context));
        }
        state.tick(deadline, timer);
        Poll::Ready(timer)
    }
}

impl State {
    /// A timer has come due: the next tick of one that repeats is the first that is still to come.
    fn tick(&mut self, deadline: Instant, timer: u64) {
        self.queue.remove(&(deadline, timer));
        let Some(live) = self.live.get_mut(&timer) else { return };
        let Some(period) = live.period else {
            self.live.remove(&timer);
            return;
        };
        let now = Instant::now().max(deadline);
        let into_this_period = now.duration_since(deadline).as_nanos() % period.as_nanos();
        let left = period.as_nanos() - into_this_period;
        live.deadline = now + Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX));
        self.queue.insert((live.deadline, timer));
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timers() -> Timers {
        Timers::new(Handle::current(), 2)
    }

    async fn is_due(timers: &Timers) -> bool {
        poll_fn(|context| Poll::Ready(timers.poll_due(context))).await.is_ready()
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
        let begin = Instant::now();
        assert_eq!(poll_fn(|context| timers.poll_due(context)).await, timer);
        assert!(!is_due(&timers).await);
        assert_eq!(poll_fn(|context| timers.poll_due(context)).await, timer);
        assert!(begin.elapsed() <= SECOND / 2 + Duration::from_millis(2), "the rhythm stays");
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
        assert!(!is_due(&timers).await);
        assert_eq!(timers.start(Duration::ZERO, true), Err(TimerRefusal::ZeroPeriod));
    }

    #[tokio::test(start_paused = true)]
    async fn starting_and_ending_timers_in_a_loop_leaves_nothing_behind() {
        let timers = timers();
        let tasks = Handle::current().metrics().num_alive_tasks();
        for _ in 0..10_000 {
            let timer = timers.start(SECOND, false).unwrap();
            timers.cancel(timer);
        }
        timers.start(Duration::MAX, true).unwrap();
        assert!(!is_due(&timers).await);
        let state = timers.lock();
        assert_eq!((state.live.len(), state.queue.len()), (1, 1));
        assert_eq!(Handle::current().metrics().num_alive_tasks(), tasks);
    }

    #[tokio::test(start_paused = true)]
    async fn the_timer_that_has_been_due_for_longest_comes_first() {
        let timers = timers();
        let late = timers.start(2 * SECOND, true).unwrap();
        let early = timers.start(SECOND + SECOND / 2, true).unwrap();
        tokio::time::sleep(2 * SECOND + SECOND / 4).await;
        assert_eq!(poll_fn(|context| timers.poll_due(context)).await, early);
        assert_eq!(poll_fn(|context| timers.poll_due(context)).await, late);
    }
}
