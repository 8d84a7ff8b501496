//! The scheduling policy of a thread. There is no safe function for it in the libraries that are here anyway.

#![allow(unsafe_code)]

use std::io;

/// How the system chooses among threads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Policy(i32);

impl Policy {
    /// Runs while no thread of another policy wants the processor, gives way to one that wakes up at once, and does not
    /// count when the system looks for an idle processor. It still gets some turns when all processors are taken: three
    /// in a thousand.
    pub(crate) const IDLE: Self = Self(libc::SCHED_IDLE);

    /// That of the calling thread.
    ///
    /// # Errors
    /// The system does not tell.
    pub(crate) fn of_this_thread() -> io::Result<Self> {
        // SAFETY: the call takes a number, 0 for the calling thread, and touches no memory of this process.
        let policy = unsafe { libc::sched_getscheduler(0) };
        if policy < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(policy)) }
    }

    /// Gives it to the calling thread. What it starts from now on has it too.
    ///
    /// # Errors
    /// The system refuses: back from [`Policy::IDLE`] only privileged processes come.
    pub(crate) fn take(self) -> io::Result<()> {
        let parameters = libc::sched_param { sched_priority: 0 };
        // SAFETY: 0 is the calling thread, and the parameters live until the call returns, which only reads them.
        let done = unsafe { libc::sched_setscheduler(0, self.0, &raw const parameters) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
