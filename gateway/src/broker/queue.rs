//! What publishers and an inbox share: one queue for all links of a sink, bounded in messages and in bytes.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use sandgate_wire::Message;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::{Delivery, OnFull, Route};

/// How much an inbox holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capacity {
    /// Messages; at least one.
    pub messages: usize,
    /// Bytes of encoded messages. A message that is larger fits an empty inbox.
    pub bytes: usize,
}

impl Capacity {
    /// How many messages an inbox holds unless it is told otherwise.
    pub const MESSAGES: usize = 1024;
    /// How many bytes an inbox holds unless it is told otherwise: 64 MiB.
    pub const BYTES: usize = 64 << 20;
}

impl Default for Capacity {
    fn default() -> Self {
        Self { messages: Self::MESSAGES, bytes: Self::BYTES }
    }
}

impl From<usize> for Capacity {
    /// So many messages, and [`Capacity::BYTES`].
    fn from(messages: usize) -> Self {
        Self { messages, bytes: Self::BYTES }
    }
}

/// A delivery holds its route and a route holds its queue; the inbox empties the queue when it is dropped,
/// and a closed queue takes nothing, so no cycle outlives it.
pub(super) struct Queue {
    state: Mutex<State>,
    room: Notify,
    capacity: Capacity,
}

struct State {
    waiting: VecDeque<Delivery>,
    /// The place of the first of what waits, counted from the queue's beginning on. A message's place never gets less: when
    /// one is taken out in front of others, it is as if those before it had moved.
    first: u64,
    /// The bytes of what waits.
    bytes: usize,
    /// How many of what waits can expire.
    mortal: usize,
    /// Who sleeps until a message comes. Nobody is woken who does not sleep.
    sleeper: Option<Waker>,
    /// Somebody waits for room.
    awaited: bool,
    attended: bool,
    open: bool,
}

impl Queue {
    pub(super) fn new(capacity: Capacity) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            first: 0,
            bytes: 0,
            mortal: 0,
            sleeper: None,
            awaited: false,
            attended: true,
            open: true,
        };
        let capacity = Capacity { messages: capacity.messages.max(1), ..capacity };
        Self { state: Mutex::new(state), room: Notify::new(), capacity }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held cannot leave the queue half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when there is, or may be, room; counts from the call on.
    pub(super) fn room(&self) -> Notified<'_> {
        self.room.notified()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// How many of what waits came by this route. It looks at each.
    pub(super) fn count(&self, route: &Route) -> u64 {
        let state = self.lock();
        state.waiting.iter().filter(|delivery| std::ptr::eq(&**delivery.route(), route)).count() as u64
    }

    /// Takes a message or drops one, by the route's policy, and counts it. Gives the message back if
    /// the source has to wait for room.
    pub(super) fn offer(&self, route: &Arc<Route>, message: Message) -> Result<(), Message> {
        let expires = route.expiry();
        // What gives way is freed behind the lock, and counts itself.
        let mut given_up = Vec::new();
        let mut state = self.lock();
        if !state.open {
            route.count_offered();
            route.count_dropped();
            return Ok(());
        }
        if !state.has_room(self.capacity, message.frame().len()) {
            match route.on_full() {
                OnFull::Block if state.attended => {
                    state.awaited = true;
                    return Err(message);
                }
                OnFull::Block | OnFull::DropOldest => {
                    given_up = state.make_room(self.capacity, message.frame().len(), route);
                }
                OnFull::DropNewest => {}
            }
            if given_up.is_empty() {
                route.count_offered();
                route.count_dropped();
                return Ok(());
            }
        }
        self.accept(state, route, message, expires);
        Ok(())
    }

    /// Takes a message, and counts it, only if there is room now, whatever the policy. Gives it back if not.
    pub(super) fn offer_at_once(&self, route: &Arc<Route>, message: Message) -> Result<(), Message> {
        let expires = route.expiry();
        let state = self.lock();
        if !state.open || !state.has_room(self.capacity, message.frame().len()) {
            return Err(message);
        }
        self.accept(state, route, message, expires);
        Ok(())
    }

    fn accept(
        &self,
        mut state: MutexGuard<'_, State>,
        route: &Arc<Route>,
        message: Message,
        expires: Option<NonZeroU64>,
    ) {
        route.count_offered();
        state.bytes += message.frame().len();
        state.mortal += usize::from(expires.is_some());
        // Made in place: a message on its way through the stack costs a tenth of the broker's speed.
        state.waiting.push_back(Delivery::new(message, route.clone(), expires));
        let sleeper = state.sleeper.take();
        drop(state);
        if let Some(waker) = sleeper {
            waker.wake();
        }
    }

    /// Appends up to `limit` messages to `batch`, unsettled, but for those that have become too old. Gives
    /// their number; zero when the queue is closed and empty.
    pub(super) fn poll_take(
        &self,
        context: &mut Context<'_>,
        batch: &mut VecDeque<Delivery>,
        limit: usize,
    ) -> Poll<usize> {
        let mut expired = Vec::new();
        let mut state = self.lock();
        let taken = state.take(batch, limit, &mut expired);
        let pending = taken == 0 && state.open && limit > 0;
        if pending {
            match &mut state.sleeper {
                Some(waker) => waker.clone_from(context.waker()),
                None => state.sleeper = Some(context.waker().clone()),
            }
        }
        // Waiting sources are let in when half of the inbox is free, so that both sides work in batches
        // instead of taking turns message by message.
        let wake = state.awaited && state.is_half_free(self.capacity);
        state.awaited &= !wake;
        drop(state);
        if wake {
            self.room.notify_waiters();
        }
        expired.into_iter().for_each(Delivery::expired);
        if pending { Poll::Pending } else { Poll::Ready(taken) }
    }

    /// See [`Attendance`](super::Attendance).
    pub(super) fn attend(&self, attended: bool) {
        self.lock().attended = attended;
        // Those who wait for room look again, and find that they need not wait.
        self.room.notify_waiters();
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

    /// Takes out all that waits. A message's last owner may be anything, so it is let go outside the lock.
    pub(super) fn empty(&self) -> VecDeque<Delivery> {
        let mut state = self.lock();
        (state.bytes, state.mortal) = (0, 0);
        state.first += state.waiting.len() as u64;
        std::mem::take(&mut state.waiting)
    }
}

impl State {
    /// Whether a message of this size fits.
    fn has_room(&self, capacity: Capacity, size: usize) -> bool {
        self.waiting.is_empty()
            || (self.waiting.len() < capacity.messages && self.bytes + size <= capacity.bytes)
    }

    fn is_half_free(&self, capacity: Capacity) -> bool {
        self.waiting.len() <= capacity.messages / 2 && self.bytes <= capacity.bytes / 2
    }

    fn forget(&mut self, delivery: &Delivery) {
        self.first += 1;
        self.bytes -= delivery.size();
        self.mortal -= usize::from(delivery.can_expire());
    }

    fn take(&mut self, batch: &mut VecDeque<Delivery>, limit: usize, expired: &mut Vec<Delivery>) -> usize {
        let available = self.waiting.len();
        if self.mortal == 0 && limit >= available && batch.is_empty() {
            std::mem::swap(batch, &mut self.waiting);
            self.first += available as u64;
            self.bytes = 0;
            return available;
        }
        let now = (self.mortal > 0).then(Instant::now);
        let mut taken = 0;
        while taken < limit
            && let Some(delivery) = self.waiting.pop_front()
        {
            self.forget(&delivery);
            if now.is_some_and(|now| delivery.is_expired(now)) {
                expired.push(delivery);
            } else {
                batch.push_back(delivery);
                taken += 1;
            }
        }
        taken
    }

    /// Takes out the oldest messages of one link, never another link's, until one of this size fits. Takes
    /// none if it would not fit even then.
    fn make_room(&mut self, capacity: Capacity, size: usize, route: &Arc<Route>) -> Vec<Delivery> {
        let (mut messages, mut bytes) = (self.waiting.len(), self.bytes);
        // A link that has none there would look at all that others have, with each message anew.
        let start = route.none_before().saturating_sub(self.first) as usize;
        let mut own = Vec::new();
        for (index, delivery) in self.waiting.iter().enumerate().skip(start) {
            if !Arc::ptr_eq(delivery.route(), route) {
                continue;
            }
            own.push(index);
            messages -= 1;
            bytes -= delivery.size();
            if messages == 0 || (messages < capacity.messages && bytes + size <= capacity.bytes) {
                // Those before the last one have moved on by one for each that was taken out.
                route.note_none_before(self.first + index as u64 + 1);
                let taken = self.take_out(&own);
                taken.iter().for_each(|delivery| self.forget(delivery));
                return taken;
            }
        }
        let oldest = own.first().copied().unwrap_or(self.waiting.len());
        route.note_none_before(self.first + oldest as u64);
        Vec::new()
    }

    /// Takes out what is at these places, in order.
    fn take_out(&mut self, places: &[usize]) -> Vec<Delivery> {
        if let [place] = places {
            return self.waiting.remove(*place).into_iter().collect();
        }
        // Each by itself would move those before it, or behind it, again and again.
        let Some(last) = places.last() else { return Vec::new() };
        let (mut taken, mut left) = (Vec::with_capacity(places.len()), places);
        let before: Vec<_> = self.waiting.drain(..=*last).enumerate().collect();
        for (place, delivery) in before.into_iter().rev() {
            if left.last() == Some(&place) {
                left = &left[..left.len() - 1];
                taken.push(delivery);
            } else {
                self.waiting.push_front(delivery);
            }
        }
        taken.reverse();
        taken
    }
}
