//! A message on its way to a sink, and the account of what becomes of it.

use std::num::NonZeroU64;
use std::sync::Arc;

use sandgate_wire::Message;
use tokio::time::Instant;

use super::Route;

/// A message as its sink gets it.
///
/// One from [`Inbox::recv_batch`](super::Inbox::recv_batch) counts as delivered already. One from
/// [`Inbox::recv_unsettled_batch`](super::Inbox::recv_unsettled_batch) is in flight until its sink
/// settles it, by exactly one of [`delivered`](Self::delivered), [`dropped`](Self::dropped),
/// [`expired`](Self::expired) and [`dead`](Self::dead). Letting go of it unsettled counts as dropped: no
/// message goes uncounted.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// From when on the message is too old, in its route's time, where the link has a time-to-live.
    expires: Option<NonZeroU64>,
    account: Account,
}

/// Whose counters a message goes to. Dropping it counts the message as dropped, unless it is settled.
#[derive(Debug)]
struct Account {
    route: Arc<Route>,
    /// Here, where the alignment leaves room for it.
    attempts: u32,
    settled: bool,
    /// It was taken from the inbox and is among those that the route counts as out.
    out: bool,
}

/// A cache line for each: every message in the gateway is one of these.
const _: () = assert!(size_of::<Delivery>() <= 64);

impl Drop for Account {
    fn drop(&mut self) {
        if self.out {
            self.route.count_in();
        }
        if !self.settled {
            self.route.count_dropped();
        }
    }
}

impl Delivery {
    pub(super) fn new(message: Message, route: Arc<Route>, expires: Option<NonZeroU64>) -> Self {
        Self { message, expires, account: Account { route, attempts: 0, settled: false, out: false } }
    }

    /// The way by which it came: it names the source.
    #[must_use]
    pub fn route(&self) -> &Arc<Route> {
        &self.account.route
    }

    /// How many times it has been sent to its module.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.account.attempts
    }

    /// Counts that it is sent to its module, and says which time this is: 1 is the first.
    pub fn count_attempt(&mut self) -> u32 {
        self.account.attempts = self.account.attempts.saturating_add(1);
        self.account.attempts
    }

    /// Whether its link has a time-to-live. Who asks first pays for no clock where it has none.
    #[must_use]
    pub fn can_expire(&self) -> bool {
        self.expires.is_some()
    }

    /// Whether it is older than its link's time-to-live. It should then be settled as
    /// [`expired`](Self::expired) and not be delivered.
    #[must_use]
    pub fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires.get() <= self.account.route.time(now))
    }

    /// The sink has handled it. Nothing, here and below, if it counts as delivered already.
    pub fn delivered(self) {
        self.settle(|route| route.count_delivered(1));
    }

    /// The sink has given it up.
    pub fn dropped(self) {
        self.settle(Route::count_dropped);
    }

    /// It has become too old before it was handled.
    pub fn expired(self) {
        self.settle(Route::count_expired);
    }

    /// It has killed its module too often. [`DeadLetters::bury`](crate::dead_letters::DeadLetters::bury)
    /// does this, and keeps the message.
    pub fn dead(self) {
        self.settle(Route::count_dead);
    }

    fn settle(mut self, count: impl FnOnce(&Route)) {
        if !std::mem::replace(&mut self.account.settled, true) {
            count(&self.account.route);
        }
    }

    /// The bytes that it takes in an inbox.
    pub(super) fn size(&self) -> usize {
        self.message.frame().len()
    }
}

/// Settles messages that were just taken from an inbox as delivered. One addition for each run of messages
/// from the same route.
pub(super) fn deliver<'a>(batch: impl Iterator<Item = &'a mut Delivery>) {
    count_runs(batch, |account| account.settled = true, Route::count_delivered);
}

/// Takes note that messages were just taken from an inbox by a sink that settles them later.
pub(super) fn hand_out<'a>(batch: impl Iterator<Item = &'a mut Delivery>) {
    count_runs(batch, |account| account.out = true, Route::count_out);
}

fn count_runs<'a>(
    batch: impl Iterator<Item = &'a mut Delivery>,
    mark: impl Fn(&mut Account),
    count: impl Fn(&Route, u64),
) {
    let mut run: Option<(&Arc<Route>, u64)> = None;
    for Delivery { account, .. } in batch {
        mark(account);
        let route = &account.route;
        match &mut run {
            Some((same, messages)) if Arc::ptr_eq(same, route) => *messages += 1,
            _ => {
                if let Some((ended, messages)) = run.replace((route, 1)) {
                    count(ended, messages);
                }
            }
        }
    }
    if let Some((ended, messages)) = run {
        count(ended, messages);
    }
}
