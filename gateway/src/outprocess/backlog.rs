//! What a proxy has taken from its inbox and is not done with. It outlives the attach: the next host gets
//! it first, in order.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sandgate_wire::link::Window;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::broker::Delivery;

/// A message that is not settled.
pub(super) struct Entry {
    pub(super) delivery: Delivery,
    /// How many hosts have died of this message, as far as one can tell: from 1 on it is suspected, and more
    /// are counted only of those that had it alone.
    pub(super) deaths: u32,
}

impl Entry {
    /// Whether it is too old to be sent. Only a link with a time-to-live has the clock read.
    pub(super) fn is_expired(&self) -> bool {
        self.delivery.can_expire() && self.delivery.is_expired(Instant::now())
    }

    fn size(&self) -> u64 {
        self.delivery.message.frame().len() as u64
    }
}

/// What waits to be sent, oldest first.
#[derive(Default)]
pub(super) struct Backlog {
    entries: VecDeque<Entry>,
}

impl Backlog {
    pub(super) fn push(&mut self, delivery: Delivery) {
        self.entries.push_back(Entry { delivery, deaths: 0 });
    }

    pub(super) fn front(&self) -> Option<&Entry> {
        self.entries.front()
    }

    pub(super) fn pop(&mut self) -> Option<Entry> {
        self.entries.pop_front()
    }

    /// Puts back, in order, what a host has had and not settled. It is older than what is here.
    pub(super) fn put_back(&mut self, entries: VecDeque<Entry>) {
        let newer = std::mem::replace(&mut self.entries, entries);
        self.entries.extend(newer);
    }
}

/// What one attach's lane has taken and its host has not settled, by the lane's sequence numbers.
///
/// It is bounded by itself: a lane has room again as soon as its host has settled something, which is taken
/// note of only behind what the host sent before. While that waits for a sink, more and more would come here.
pub(super) struct InHand {
    held: Mutex<Held>,
    window: Window,
    /// Begins with one message and takes one more with each that is settled. So what is out is soon settled,
    /// should a suspect of another module want the host for itself.
    cautious: bool,
    /// The host has settled something.
    pub(super) settled: Notify,
}

#[derive(Default)]
struct Held {
    entries: VecDeque<(u64, Entry)>,
    /// The bytes of their messages.
    bytes: u64,
    /// How many were settled so far.
    settled: usize,
}

impl InHand {
    /// Holds twice as much as the window of its lane: what the host may have, and what it has settled lately.
    /// After the death of a host it is cautious.
    pub(super) fn new(lane: Window, cautious: bool) -> Self {
        let window = Window {
            messages: lane.messages.saturating_mul(2).max(1),
            bytes: lane.bytes.saturating_mul(2).max(1),
        };
        Self { held: Mutex::default(), window, cautious, settled: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // No change below can stop half-way through a panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().entries.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        let held = self.lock();
        let most = if self.cautious { held.settled + 1 } else { usize::MAX };
        held.entries.len() < most.min(self.window.messages as usize) && held.bytes < self.window.bytes
    }

    pub(super) fn push(&self, sequence: u64, entry: Entry) {
        let mut held = self.lock();
        held.bytes += entry.size();
        held.entries.push_back((sequence, entry));
    }

    /// Gives, one after the other, what the host is done with up to a sequence number.
    pub(super) fn settle(&self, sequence: u64) -> impl Iterator<Item = Entry> {
        std::iter::from_fn(move || {
            let mut held = self.lock();
            held.entries.front().filter(|(first, _)| *first <= sequence)?;
            held.pop_at(0)
        })
    }

    /// Takes one message out, wherever it stands.
    pub(super) fn take(&self, sequence: u64) -> Option<Entry> {
        let mut held = self.lock();
        let position = held.entries.binary_search_by_key(&sequence, |(sequence, _)| *sequence).ok()?;
        held.pop_at(position)
    }

    /// Everything, in order.
    pub(super) fn take_all(&self) -> VecDeque<(u64, Entry)> {
        std::mem::take(&mut *self.lock()).entries
    }
}

impl Held {
    fn pop_at(&mut self, position: usize) -> Option<Entry> {
        let (_, entry) = self.entries.remove(position)?;
        self.bytes -= entry.size();
        self.settled += 1;
        Some(entry)
    }
}
