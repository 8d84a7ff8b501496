//! How much of what a host has sent is handled before others get a turn, so that one that sends without end delays the
//! others' messages by some microseconds only.

use tokio::task::yield_now;

use crate::runtime::give_way;

/// Messages of a turn, and their bytes: checking a large one takes as long as some dozens of small ones.
const MESSAGES: u32 = 16;
const BYTES: usize = 64 << 10;

/// A large message is looked through in pieces of so many bytes, some microseconds each.
pub(super) const PIECE: usize = 16 << 10;

/// What is left of a turn.
pub(super) struct Quantum {
    messages: u32,
    bytes: usize,
}

impl Quantum {
    pub(super) fn new() -> Self {
        Self { messages: MESSAGES, bytes: BYTES }
    }

    /// A message of so many bytes has been handled. True: the turn is over, and the next one begins.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        self.messages -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
        let is_over = self.messages == 0 || self.bytes == 0;
        if is_over {
            *self = Self::new();
            give_way();
        }
        is_over
    }
}

/// Between two turns of one that goes on: whoever else has something to do, in this thread or for its processor.
pub(super) async fn others_first() {
    give_way();
    yield_now().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_with_its_messages_or_with_its_bytes() {
        let mut quantum = Quantum::new();
        for _ in 0..3 {
            assert_eq!((1..).find(|_| quantum.spend(100)), Some(MESSAGES));
            assert!(!quantum.spend(BYTES - 1));
            assert!(quantum.spend(1));
            assert!(quantum.spend(usize::MAX));
        }
    }
}
