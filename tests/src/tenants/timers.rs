//! Timers.

use super::{Tenant, When, tenant};

pub(super) fn many_timers() -> Tenant {
    tenant("Starts a million timers")
        .stopped_by("the error `too-many`; `max-timers`")
        .told(&["Some((64, TimerError", "too-many"])
}

pub(super) fn busy_timer() -> Tenant {
    tenant("Has a timer of 1 ms and is busy longer than that with each tick, here 5 ms")
        .when(When::Started)
        .arguments("5000")
        .stopped_by("nothing: a tick that comes too early is skipped, and messages have their turn")
        .busy()
}

pub(super) fn churn_timers() -> Tenant {
    tenant("Starts and cancels timers for ever")
        .limit("timeout=300ms")
        .stopped_by("`timeout-receive`")
        .ended(&["was ended in `receive`, which took longer than 300 ms (timeout-receive)"])
        .busy()
}
