//! `timers`: being called again later.

use std::time::Duration;

use crate::bindings::sandgate::gateway::timers::{Host, Timer, TimerError};
use crate::sandbox::Guest;
use crate::timers::TimerRefusal;

impl Host for Guest {
    fn every(&mut self, milliseconds: u64) -> Result<Timer, TimerError> {
        start(self, milliseconds, true)
    }

    fn after(&mut self, milliseconds: u64) -> Result<Timer, TimerError> {
        start(self, milliseconds, false)
    }

    fn cancel(&mut self, timer: Timer) {
        self.timers.cancel(timer);
    }
}

fn start(guest: &Guest, milliseconds: u64, repeats: bool) -> Result<Timer, TimerError> {
    if !guest.handles_timers {
        return Err(TimerError::NoHandler);
    }
    let period = Duration::from_millis(milliseconds);
    guest.timers.start(period, repeats).map_err(|refusal| match refusal {
        TimerRefusal::TooMany => TimerError::TooMany,
        TimerRefusal::ZeroPeriod => TimerError::ZeroPeriod,
    })
}
