//! A module's timers: a queue of deadlines, which the module's actor waits for together with its messages.
//!
//! Nothing ticks on its own. The actor asks when the next deadline comes, and the runtime wakes it then;
//! starting and ending timers costs no task and wakes nobody. Only the actor calls the guest, and only the
//! guest changes its timers, so the actor always asks after a change.
//!
//! By a clock that is turned by hand nobody is woken: whoever turns it asks what has come due.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::hand_clock::HandClock;

/// A year: as good as never.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

/// The timers of one instance. Cloning shares them.
#[derive(Clone)]
pub(crate) struct Timers {
    clock: Clock,
    limit: usize,
    state: Arc<Mutex<State>>,
}

/// What the timers tick by.
#[derive(Clone)]
enum Clock {
    Runtime(Handle),
    Hand(HandClock),
}

impl Clock {
    fn now(&self) -> Instant {
        match self {
            Self::Runtime(_) => Instant::now(),
            Self::Hand(clock) => clock.now(),
        }
    }
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
        Self { clock: Clock::Runtime(runtime), limit: limit as usize, state: Arc::default() }
    }

    /// Up to `limit` timers that tick by a clock that is turned by hand.
    pub(crate) fn by_hand(clock: HandClock, limit: u64) -> Self {
        Self { clock: Clock::Hand(clock), limit: limit as usize, state: Arc::default() }
    }

    /// The clock that is turned by hand, where they tick by one.
    pub(crate) fn hand_clock(&self) -> Option<&HandClock> {
        match &self.clock {
            Clock::Runtime(_) => None,
            Clock::Hand(clock) => Some(clock),
        }
    }

    /// When the next one comes due.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.lock().queue.first().map(|(deadline, _)| *deadline)
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
        let now = self.clock.now();
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
        let now = self.clock.now();
        if deadline > now {
            let Clock::Runtime(runtime) = &self.clock else { return Poll::Pending };
            let alarm = state.alarm.get_or_insert_with(|| {
                let _runtime = runtime.enter();
                Box::pin(sleep_until(deadline))
            });
            if alarm.deadline() != deadline {
                alarm.as_mut().reset(deadline);
            }
            ready!(alarm.as_mut().poll(context));
        }
        state.tick(deadline, timer, self.clock.now());
        Poll::Ready(timer)
    }
}

impl State {
    /// A timer has come due: the next tick of one that repeats is the first that is still to come.
    fn tick(&mut self, deadline: Instant, timer: u64, now: Instant) {
        self.queue.remove(&(deadline, timer));
        let Some(live) = self.live.get_mut(&timer) else { return };
        let Some(period) = live.period else {
            self.live.remove(&timer);
            return;
        };
        let now = now.max(deadline);
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

    #[test]
    fn by_a_clock_of_ones_own_timers_tick_when_it_is_turned() {
        let clock = HandClock::new();
        let timers = Timers::by_hand(clock.clone(), 2);
        let due = || timers.poll_due(&mut Context::from_waker(std::task::Waker::noop()));
        assert_eq!(timers.next_deadline(), None);
        let repeats = timers.start(SECOND, true).unwrap();
        let once = timers.start(SECOND + SECOND / 2, false).unwrap();
        assert!(due().is_pending());
        clock.turn_to(timers.next_deadline().unwrap());
        assert_eq!(due(), Poll::Ready(repeats));
        assert!(due().is_pending());
        clock.turn_to(clock.now() + 3 * SECOND);
        assert_eq!([due(), due()], [Poll::Ready(once), Poll::Ready(repeats)]);
        assert!(due().is_pending(), "a tick that came while one waited is skipped");
        assert_eq!(timers.next_deadline(), Some(clock.now() + SECOND));
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
