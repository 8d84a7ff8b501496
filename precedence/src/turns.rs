//! How long a thread may run on before others have their turn.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// The shortest turn that Linux knows: that of threads which run for microseconds at a time.
const SHORTEST: Duration = Duration::from_micros(100);
/// Who runs on for so long is not one of those.
const LONG_RUN: Duration = Duration::from_micros(300);
/// Until it has slept so often without that.
const CALM: u32 = 32;

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
    /// How often it has to sleep before its turns are the shortest again; zero: they are.
    calm_in: u32,
    /// The turns that the system has been told.
    told: Option<Duration>,
}

impl Turns {
    /// With this turn, of 0.1 to 100 ms, while it runs on.
    #[must_use]
    pub const fn new(long: Duration) -> Self {
        let state = State { since: None, calm_in: 0, told: None };
        Self { long, state: Cell::new(state) }
    }

    /// This thread is about to sleep until there is something for it.
    pub fn before_sleep(&self) {
        let state = self.state.get();
        let calm_in = if state.has_run_for(LONG_RUN) { CALM } else { state.calm_in.saturating_sub(1) };
        self.tell(State { calm_in, ..state });
    }

    /// It has slept.
    pub fn after_sleep(&self) {
        self.state.set(State { since: Some(Instant::now()), ..self.state.get() });
    }

    /// To be called now and then by a thread that may go on and on. If it has done so for 0.1 ms, another that waits for
    /// this processor goes first. It costs a look at the clock.
    pub fn give_way(&self) {
        let state = self.state.get();
        if state.has_run_for(SHORTEST) {
            self.tell(State { calm_in: CALM, ..state });
            thread::yield_now();
            self.after_sleep();
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
    fn has_run_for(&self, time: Duration) -> bool {
        self.since.is_some_and(|since| since.elapsed() > time)
    }
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
mod tests {
    use super::*;

    /// Ages what it remembers.
    fn run_for(turns: &Turns, time: Duration) {
        let since = Instant::now().checked_sub(time).unwrap();
        turns.state.set(State { since: Some(since), ..turns.state.get() });
    }

    fn is_short(turns: &Turns) -> bool {
        let told = turns.state.get().told;
        #[cfg(target_os = "linux")]
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
    fn who_gives_way_has_run_on() {
        let turns = Turns::new(Duration::from_micros(400));
        turns.give_way();
        assert!(is_short(&turns));
        run_for(&turns, 2 * SHORTEST);
        turns.give_way();
        assert!(!is_short(&turns));
    }
}
