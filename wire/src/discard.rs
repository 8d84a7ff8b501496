//! Giving the memory of large messages back to the system, without holding anybody up.
//!
//! The system takes a millisecond for the pages of 16 MiB, in which it gives the processor to nobody else; and whoever
//! drops a message has others to serve. So a thread does it that lets everybody go first, piece by piece, once nobody has
//! wanted the memory for a while. Until then it can be had for the next large message, and saves the system the trouble
//! twice: to whoever fills new memory, it comes page by page, and that takes longer than the filling.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandgate_precedence::stay_back;

/// What is smaller is given back at once: it takes microseconds.
const LARGE: usize = 1 << 20;
/// What is given back at a time.
const PIECE: usize = 256 << 10;
/// Bytes that may wait. Here they are memory that nobody else counts.
const MOST: usize = 96 << 20;
/// Of these, what stays for a while. The rest waits only until the thread comes.
const KEPT: usize = 64 << 20;
/// How long it stays.
const LINGER: Duration = Duration::from_secs(1);

static WAITING: Waiting = Waiting {
    memory: Mutex::new(Memory { blocks: VecDeque::new(), bytes: 0, sleeps: false }),
    more: Condvar::new(),
};

/// What waits to be given back.
struct Waiting {
    memory: Mutex<Memory>,
    more: Condvar,
}

/// Blocks of memory.
struct Memory {
    /// Without anything in them, and since when they wait. The oldest is in front.
    blocks: VecDeque<(Instant, Vec<u8>)>,
    /// All of them.
    bytes: usize,
    /// The thread sleeps until there is something.
    sleeps: bool,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        // A panic while the lock is held cannot leave it half-changed.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, unless somebody else has the lock: it may be the thread that lets everybody go first, and who has others to
    /// serve would wait until it has had a turn.
    fn try_lock(&self) -> Option<MutexGuard<'_, Memory>> {
        match self.memory.try_lock() {
            Ok(memory) => Some(memory),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl Memory {
    fn put(&mut self, block: Vec<u8>) {
        self.bytes += block.capacity();
        self.blocks.push_back((Instant::now(), block));
    }

    /// The newest of about this size, whose pages are warm. A much larger one would have to be given back in part, by
    /// whoever takes it, or would be kept by a message that needs less.
    fn take(&mut self, bytes: usize) -> Option<Vec<u8>> {
        let suits = |block: &Vec<u8>| (bytes..=bytes + bytes / 4).contains(&block.capacity());
        let place = self.blocks.iter().rposition(|(_, block)| suits(block))?;
        let (_, block) = self.blocks.remove(place)?;
        self.bytes -= block.capacity();
        Some(block)
    }

    /// One that nobody has wanted, or that there is too much with.
    fn take_old(&mut self) -> Option<Vec<u8>> {
        let is_too_much = self.is_too_much();
        let goes = |(since, _): &mut (Instant, _)| is_too_much || since.elapsed() >= LINGER;
        let (_, block) = self.blocks.pop_front_if(goes)?;
        self.bytes -= block.capacity();
        Some(block)
    }

    fn is_too_much(&self) -> bool {
        self.bytes > KEPT
    }

    /// The time until there is one. None: there is nothing at all.
    fn next_old(&self) -> Option<Duration> {
        self.blocks.front().map(|(since, _)| LINGER.saturating_sub(since.elapsed()))
    }
}

/// Drops the bytes of a message, or of anything else that may be as large.
pub fn discard(bytes: Bytes) {
    if bytes.len() < LARGE {
        return;
    }
    // Somebody else may have them, too.
    let Ok(mut bytes) = bytes.try_into_mut() else { return };
    bytes.clear();
    let block = Vec::from(bytes);
    static STARTED: OnceLock<bool> = OnceLock::new();
    if *STARTED.get_or_init(|| thread::Builder::new().name("discard".into()).spawn(run).is_ok())
        && let Some(mut memory) = WAITING.try_lock()
        && memory.bytes + block.capacity() <= MOST
    {
        memory.put(block);
        // Otherwise it looks by itself, and nobody pays for its waking.
        if std::mem::take(&mut memory.sleeps) || memory.is_too_much() {
            WAITING.more.notify_one();
        }
    }
}

/// Room for so many bytes of a message, and for a quarter more at most.
pub(crate) fn room(bytes: usize) -> Vec<u8> {
    let is_large = bytes >= LARGE;
    let block = is_large.then(|| WAITING.try_lock()?.take(bytes)).flatten();
    block.unwrap_or_else(|| Vec::with_capacity(bytes))
}

fn run() {
    stay_back();
    let mut memory = WAITING.lock();
    loop {
        while let Some(block) = memory.take_old() {
            drop(memory);
            give_back(block);
            memory = WAITING.lock();
        }
        memory = match memory.next_old() {
            None => {
                memory.sleeps = true;
                WAITING.more.wait(memory).unwrap_or_else(PoisonError::into_inner)
            }
            Some(wait) => {
                let woken = WAITING.more.wait_timeout(memory, wait);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

/// Between two pieces whoever waits for the processor goes first: the system looks that rarely for it by itself.
fn give_back(mut memory: Vec<u8>) {
    while memory.capacity() > PIECE {
        let rest = memory.capacity() - PIECE;
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
            give_back(Vec::with_capacity(size));
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
    fn room_is_empty_and_no_larger_than_it_may_be_whatever_was_there() {
        for size in [0, 1, LARGE, 3 * LARGE, 20 * LARGE] {
            for waiting in [1, 2, 3, 4, 31] {
                discard(Bytes::from(vec![1; waiting * LARGE]).slice(5..));
                let room = room(size);
                assert!(room.is_empty());
                assert!((size..=size + size / 4).contains(&room.capacity()));
            }
        }
    }

    #[test]
    fn the_newest_of_the_size_goes_first_and_the_oldest_is_given_back_first() {
        let mut memory = Memory { blocks: VecDeque::new(), bytes: 0, sleeps: false };
        for size in [4, 9, 5, 8] {
            memory.put(Vec::with_capacity(size * LARGE));
        }
        assert_eq!(memory.take(4 * LARGE).unwrap().capacity(), 5 * LARGE);
        assert_eq!(memory.take(4 * LARGE).unwrap().capacity(), 4 * LARGE);
        assert_eq!(memory.take(4 * LARGE), None);
        assert_eq!((memory.bytes, memory.take_old()), (17 * LARGE, None));
        assert!(memory.next_old().unwrap() <= LINGER);
        memory.put(Vec::with_capacity(KEPT - LARGE));
        assert_eq!(memory.take_old().unwrap().capacity(), 9 * LARGE);
        assert_eq!(memory.take_old().unwrap().capacity(), 8 * LARGE);
        assert_eq!(memory.take_old(), None);
        memory.blocks[0].0 -= LINGER;
        assert_eq!(
            (memory.next_old(), memory.take_old().unwrap().capacity()),
            (Some(Duration::ZERO), KEPT - LARGE)
        );
        assert_eq!((memory.bytes, memory.next_old()), (0, None));
    }

    #[test]
    fn nobody_waits_for_who_has_the_lock() {
        let memory = WAITING.lock();
        let other = thread::spawn(|| {
            discard(vec![1; LARGE].into());
            room(LARGE).capacity()
        });
        assert!(other.join().unwrap() >= LARGE);
        drop(memory);
    }

    #[test]
    fn little_waits_and_all_is_given_back() {
        for _ in 0..3 * MOST / (16 * LARGE) {
            discard(vec![1; 16 * LARGE].into());
            assert!(WAITING.lock().bytes <= MOST);
        }
        let since = Instant::now();
        while WAITING.lock().bytes > 0 {
            assert!(since.elapsed() < Duration::from_secs(20));
            thread::yield_now();
        }
    }
}
