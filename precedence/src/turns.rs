//! How long a thread may run on before others have their turn.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// The shortest turn that Linux knows: that of threads which run for microseconds at a time.
const SHORTEST: Duration = Duration::from_micros(100);
/// Who runs on for so long is not one of those.
const LONG_RUN: Duration = Duration::from_micros(300);
/// Until it has slept so often without that.
const CALM: u32 = 256;

/// The turns of the thread that it belongs to.
///
/// They are the shortest as long as the thread never runs on for more than 0.3 ms. When it wakes it goes before threads
/// whose turns are longer, whatever they do.
#[derive(Debug)]
pub struct Turns {
    /// The turn of a thread that runs on.
    long: Duration,
    state: Cell<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// When it woke, or gave way, last.
    since: Option<Instant>,
    /// The processor's time that it had had when it woke last.
    had: Duration,
    /// How often it has to sleep before its turns are the shortest again; zero: they are.
    calm_in: u32,
    /// The turns that the system has been told.
    told: Option<Duration>,
}

impl Turns {
    /// With this turn, of 0.1 to 100 ms, while it runs on.
    #[must_use]
    pub const fn new(long: Duration) -> Self {
        let state = State { since: None, had: Duration::ZERO, calm_in: 0, told: None };
        Self { long, state: Cell::new(state) }
    }

    /// This thread is about to sleep until there is something for it.
    pub fn before_sleep(&self) {
        let state = self.state.get();
        self.tell(State { calm_in: state.calm_in.saturating_sub(1), ..state }.noting_a_long_run());
    }

    /// It has slept.
    pub fn after_sleep(&self) {
        self.state.set(State { since: Some(Instant::now()), had: time_had(), ..self.state.get() });
    }

    /// To be called now and then by a thread that may go on and on. If it has done so for 0.1 ms, another that waits for
    /// this processor goes first. It costs a look at the clock.
    pub fn give_way(&self) {
        let state = self.state.get();
        if state.since.is_some_and(|since| since.elapsed() > SHORTEST) {
            self.tell(state.noting_a_long_run());
            thread::yield_now();
            self.state.set(State { since: Some(Instant::now()), ..self.state.get() });
        }
    }

    fn tell(&self, state: State) {
        let turn = if state.calm_in == 0 { SHORTEST } else { self.long };
        if state.told != Some(turn) {
            take(turn);
        }
        self.state.set(State { told: Some(turn), ..state });
    }
}

impl State {
    /// Time in which it waited for the processor does not count.
    fn noting_a_long_run(self) -> Self {
        let is_long = self.since.is_some() && time_had().saturating_sub(self.had) > LONG_RUN;
        Self { calm_in: if is_long { CALM } else { self.calm_in }, ..self }
    }
}

/// The processor's time that this thread has had.
#[cfg(target_os = "linux")]
fn time_had() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// The others have no turns that this could be for.
#[cfg(not(target_os = "linux"))]
fn time_had() -> Duration {
    Duration::ZERO
}

/// This thread takes the shortest turns as long as it lives: it never runs for longer than microseconds at a time.
pub fn take_shortest_turns() {
    take(SHORTEST);
}

fn take(turn: Duration) {
    #[cfg(target_os = "linux")]
    // What it is for is only speed, and without it everything works.
    let _ = crate::system::set_turn(turn);
    #[cfg(not(target_os = "linux"))]
    let _ = turn;
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// Makes it seem to have run for so long since it woke.
    fn run_for(turns: &Turns, time: Duration) {
        let state = turns.state.get();
        let since = Instant::now().checked_sub(time).unwrap();
        // A thread of a test has hardly had so much: time is taken from what is still to come.
        let before = Instant::now();
        while time_had() < time && before.elapsed() < Duration::from_secs(10) {}
        turns.state.set(State { since: Some(since), had: time_had().saturating_sub(time), ..state });
    }

    fn is_short(turns: &Turns) -> bool {
        let told = turns.state.get().told;
        assert!(told.is_none() || crate::system::turn().is_zero() || told == Some(crate::system::turn()));
        told.is_none_or(|told| told == SHORTEST)
    }

    #[test]
    fn who_runs_on_has_long_turns_until_it_has_calmed_down() {
        let turns = Turns::new(Duration::from_micros(400));
        turns.before_sleep();
        assert!(is_short(&turns));
        turns.after_sleep();
        run_for(&turns, 2 * LONG_RUN);
        turns.before_sleep();
        for _ in 0..CALM {
            assert!(!is_short(&turns));
            turns.after_sleep();
            turns.before_sleep();
        }
        assert!(is_short(&turns));
    }

    #[test]
    fn who_gives_way_and_goes_on_has_long_turns_before_it_sleeps() {
        let turns = Turns::new(Duration::from_micros(400));
        turns.give_way();
        assert!(is_short(&turns));
        run_for(&turns, 2 * SHORTEST);
        turns.give_way();
        assert!(is_short(&turns));
        run_for(&turns, 2 * LONG_RUN);
        turns.give_way();
        assert!(!is_short(&turns));
    }

    #[test]
    fn who_waits_for_the_processor_does_not_run() {
        let turns = Turns::new(Duration::from_micros(400));
        turns.before_sleep();
        turns.after_sleep();
        thread::sleep(10 * LONG_RUN);
        turns.before_sleep();
        assert!(is_short(&turns));
    }
}
