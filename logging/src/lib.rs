//! Standard error, by a thread that may wait for whoever reads it.
//!
//! Standard error may be a serial line, a terminal that somebody has stopped, or a pipe that a module of another process
//! floods. Whoever logs serves others and does not wait for that: what is not written yet is kept up to a bound, and what
//! finds no room there is counted and told of.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{env, mem, thread};

use tracing_subscriber::EnvFilter;

/// Bytes of lines that wait.
const MOST: usize = 16 << 20;
/// How long the end of a program waits for what is not written.
const FAREWELL: Duration = Duration::from_secs(1);

/// The log of this program. When it is dropped, what is not written yet is waited for, a second at most.
#[must_use = "the last lines are lost without it"]
pub struct Log(Writer);

/// Begins to log what the filter lets through to standard error: in colours where that is a terminal, unless the variable
/// `NO_COLOR` is there.
///
/// # Errors
/// The system gives no thread.
pub fn to_stderr(filter: EnvFilter) -> io::Result<Log> {
    let colours = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
    let log = Log::to(io::stderr())?;
    let writer = log.0.clone();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(move || writer.clone())
        .init();
    Ok(log)
}

impl Log {
    fn to(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let writer = Writer::default();
        let shared = writer.clone();
        thread::Builder::new().name("log".into()).spawn(move || shared.run(sink))?;
        Ok(Self(writer))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let state = self.0.lock();
        // Whatever comes of it: this is the end.
        let _ = self.0.0.all_written.wait_timeout_while(state, FAREWELL, |state| !state.is_idle());
    }
}

/// Takes whole lines, without waiting. Clones are the same.
#[derive(Clone, Default)]
struct Writer(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    more: Condvar,
    all_written: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Box<[u8]>>,
    /// All of them.
    bytes: usize,
    /// Lines that found no room and are not told of yet.
    lost: u64,
    /// The thread writes what it has taken.
    writes: bool,
    /// The thread sleeps until there is more.
    sleeps: bool,
}

impl State {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.lost == 0
    }

    fn is_idle(&self) -> bool {
        self.is_empty() && !self.writes
    }
}

impl Write for Writer {
    /// One event: it is written in one piece, or not at all.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let boxed = Box::from(line);
        let mut state = self.lock();
        if state.bytes + line.len() > MOST {
            state.lost += 1;
        } else {
            state.bytes += line.len();
            state.lines.push_back(boxed);
        }
        let sleeps = mem::take(&mut state.sleeps);
        drop(state);
        if sleeps {
            self.0.more.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Writer {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave it half-changed.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread's life.
    fn run(&self, mut sink: impl Write) {
        let mut state = self.lock();
        loop {
            state.writes = false;
            while state.is_empty() {
                state.sleeps = true;
                self.0.all_written.notify_all();
                state = self.0.more.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let (line, lost) = (state.lines.pop_front(), mem::take(&mut state.lost));
            state.bytes -= line.as_ref().map_or(0, |line| line.len());
            state.writes = true;
            drop(state);
            // There is nowhere to tell of an error.
            if let Some(line) = line {
                let _ = sink.write_all(&line);
            }
            if lost > 0 {
                let _ = writeln!(
                    sink,
                    "lines of the log were lost, for standard error did not take them: {lost}"
                );
            }
            state = self.lock();
        }
    }
}

#[cfg(test)]
mod tests;
