//! Giving the memory of large messages back to the system, without holding anybody up.
//!
//! The system takes a millisecond for the pages of 16 MiB, in which it gives the processor to nobody else; and whoever
//! drops a message has others to serve. So a thread does it that lets everybody go first, piece by piece.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use bytes::Bytes;
use sandgate_precedence::stay_back;

/// What is smaller is given back at once: it takes microseconds.
const LARGE: usize = 1 << 20;
/// What is given back at a time.
const PIECE: usize = 256 << 10;
/// Bytes that may wait for it. There they are memory that nobody else counts.
const WAITING: usize = 64 << 20;

/// Bytes that wait for it.
static WAIT: AtomicUsize = AtomicUsize::new(0);

/// Drops some bytes of a message.
pub(crate) fn discard(bytes: Bytes) {
    if bytes.len() < LARGE || !bytes.is_unique() {
        return;
    }
    static DISCARDER: OnceLock<Option<Sender<Bytes>>> = OnceLock::new();
    let discarder = DISCARDER.get_or_init(|| {
        let (sender, receiver) = channel();
        let started = thread::Builder::new().name("discard".into()).spawn(move || run(&receiver));
        started.ok().map(|_| sender)
    });
    let (Some(discarder), size) = (discarder, bytes.len()) else { return };
    if WAIT.fetch_add(size, Ordering::Relaxed) + size > WAITING || discarder.send(bytes).is_err() {
        WAIT.fetch_sub(size, Ordering::Relaxed);
    }
}

fn run(receiver: &Receiver<Bytes>) {
    stay_back();
    for bytes in receiver {
        let size = bytes.len();
        give_back(bytes.into());
        WAIT.fetch_sub(size, Ordering::Relaxed);
    }
}

/// Between two pieces whoever waits for the processor goes first: the system looks that rarely for it by itself.
fn give_back(mut memory: Vec<u8>) {
    while memory.capacity() > PIECE {
        let rest = memory.capacity() - PIECE;
        memory.truncate(rest);
        memory.shrink_to(rest);
        if memory.capacity() > rest {
            return;
        }
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn memory_is_given_back_whatever_its_size() {
        for size in [0, 1, PIECE, PIECE + 1, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE] {
            give_back(vec![1; size]);
            discard(vec![1; size].into());
            discard(Bytes::from(vec![1; size + 1]).slice(1..));
        }
    }

    #[test]
    fn what_others_have_too_stays() {
        let bytes = Bytes::from(vec![7; LARGE]);
        for _ in 0..10 {
            discard(bytes.clone());
        }
        assert!(bytes.iter().all(|byte| *byte == 7));
    }

    #[test]
    fn more_than_may_wait_is_dropped_at_once_and_all_is_given_back() {
        for _ in 0..3 * WAITING / (16 * LARGE) {
            discard(vec![1; 16 * LARGE].into());
            assert!(WAIT.load(Ordering::Relaxed) <= 2 * WAITING);
        }
        let since = Instant::now();
        while WAIT.load(Ordering::Relaxed) > 0 {
            assert!(since.elapsed() < Duration::from_secs(20));
            thread::yield_now();
        }
    }
}
