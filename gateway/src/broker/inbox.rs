//! A sink's inbox: where it takes its messages.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;

use super::delivery::{Delivery, deliver, hand_out};
use super::queue::Queue;

/// The receiving end of one module's queue. Dropping it drops, and counts, what waits.
pub struct Inbox {
    queue: Arc<Queue>,
}

impl Inbox {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self { queue }
    }

    /// The next message, which counts as delivered; `None` when the inbox is closed and empty.
    pub async fn recv(&mut self) -> Option<Delivery> {
        let mut one = VecDeque::with_capacity(1);
        self.recv_batch(&mut one, 1).await;
        one.pop_front()
    }

    /// Waits for messages and appends up to `limit` of them to `batch`. They count as delivered. Gives
    /// their number, which is zero when the inbox is closed and empty (or `limit` is zero). An empty `batch`
    /// and a `limit` of at least what waits make this one swap. Dropping the future loses nothing.
    pub async fn recv_batch(&mut self, batch: &mut VecDeque<Delivery>, limit: usize) -> usize {
        let before = batch.len();
        let taken = self.take(batch, limit).await;
        deliver(batch.range_mut(before..));
        taken
    }

    /// Like [`Inbox::recv_batch`] for a sink that learns later what became of a message: each is in flight,
    /// and counted as waiting, until it is settled.
    pub async fn recv_unsettled_batch(&mut self, batch: &mut VecDeque<Delivery>, limit: usize) -> usize {
        let before = batch.len();
        let taken = self.take(batch, limit).await;
        hand_out(batch.range_mut(before..));
        taken
    }

    async fn take(&mut self, batch: &mut VecDeque<Delivery>, limit: usize) -> usize {
        poll_fn(|context| self.queue.poll_take(context, batch, limit)).await
    }

    /// How many messages wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no message waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A handle with which to say whether somebody takes messages at present.
    #[must_use]
    pub fn attendance(&self) -> Attendance {
        Attendance { queue: self.queue.clone() }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.queue.close();
        drop(self.queue.empty());
    }
}

/// Says whether somebody takes an inbox's messages at all at present.
#[derive(Clone)]
pub struct Attendance {
    queue: Arc<Queue>,
}

impl Attendance {
    /// While nobody takes messages, a blocking link into a full inbox drops its oldest message instead of
    /// waiting. An inbox starts attended.
    pub fn set(&self, attended: bool) {
        self.queue.attend(attended);
    }
}
