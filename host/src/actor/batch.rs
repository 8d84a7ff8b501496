//! Several messages in one call, where the module takes them encoded.
//!
//! Only messages that wait already are given together, so none waits for others. The module answers one after the other,
//! and each has the limits of a call to itself (`Guest::answer`): so what comes of a message, and which one a failure is
//! blamed on, is as if each had been a call of its own. One that has failed before is handed over alone.

use std::task::{Context, Poll, Waker};

use sandgate_attach::Incoming;
use sandgate_wire::Message;

use super::{Actor, Failure, poll_message};
use crate::deliveries::{BYTES_MAX, Delivery};

impl Actor {
    /// Collects what waits behind a message and can be handed over with it. Whether there is anything.
    pub(super) fn gather(&mut self, message: &Message, incoming: &Incoming) -> bool {
        self.batch.clear();
        let (Some(port), Some(instance)) = (&self.port, &self.instance) else { return false };
        let Some(size) = batch_size(message, incoming).filter(|_| self.recovery.kills == 0) else {
            return false;
        };
        let (most, room) = instance.batch(&self.blueprint.recycle);
        let mut room = room.min(BYTES_MAX - size);
        // The port is asked once more before this actor waits for it.
        let mut context = Context::from_waker(Waker::noop());
        while self.batch.len() + 1 < most
            && let Poll::Ready(Ok(next)) = poll_message(&mut self.waiting, port, &mut context)
        {
            // One that is malformed, too, has its turn by itself.
            let message = Message::decode(next.frame.clone()).ok();
            let fitting = message.and_then(|message| {
                let size = batch_size(&message, &next).filter(|size| *size <= room)?;
                Some((message, size))
            });
            let Some((message, size)) = fitting else {
                self.waiting.push_front(next);
                break;
            };
            room -= size;
            self.batch.push((message, next));
        }
        !self.batch.is_empty()
    }

    /// Hands over a message with those that were collected. What is not handled afterwards waits again; after a failure
    /// the first of it is the current one.
    pub(super) fn receive_batch(&mut self, message: Message, incoming: Incoming) -> Result<(), Failure> {
        let Some(instance) = &mut self.instance else { return Ok(()) };
        let mut batch = std::mem::take(&mut self.batch);
        batch.insert(0, (message, incoming));
        let (handled, called) = instance.receive_all(&batch);
        let begun = (handled + usize::from(called.is_err())).min(batch.len());
        self.blueprint.flow.received.add_all(begun as u64);
        self.turn += begun;
        for number in 0..handled {
            if let Some(reason) = self.instance.as_mut().and_then(|instance| instance.take_refusal(number)) {
                self.note_refusal(&reason);
            }
        }
        let mut incoming = batch.drain(..).map(|(_, incoming)| incoming);
        // Settling one settles those before it.
        if let Some(last) = incoming.by_ref().take(handled).last() {
            self.recovery.kills = 0;
            self.settle(&last);
        }
        if called.is_err() {
            self.current = incoming.next();
        }
        incoming.rev().for_each(|incoming| self.waiting.push_front(incoming));
        self.batch = batch;
        called
    }
}

/// What a message takes in a batch, if it may be in one.
fn batch_size(message: &Message, incoming: &Incoming) -> Option<usize> {
    let Incoming { source, attempt, .. } = incoming;
    let delivery = Delivery { message, source: source.as_deref(), attempt: *attempt };
    delivery.packed_size().filter(|_| *attempt == 1)
}
