//! Giving the memory of large messages back to the system, without holding anybody up.
//!
//! The system takes a millisecond for the pages of 16 MiB, in which it gives the processor to nobody else; and whoever
//! drops a message has others to serve. So a thread does it that lets everybody go first, piece by piece.

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use bytes::Bytes;
use sandgate_precedence::stay_back;

/// What is smaller is given back at once: it takes microseconds.
const LARGE: usize = 1 << 20;
/// What is given back at a time.
const PIECE: usize = 256 << 10;
/// What may wait for it. There it is memory that nobody counts, so it is little.
const WAITING: usize = 4;

/// Drops some bytes of a message.
pub(crate) fn discard(bytes: Bytes) {
    if bytes.len() < LARGE || !bytes.is_unique() {
        return;
    }
    static DISCARDER: OnceLock<Option<SyncSender<Bytes>>> = OnceLock::new();
    let discarder = DISCARDER.get_or_init(|| {
        let (sender, receiver) = sync_channel(WAITING);
        let started = thread::Builder::new().name("discard".into()).spawn(move || run(&receiver));
        started.ok().map(|_| sender)
    });
    if let Some(discarder) = discarder {
        // What it refuses is dropped here.
        let _ = discarder.try_send(bytes);
    }
}

fn run(receiver: &Receiver<Bytes>) {
    stay_back();
    for bytes in receiver {
        give_back(bytes.into());
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
        for _ in 0..2 * WAITING {
            discard(bytes.clone());
        }
        assert!(bytes.iter().all(|byte| *byte == 7));
    }
}
