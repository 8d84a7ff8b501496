//! The threads on which a gateway runs.

use std::io;
use std::thread::available_parallelism;

use sandgate_precedence::take_short_turns;
use tokio::runtime::{Builder, Runtime};

/// Turns of tasks between two looks at the sockets. With the runtime's own 61 a module that is flooded could keep the
/// others' messages waiting for as many turns.
const TURNS: u32 = 3;

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
        .event_interval(TURNS)
        .on_thread_start(take_short_turns)
        .enable_all()
        .build()
}
