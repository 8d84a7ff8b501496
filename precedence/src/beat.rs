//! A thread that runs on gives way to a beat, whatever it is doing: in a guest's code, in a library's, between two faults of
//! memory.

use std::cell::{Cell, OnceCell};
use std::marker::PhantomData;

#[cfg(target_os = "linux")]
use crate::timer::Timer;
#[cfg(not(target_os = "linux"))]
use without::Timer;

/// The beat of the thread that it belongs to. Without a beat, as it is made, it costs nothing.
///
/// At every beat another thread that waits for the processor goes first: every 50 microseconds as long as there are some, and
/// less and less often, down to 0.8 milliseconds, while nobody does. A beat costs the thread some microseconds, on a virtual
/// machine up to twenty, and what it waits for in the system may end early, as with every signal: so it is for while it
/// computes.
#[derive(Debug, Default)]
pub struct Beat {
    /// None in it: the system gives no timer, and there is no beat.
    timer: OnceCell<Option<Timer>>,
    beats: Cell<bool>,
    /// It interrupts the thread that it was made in.
    of_thread: PhantomData<*const ()>,
}

impl Beat {
    /// One that does not beat yet. A thread has one of them.
    #[must_use]
    pub const fn new() -> Self {
        Self { timer: OnceCell::new(), beats: Cell::new(false), of_thread: PhantomData }
    }

    /// The thread computes from now on, if it has not done so yet.
    pub fn begin(&self) {
        if !self.beats.replace(true)
            && let Some(timer) = self.timer.get_or_init(Timer::of_this_thread)
        {
            timer.start();
        }
    }

    /// It has computed.
    pub fn end(&self) {
        if self.beats.replace(false)
            && let Some(Some(timer)) = self.timer.get()
        {
            timer.stop();
        }
    }

    /// Without a beat meanwhile, for what sleeps.
    pub fn rest<T>(&self, sleep: impl FnOnce() -> T) -> T {
        let beats = self.beats.get();
        self.end();
        let result = sleep();
        if beats {
            self.begin();
        }
        result
    }
}

/// Other systems have no timers that interrupt one thread.
#[cfg(not(target_os = "linux"))]
mod without {
    #[derive(Debug)]
    pub(super) enum Timer {}

    impl Timer {
        pub(super) fn of_this_thread() -> Option<Self> {
            None
        }

        pub(super) fn start(&self) {
            match *self {}
        }

        pub(super) fn stop(&self) {
            match *self {}
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::timer::beats;

    /// Longer than from a beat to the next.
    const LONG: Duration = Duration::from_millis(20);

    /// Until there have been so many beats more.
    fn compute_for(more: u64) {
        let (since, until) = (Instant::now(), beats() + more);
        while beats() < until {
            assert!(since.elapsed() < Duration::from_secs(20), "there is no beat");
            std::hint::spin_loop();
        }
    }

    /// Twice as many threads that compute as there are processors: each gets on, however much the others do.
    #[test]
    fn threads_with_beats_share_the_processors() {
        const WORK: u64 = 200_000;
        let count = 2 * thread::available_parallelism().map_or(1, usize::from);
        let left = AtomicUsize::new(count);
        let since = Instant::now();
        thread::scope(|scope| {
            for _ in 0..count {
                scope.spawn(|| {
                    let beat = Beat::new();
                    beat.begin();
                    for work in 1_u64.. {
                        if work == WORK {
                            left.fetch_sub(1, Ordering::Relaxed);
                        }
                        if left.load(Ordering::Relaxed) == 0 || since.elapsed() > Duration::from_secs(20) {
                            break;
                        }
                    }
                });
            }
        });
        assert_eq!(left.load(Ordering::Relaxed), 0, "so many have not got on");
    }

    fn assert_there_is_none() {
        let before = beats();
        thread::sleep(LONG);
        // The last one may have been on its way.
        assert!(beats() <= before + 1);
    }

    #[test]
    fn a_thread_that_computes_is_interrupted_until_it_ends() {
        let computing = thread::spawn(|| {
            let beat = Beat::new();
            beat.end();
            assert_eq!(beats(), 0);
            for _ in 0..3 {
                beat.begin();
                compute_for(20);
                beat.begin();
                beat.rest(assert_there_is_none);
                compute_for(3);
                beat.end();
                assert_there_is_none();
                beat.rest(assert_there_is_none);
                assert_there_is_none();
            }
        });
        computing.join().unwrap();
    }

    #[test]
    fn it_is_the_thread_that_has_it_and_no_other() {
        let with = thread::spawn(|| {
            let beat = Beat::new();
            beat.begin();
            let without = thread::spawn(|| {
                let until = Instant::now() + LONG;
                while Instant::now() < until {
                    std::hint::spin_loop();
                }
                beats()
            });
            compute_for(3);
            without.join().unwrap()
        });
        assert_eq!(with.join().unwrap(), 0);
    }

    #[test]
    fn it_ends_with_its_thread_and_others_go_on() {
        for _ in 0..100 {
            thread::spawn(|| {
                thread_local! { static BEAT: Beat = const { Beat::new() }; }
                BEAT.with(Beat::begin);
                compute_for(1);
            })
            .join()
            .unwrap();
        }
    }
}
