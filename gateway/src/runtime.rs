//! The threads on which a gateway runs.

use std::io;
use std::thread::available_parallelism;
use std::time::Duration;

use sandgate_precedence::Turns;
use tokio::runtime::{Builder, Runtime};

/// Tasks that have their turn between two looks at the sockets. With the runtime's own 61 a module that is flooded could
/// keep the others' messages waiting for as many turns.
const TASKS: u32 = 3;

/// The turns of a thread that has much to do. Shorter than a host's: everybody's messages wait for this one.
const LONG_TURN: Duration = Duration::from_micros(200);

thread_local! {
    static TURNS: Turns = const { Turns::new(LONG_TURN) };
}

/// To be called often by a task that may go on and on: threads that wait for this processor go first now and then.
#[cfg(unix)]
pub(crate) fn give_way() {
    TURNS.with(Turns::give_way);
}

/// The runtime of the `gateway` program: one thread for every two processors, at least one.
///
/// nng's own threads, which move the messages of out-of-process modules, need the others. With a thread for
/// every processor each message wakes a second thread in vain, which on two processors costs a round trip
/// about a tenth.
///
/// # Errors
/// The system gives no threads.
pub fn runtime() -> io::Result<Runtime> {
    let processors = available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads((processors / 2).max(1))
        .event_interval(TASKS)
        .on_thread_park(|| TURNS.with(Turns::before_sleep))
        .on_thread_unpark(|| TURNS.with(Turns::after_sleep))
        .enable_all()
        .build()
}
