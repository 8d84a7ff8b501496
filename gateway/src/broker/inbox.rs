//! A sink's inbox: one bounded queue for all its links.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use sandgate_wire::Message;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::{OnFull, Route};

/// A message as its sink gets it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// The way by which it came: it names the source.
    pub route: Arc<Route>,
}

/// The receiving end of one module's queue. Dropping it drops, and counts, what waits.
pub struct Inbox {
    queue: Arc<Queue>,
}

impl Inbox {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self { queue }
    }

    /// The next message; `None` when the inbox is closed and empty.
    pub async fn recv(&mut self) -> Option<Delivery> {
        let mut one = VecDeque::with_capacity(1);
        self.recv_batch(&mut one, 1).await;
        one.pop_front()
    }

    /// Waits for messages and appends up to `limit` of them to `batch`. Gives their number, which is
    /// zero when the inbox is closed and empty (or `limit` is zero). An empty `batch` and a `limit` of
    /// at least what waits make this one swap. Dropping the future loses nothing.
    pub async fn recv_batch(&mut self, batch: &mut VecDeque<Delivery>, limit: usize) -> usize {
        poll_fn(|context| self.queue.poll_take(context, batch, limit)).await
    }

    /// How many messages wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.lock().waiting.len()
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

/// Says whether somebody takes an inbox's messages at all at present.
#[derive(Clone)]
pub struct Attendance {
    queue: Arc<Queue>,
}

impl Attendance {
    /// While nobody takes messages, a blocking link into a full inbox drops its oldest message instead of
    /// waiting. An inbox starts attended.
    pub fn set(&self, attended: bool) {
        let mut state = self.queue.lock();
        state.attended = attended;
        drop(state);
        // Those who wait for room look again, and find that they need not wait.
        self.queue.room.notify_waiters();
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.queue.close();
        // Taken out first: a message's last owner may be anything, so it goes outside the lock.
        let rest = std::mem::take(&mut self.queue.lock().waiting);
        for delivery in &rest {
            delivery.route.count_dropped();
        }
    }
}

/// What publishers and the inbox share.
///
/// A delivery holds its route and a route holds its queue; [`Inbox`]'s drop empties the queue, and a
/// closed queue takes nothing, so no cycle outlives it.
pub(super) struct Queue {
    state: Mutex<State>,
    room: Notify,
    capacity: usize,
}

struct State {
    waiting: VecDeque<Delivery>,
    /// Who sleeps until a message comes. Nobody is woken who does not sleep.
    sleeper: Option<Waker>,
    /// Somebody waits for room.
    awaited: bool,
    attended: bool,
    open: bool,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        let state =
            State { waiting: VecDeque::new(), sleeper: None, awaited: false, attended: true, open: true };
        Self { state: Mutex::new(state), room: Notify::new(), capacity: capacity.max(1) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave the queue half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when there is, or may be, room; counts from the call on.
    pub(super) fn room(&self) -> Notified<'_> {
        self.room.notified()
    }

    /// Takes a message or drops one, by the route's policy, and counts it. Gives the message back if
    /// the source has to wait for room.
    pub(super) fn offer(&self, route: &Arc<Route>, message: Message) -> Result<(), Message> {
        let mut state = self.lock();
        // What is given up is freed behind the lock.
        let mut _dropped = None;
        if !state.open {
            route.count_offered();
            route.count_dropped();
            return Ok(());
        }
        if state.waiting.len() >= self.capacity {
            match route.on_full() {
                OnFull::Block if state.attended => {
                    state.awaited = true;
                    return Err(message);
                }
                OnFull::Block | OnFull::DropOldest => _dropped = state.remove_oldest(route),
                OnFull::DropNewest => {}
            }
            route.count_offered();
            route.count_dropped();
            if _dropped.is_none() {
                return Ok(());
            }
        } else {
            route.count_offered();
        }
        state.waiting.push_back(Delivery { message, route: route.clone() });
        let sleeper = state.sleeper.take();
        drop(state);
        if let Some(waker) = sleeper {
            waker.wake();
        }
        Ok(())
    }

    fn poll_take(
        &self,
        context: &mut Context<'_>,
        batch: &mut VecDeque<Delivery>,
        limit: usize,
    ) -> Poll<usize> {
        let mut state = self.lock();
        let taken = limit.min(state.waiting.len());
        if taken == 0 {
            if !state.open || limit == 0 {
                return Poll::Ready(0);
            }
            match &mut state.sleeper {
                Some(waker) => waker.clone_from(context.waker()),
                None => state.sleeper = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        let before = batch.len();
        if before == 0 && taken == state.waiting.len() {
            std::mem::swap(batch, &mut state.waiting);
        } else {
            batch.extend(state.waiting.drain(..taken));
        }
        // Waiting sources are let in when half of the inbox is free, so that both sides work in batches
        // instead of taking turns message by message.
        let wake = state.awaited && state.waiting.len() <= self.capacity / 2;
        state.awaited &= !wake;
        drop(state);
        if wake {
            self.room.notify_waiters();
        }
        count_delivered(batch.range(before..));
        Poll::Ready(taken)
    }

    /// Refuses what is offered from now on and wakes everyone.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.open = false;
        let sleeper = state.sleeper.take();
        drop(state);
        if let Some(waker) = sleeper {
            waker.wake();
        }
        self.room.notify_waiters();
    }
}

impl State {
    /// Takes out the oldest message of one link; never another link's.
    fn remove_oldest(&mut self, route: &Arc<Route>) -> Option<Delivery> {
        let oldest = self.waiting.iter().position(|delivery| Arc::ptr_eq(&delivery.route, route))?;
        self.waiting.remove(oldest)
    }
}

/// One addition for each run of messages from the same route.
fn count_delivered<'a>(batch: impl Iterator<Item = &'a Delivery>) {
    let mut run: Option<(&Arc<Route>, u64)> = None;
    for Delivery { route, .. } in batch {
        match &mut run {
            Some((same, messages)) if Arc::ptr_eq(same, route) => *messages += 1,
            _ => {
                if let Some((ended, messages)) = run.replace((route, 1)) {
                    ended.count_delivered(messages);
                }
            }
        }
    }
    if let Some((ended, messages)) = run {
        ended.count_delivered(messages);
    }
}
