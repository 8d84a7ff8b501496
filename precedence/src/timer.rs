//! A timer that interrupts one thread, as Linux has it: timer_create(2) with SIGEV_THREAD_ID.
//!
//! The signal is SIGURG, which nobody misses: a process that does not ask for it ignores it, so what a program starts is not
//! ended by one that is left; debuggers pass it on; and libraries that use it have to expect more of them than they ask for.
//! Go's runtime interrupts its threads by it for the same reasons.

#![allow(unsafe_code, reason = "no safe library has timers that interrupt one thread")]

use std::cell::Cell;
use std::mem::{MaybeUninit, zeroed};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::time::Duration;

use libc::{
    CLOCK_MONOTONIC, RUSAGE_THREAD, SA_RESTART, SIG_DFL, SIG_IGN, SIGEV_THREAD_ID, SIGURG, c_int, c_long,
    getrusage, gettid, itimerspec, rusage, sched_yield, sigaction, sigevent, time_t, timer_create,
    timer_delete, timer_settime, timer_t, timespec,
};

/// The period while others want the processor.
const OFTEN: Duration = Duration::from_micros(50);
/// The period while nobody does.
const SELDOM: Duration = Duration::from_micros(800);
/// After so many beats at which nobody did the period becomes longer.
const QUIET: u32 = 64;
/// The longest period, of a thread that sleeps.
const ASLEEP: Duration = Duration::from_millis(100);
/// Who has run for less since the last beat goes on. A beat that is due while the thread waits for the processor comes when it
/// has got it: without this it would never get further.
const LEAST: Duration = Duration::from_micros(25);

thread_local! {
    /// Neither is made when it is used first, nor goes before the thread does: so a handler may use it.
    static PACE: Pace = const { Pace::new() };
}

/// How often this thread is interrupted.
struct Pace {
    timer: Cell<Option<timer_t>>,
    /// Zero: not at all.
    period: Cell<Duration>,
    /// What the thread had had at the last beat.
    had: Cell<Had>,
    /// Beats since somebody wanted the processor, or the period has changed.
    quiet: Cell<u32>,
    #[cfg(test)]
    beats: Cell<u64>,
}

/// What a thread has had since it began.
#[derive(Clone, Copy)]
struct Had {
    /// Of the processor.
    time: Duration,
    /// How often another has gone first while it could have run on.
    others: c_long,
    /// How often it has slept.
    sleeps: c_long,
}

impl Pace {
    const fn new() -> Self {
        Self {
            timer: Cell::new(None),
            period: Cell::new(Duration::ZERO),
            had: Cell::new(Had { time: Duration::ZERO, others: 0, sleeps: 0 }),
            quiet: Cell::new(0),
            #[cfg(test)]
            beats: Cell::new(0),
        }
    }

    /// Whether the thread has run for so long since the last beat that others go first.
    fn is_others_turn(&self, now: Had) -> bool {
        now.time.saturating_sub(self.had.get().time) >= LEAST
    }

    /// The period with which a thread begins to compute: that it has slept before does not matter.
    fn begin(&self, now: Had) -> Duration {
        let had = self.had.replace(now);
        let period = if now.others == had.others { self.period.get().clamp(OFTEN, SELDOM) } else { OFTEN };
        self.quiet.set(0);
        self.period.set(period);
        period
    }

    /// The period from this beat on.
    fn next(&self, now: Had) -> Duration {
        let (had, before) = (self.had.replace(now), self.period.get());
        let period = if now.others != had.others {
            OFTEN
        } else if now.sleeps != had.sleeps {
            ASLEEP.min(2 * before)
        } else if before > SELDOM {
            // It is awake again.
            OFTEN
        } else if self.quiet.get() >= QUIET {
            SELDOM.min(2 * before)
        } else {
            self.quiet.set(self.quiet.get() + 1);
            return before;
        };
        self.quiet.set(0);
        self.period.set(period);
        period
    }
}

/// A timer of the thread that has made it. A thread has one.
#[derive(Debug)]
pub(crate) struct Timer(timer_t);

impl Timer {
    /// None: the system gives none, or this process uses the signal for something else.
    pub(crate) fn of_this_thread() -> Option<Self> {
        static HANDLED: OnceLock<bool> = OnceLock::new();
        if !HANDLED.get_or_init(handle) {
            return None;
        }
        // SAFETY: it is a structure of numbers and pointers, for which zero is a value.
        let mut event: sigevent = unsafe { zeroed() };
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = SIGURG;
        // SAFETY: it has no arguments, and cannot fail.
        event.sigev_notify_thread_id = unsafe { gettid() };
        let mut timer = MaybeUninit::uninit();
        // SAFETY: both pointers are to what the call wants, for as long as it lasts.
        let made = unsafe { timer_create(CLOCK_MONOTONIC, &raw mut event, timer.as_mut_ptr()) };
        // SAFETY: the call has written it if it has succeeded.
        (made == 0).then(|| Self(unsafe { timer.assume_init() }))
    }

    /// Interrupts from now on.
    pub(crate) fn start(&self) {
        PACE.with(|pace| {
            pace.timer.set(Some(self.0));
            set(self.0, pace.begin(had()));
        });
    }

    /// Does not interrupt any more.
    pub(crate) fn stop(&self) {
        PACE.with(|pace| pace.timer.set(None));
        set(self.0, Duration::ZERO);
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        PACE.with(|pace| pace.timer.set(None));
        // SAFETY: it was made by `of_this_thread`, and nobody has it any more.
        let _ = unsafe { timer_delete(self.0) };
    }
}

/// Has a timer interrupt with this period; zero is not at all.
fn set(timer: timer_t, period: Duration) {
    let period = timespec {
        tv_sec: period.as_secs().try_into().unwrap_or(time_t::MAX),
        // Less than a billion.
        tv_nsec: period.subsec_nanos() as c_long,
    };
    let times = itimerspec { it_interval: period, it_value: period };
    // SAFETY: the timer is there: who has it calls this, and its thread's handler before that is dropped.
    let _ = unsafe { timer_settime(timer, 0, &raw const times, null_mut()) };
}

/// Sees to the signal. False if somebody else does.
fn handle() -> bool {
    // SAFETY: they are structures of numbers and pointers, for which zero is a value: no flags, no other signal held back.
    let (mut action, mut before): (sigaction, sigaction) = unsafe { (zeroed(), zeroed()) };
    action.sa_sigaction = on_beat as extern "C" fn(c_int) as usize;
    // What waits goes on waiting where the system can do that.
    action.sa_flags = SA_RESTART;
    // SAFETY: the first pointer is none, the second to what the call writes.
    let known = unsafe { sigaction(SIGURG, null(), &raw mut before) } == 0;
    if !known || !matches!(before.sa_sigaction, SIG_DFL | SIG_IGN) {
        return false;
    }
    // SAFETY: the handler is a function of this kind, and does only what a handler may.
    unsafe { sigaction(SIGURG, &raw const action, null_mut()) == 0 }
}

/// Whoever waits for this processor goes first. These calls may be made by a handler, and fail never on Linux, so that they
/// leave what the interrupted call has said of its own failure.
extern "C" fn on_beat(_: c_int) {
    PACE.with(|pace| {
        #[cfg(test)]
        pace.beats.set(pace.beats.get() + 1);
        // None: it was stopped, and this one was on its way.
        let Some(timer) = pace.timer.get() else { return };
        if pace.is_others_turn(had()) {
            // SAFETY: it has no arguments.
            unsafe { sched_yield() };
        }
        let before = pace.period.get();
        let period = pace.next(had());
        if period != before {
            set(timer, period);
        }
    });
}

fn had() -> Had {
    // SAFETY: it is a structure of numbers, for which zero is a value.
    let mut usage: rusage = unsafe { zeroed() };
    // SAFETY: the call writes what it wants there.
    let _ = unsafe { getrusage(RUSAGE_THREAD, &raw mut usage) };
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Had {
        time: Duration::try_from(time).unwrap_or_default(),
        others: usage.ru_nivcsw,
        sleeps: usage.ru_nvcsw,
    }
}

/// How often this thread was interrupted.
#[cfg(test)]
pub(crate) fn beats() -> u64 {
    PACE.with(|pace| pace.beats.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread that computes, and at whose beats others wait for its processor, or nobody does, or it has slept.
    #[derive(Clone, Copy)]
    enum Since {
        Wanted,
        Nobody,
        Slept,
    }

    fn beat(pace: &Pace, since: Since) -> Duration {
        let had = pace.had.get();
        pace.next(match since {
            Since::Wanted => Had { others: had.others + 1, ..had },
            Since::Nobody => had,
            Since::Slept => Had { sleeps: had.sleeps + 1, ..had },
        })
    }

    const NOTHING: Had = Had { time: Duration::ZERO, others: 0, sleeps: 0 };

    fn begun() -> Pace {
        let pace = Pace::new();
        assert_eq!(pace.begin(NOTHING), OFTEN);
        pace
    }

    #[test]
    fn who_has_slept_between_two_tasks_begins_with_the_period_of_the_last() {
        let pace = begun();
        for sleeps in 1..100 {
            assert_eq!(pace.begin(Had { sleeps, ..NOTHING }), OFTEN);
        }
        for _ in 0..10 * QUIET {
            beat(&pace, Since::Nobody);
        }
        assert_eq!(pace.begin(Had { sleeps: 100, ..NOTHING }), SELDOM);
        while beat(&pace, Since::Slept) < ASLEEP {}
        let sleeps = pace.had.get().sleeps + 1;
        assert_eq!(pace.begin(Had { sleeps, ..NOTHING }), SELDOM);
        assert_eq!(pace.begin(Had { sleeps, others: 1, ..NOTHING }), OFTEN);
    }

    #[test]
    fn nobody_who_waits_makes_it_seldom_and_somebody_often_again() {
        let pace = begun();
        let periods: Vec<_> = (0..10 * QUIET).map(|_| beat(&pace, Since::Nobody)).collect();
        assert!(periods.is_sorted());
        assert_eq!(periods.last(), Some(&SELDOM));
        assert_eq!(periods.iter().filter(|period| **period == OFTEN).count(), QUIET as usize);
        assert_eq!(beat(&pace, Since::Wanted), OFTEN);
    }

    #[test]
    fn who_sleeps_is_not_woken_often() {
        let pace = begun();
        let before: Duration = (0..20).map(|_| beat(&pace, Since::Slept)).sum();
        assert!(before > 2 * ASLEEP);
        assert_eq!(beat(&pace, Since::Slept), ASLEEP);
        assert_eq!(beat(&pace, Since::Nobody), OFTEN);
    }

    #[test]
    fn who_has_waited_for_the_processor_goes_on_when_it_has_it() {
        let pace = Pace::new();
        let before = Had { time: Duration::from_secs(1), others: 0, sleeps: 0 };
        pace.begin(before);
        assert!(!pace.is_others_turn(before));
        assert!(!pace.is_others_turn(Had { time: before.time + LEAST / 2, others: 1, ..before }));
        assert!(pace.is_others_turn(Had { time: before.time + LEAST, ..before }));
    }

    #[test]
    fn what_the_thread_has_had_is_told() {
        let before = had();
        std::thread::sleep(Duration::from_millis(2));
        let after = had();
        assert!(after.sleeps > before.sleeps);
        while had().time < after.time + LEAST {}
    }
}
