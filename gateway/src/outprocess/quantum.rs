//! How much of what a host has sent is handled before others get a turn, so that one that sends without end delays the
//! others' messages by some microseconds only.

use bytes::Bytes;
use sandgate_wire::{DecodeError, Message};
use tokio::task::yield_now;

use crate::runtime::give_way;

/// Messages of a turn, and what looking through them costs, in bytes: for a large one as much as for dozens of small ones.
const MESSAGES: u32 = 16;
const EFFORT: usize = 64 << 10;

/// A large message is looked through in pieces that take as long as so many bytes: some microseconds each.
const PIECE: usize = 32 << 10;

/// What is left of a turn.
pub(super) struct Quantum {
    messages: u32,
    effort: usize,
}

impl Quantum {
    pub(super) fn new() -> Self {
        Self { messages: MESSAGES, effort: EFFORT }
    }

    /// A message that costs so much has been handled, see [`Message::effort`]. True: the turn is over, and the next one
    /// begins.
    pub(super) fn spend(&mut self, effort: usize) -> bool {
        self.messages -= 1;
        self.effort = self.effort.saturating_sub(effort);
        let is_over = self.messages == 0 || self.effort == 0;
        if is_over {
            *self = Self::new();
            give_way();
        }
        is_over
    }
}

/// The message that a frame is. While a large one is looked through others have their turns, in this thread and on its
/// processor.
pub(super) async fn decoded(frame: Bytes) -> Result<Message, DecodeError> {
    let others_first = || async {
        give_way();
        yield_now().await;
    };
    Message::decode_in_pieces(frame, PIECE, others_first).await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static TURNS: Cell<u32> = const { Cell::new(0) };
    }

    #[test]
    fn a_turn_ends_with_its_messages_or_with_what_they_cost() {
        let mut quantum = Quantum::new();
        for _ in 0..3 {
            assert_eq!((1..).find(|_| quantum.spend(100)), Some(MESSAGES));
            assert!(!quantum.spend(EFFORT - 1));
            assert!(quantum.spend(1));
            assert!(quantum.spend(usize::MAX));
        }
    }

    #[tokio::test]
    async fn others_have_turns_while_a_large_message_is_looked_through() {
        let keys = (0..1 << 16).map(|number: u32| (number.to_string(), String::new())).collect::<Vec<_>>();
        let values = [("much".to_owned(), "x".repeat(1 << 20))];
        let long = [("x".repeat(1 << 20), String::new())];
        for (properties, least) in
            [(&keys[..], 100), (&values[..], 16), (&long[..], 16), (&keys[..4000], 10), (&keys[..10], 0)]
        {
            let frame = Message::new(properties, [1; 1000]).unwrap().into_frame();
            let turns = async {
                loop {
                    yield_now().await;
                    TURNS.set(TURNS.get() + 1);
                }
            };
            let message = tokio::select! {
                biased;
                message = decoded(frame) => message.unwrap(),
                () = turns => unreachable!("they have no end"),
            };
            assert_eq!(message.properties().len(), properties.len());
            let turns = TURNS.take();
            assert!((least..=20 * least).contains(&turns), "{turns}");
        }
    }
}
