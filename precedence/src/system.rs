//! The length of a thread's turns, as Linux has it: sched_setattr(2), whose `sched_runtime` is that for ordinary threads
//! since 6.12.

#![allow(unsafe_code, reason = "no safe library has these two calls")]

use std::io;
use std::time::Duration;

use libc::{
    SCHED_FLAG_RESET_ON_FORK, SCHED_OTHER, SYS_sched_getattr, SYS_sched_setattr, sched_attr, syscall,
};

/// The size of what is exchanged, as the system knows it.
const SIZE: u32 = size_of::<sched_attr>() as u32;
/// The calling thread.
const SELF: libc::pid_t = 0;
/// Of both calls.
const NO_FLAGS: libc::c_uint = 0;

/// Sets the length of this thread's turns; whoever is started by it is as the system has it.
pub(crate) fn set_turn(turn: Duration) -> io::Result<()> {
    let mut attributes = get()?;
    if attributes.sched_policy != SCHED_OTHER as u32 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // Everything else stays as it is: the niceness, too, is set by this call.
    attributes.sched_runtime = u64::try_from(turn.as_nanos()).unwrap_or(u64::MAX);
    let reset_on_fork = SCHED_FLAG_RESET_ON_FORK as u64;
    attributes.sched_flags &= reset_on_fork;
    // It would also take from whoever is started that they go before others by their niceness.
    if attributes.sched_nice >= 0 {
        attributes.sched_flags |= reset_on_fork;
    }
    // SAFETY: the system reads `size` bytes, and the structure has so many.
    let done = unsafe { syscall(SYS_sched_setattr, SELF, &raw const attributes, NO_FLAGS) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The length of this thread's turns; zero where the system knows none.
#[cfg(test)]
pub(crate) fn turn() -> Duration {
    Duration::from_nanos(get().unwrap().sched_runtime)
}

/// How this thread is scheduled.
fn get() -> io::Result<sched_attr> {
    let mut attributes = sched_attr {
        size: SIZE,
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the system writes no more than `SIZE` bytes, and the structure has so many.
    let done = unsafe { syscall(SYS_sched_getattr, SELF, &raw mut attributes, SIZE, NO_FLAGS) };
    if done == 0 { Ok(attributes) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use rustix::process::{getpriority_process, setpriority_process};

    use super::*;

    const TURN: Duration = Duration::from_micros(300);

    /// In a thread of its own, which is as the system has it.
    fn in_a_thread(test: impl FnOnce() + Send + 'static) {
        thread::spawn(test).join().unwrap();
    }

    #[test]
    fn it_is_this_thread_and_no_other_and_changes_nothing_else() {
        in_a_thread(|| {
            setpriority_process(None, 3).unwrap();
            let before = turn();
            // Nothing on systems that know no turns.
            let knows_turns = !before.is_zero();
            set_turn(TURN).unwrap();
            assert_eq!(turn(), if knows_turns { TURN } else { before });
            assert_eq!(getpriority_process(None).unwrap(), 3);
            let of_child = thread::spawn(turn).join().unwrap();
            assert_eq!(of_child, before);
            // Again: what is set once may be set by anybody.
            set_turn(2 * TURN).unwrap();
            assert_eq!(turn(), if knows_turns { 2 * TURN } else { before });
        });
    }

    #[test]
    fn a_thread_of_another_kind_stays_as_it_is() {
        in_a_thread(|| {
            let mut attributes = get().unwrap();
            attributes.sched_policy = libc::SCHED_BATCH as u32;
            // SAFETY: as above.
            let done = unsafe { syscall(SYS_sched_setattr, SELF, &raw const attributes, NO_FLAGS) };
            assert_eq!(done, 0);
            set_turn(TURN).unwrap_err();
            assert_eq!(get().unwrap().sched_policy, libc::SCHED_BATCH as u32);
        });
    }
}
