//! A host that is stuck says so, and what in it is.
//!
//! One test, for there is one log in a process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sandgate_host::{Watchdog, Workers};

/// Threads of the pool.
const THREADS: usize = 64;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn wait_for(&self, words: &str) {
        let begun = Instant::now();
        while !String::from_utf8_lossy(&self.0.lock().unwrap()).contains(words) {
            assert!(begun.elapsed() < Duration::from_secs(30), "the log does not say: {words}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A task that blocks its thread until its sender is dropped.
fn stuck() -> (Sender<()>, impl Future<Output = ()>) {
    let (release, gate) = channel();
    let task = async move {
        let _ = gate.recv();
    };
    (release, task)
}

#[test]
fn a_stuck_host_says_what_is_stuck() {
    const SESSION: &str = "the host is stuck: its session thread serves no sockets";
    const TICKER: &str = "the host is stuck: its ticker keeps no deadlines";
    const WORKERS: &str = "the host is stuck: all its threads are busy";
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
    let holds = Arc::new(AtomicBool::new(false));
    let held = holds.clone();
    let workers = Workers::start(move || {
        while held.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
    })
    .unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let _watchdog = Watchdog::start(&workers, runtime.handle()).unwrap();

    // All threads of the pool, and a task that waits for one.
    let gates: Vec<_> = (0..=THREADS)
        .map(|_| {
            let (release, task) = stuck();
            workers.spawn(task);
            release
        })
        .collect();
    log.wait_for(WORKERS);

    holds.store(true, Ordering::Relaxed);
    log.wait_for(TICKER);
    holds.store(false, Ordering::Relaxed);

    let (release, task) = stuck();
    runtime.spawn(task);
    log.wait_for(SESSION);
    drop((release, gates));
}
