//! Messages over the host link: kept until the host has settled them, and published before they are
//! acknowledged.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use bytes::Bytes;
use sandgate_wire::link::{Arrival, Closed, Lane, LaneSendError, Parcel, ParcelKind};
use sandgate_wire::{Message, discard};
use serde::Deserialize;
use tokio::task::spawn_blocking;
use tracing::{error, warn};

use super::backlog::{Backlog, Entry, InHand};
use super::quantum::{Quantum, decoded};
use super::suspects::Turn;
use crate::broker::{Inbox, Publisher};
use crate::burst::Burst;
use crate::dead_letters::DeadLetters;
use crate::runtime::give_way;

/// Messages that are taken from the inbox at a time.
const BATCH: usize = 64;

/// Carries messages from the inbox to the lane until the inbox is closed and everything is settled.
pub(super) async fn outbound(
    inbox: &mut Inbox,
    backlog: &mut Backlog,
    lane: &Lane,
    in_hand: &InHand,
    turn: &mut Turn,
) -> Result<(), Closed> {
    let mut batch = VecDeque::new();
    loop {
        while let Some(entry) = backlog.front() {
            // A message that may have brought a host down goes alone, to see whether it does it again.
            let suspect = entry.deaths > 0;
            turn.lend(lane, settled_until(in_hand, InHand::has_room)).await;
            if suspect {
                lane.all_settled().await?;
                turn.isolate().await;
            } else {
                turn.share(lane).await?;
            }
            send_first(backlog, lane, in_hand).await?;
            if suspect {
                turn.acquit(lane).await?;
            }
        }
        match turn.lend(lane, inbox.recv_unsettled_batch(&mut batch, BATCH)).await {
            0 => break,
            taken => {
                batch.drain(..).for_each(|delivery| backlog.push(delivery));
                // There may be more at once: let the other direction have its turn.
                if taken == BATCH {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    settled_until(in_hand, InHand::is_empty).await;
    Ok(())
}

/// Sends the first message of the backlog, for which there is room in hand, or lets it go if it is too old.
async fn send_first(backlog: &mut Backlog, lane: &Lane, in_hand: &InHand) -> Result<(), Closed> {
    loop {
        let Some(entry) = backlog.front() else { return Ok(()) };
        if entry.is_expired() {
            if let Some(entry) = backlog.pop() {
                entry.delivery.expired();
            }
            return Ok(());
        }
        let route = entry.delivery.route();
        let parcel = Parcel {
            attempt: entry.delivery.attempts().saturating_add(1),
            redelivery_max: route.redelivery_max(),
            source: route.shared_source(),
            ..Parcel::message(entry.delivery.message.frame().clone())
        };
        match lane.try_send(parcel) {
            Ok(sequence) => {
                if let Some(entry) = backlog.pop() {
                    if entry.delivery.attempts() > 0 {
                        entry.delivery.route().count_redelivered(1);
                    }
                    in_hand.push(sequence, entry);
                }
                return Ok(());
            }
            Err(LaneSendError::Full(_)) => poll_fn(|context| lane.poll_ready(context)).await?,
            Err(LaneSendError::Closed) => return Err(Closed),
            // No message is: its own limit is smaller.
            Err(LaneSendError::TooLarge(_)) => {
                backlog.pop().into_iter().for_each(|entry| entry.delivery.dropped());
                return Ok(());
            }
        }
    }
}

/// Waits until the host has settled enough.
async fn settled_until(in_hand: &InHand, enough: impl Fn(&InHand) -> bool) {
    loop {
        // Made before the look, so that what is settled in between is not missed.
        let settled = in_hand.settled.notified();
        if enough(in_hand) {
            return;
        }
        settled.await;
    }
}

/// What came from a host in one attach.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) published: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) verdicts: AtomicU64,
    pub(super) dead: AtomicU64,
}

/// Publishes what the host sends, and takes note of what it is done with, until the lane is closed.
pub(super) struct Inbound<'a> {
    pub(super) lane: &'a Lane,
    pub(super) publisher: &'a Publisher,
    pub(super) in_hand: &'a InHand,
    pub(super) dead_letters: &'a DeadLetters,
    pub(super) counts: &'a Counts,
    /// The host has gone: handle what has arrived, then end.
    pub(super) last: AtomicBool,
}

/// What a host may do as often as it likes, and the log is not to tell each time.
#[derive(Default)]
struct Bursts {
    malformed: Burst,
    verdicts: Burst,
}

impl Inbound<'_> {
    /// Ends when the lane is closed or, after [`Inbound::finish`], empty.
    pub(super) async fn run(&self) {
        let (mut bursts, mut quantum) = (Bursts::default(), Quantum::new());
        let next = || {
            poll_fn(|context| match self.lane.poll_recv(context) {
                Poll::Pending => {
                    let is_last = self.last.load(Ordering::Relaxed);
                    if is_last && !self.lane.has_more() {
                        return Poll::Ready(Err(Closed));
                    }
                    // It may have been a piece of a large message, with more to come at once.
                    give_way();
                    if is_last {
                        context.waker().wake_by_ref();
                    }
                    Poll::Pending
                }
                arrival => arrival,
            })
        };
        while let Ok(arrival) = next().await {
            let effort = match &arrival {
                Arrival::Parcel { parcel, .. } => Message::effort(&parcel.body),
                Arrival::Settled(_) => 0,
            };
            self.handle(arrival, &mut bursts).await;
            if quantum.spend(effort) {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Nothing more comes. [`Inbound::run`] must be polled after this, by the same task.
    pub(super) fn finish(&self) {
        self.last.store(true, Ordering::Relaxed);
    }

    async fn handle(&self, arrival: Arrival, bursts: &mut Bursts) {
        let (sequence, parcel) = match arrival {
            Arrival::Settled(sequence) => {
                self.in_hand.settle(sequence).for_each(|entry| entry.delivery.delivered());
                return self.in_hand.settled.notify_waiters();
            }
            Arrival::Parcel { sequence, parcel } => (sequence, parcel),
        };
        match parcel.kind {
            ParcelKind::Message => self.publish(parcel.body, &mut bursts.malformed).await,
            kind => {
                match kind {
                    ParcelKind::Verdict => self.note_verdict(&parcel.body, &mut bursts.verdicts).await,
                    ParcelKind::DeadLetter => self.bury(parcel.about, &parcel.body).await,
                    // A newer host sends it, and can do without an answer.
                    _ => {}
                }
                discard(parcel.body);
            }
        }
        // Behind the publishing: what is acknowledged is in the sinks' inboxes.
        self.lane.settle(sequence);
    }

    async fn publish(&self, frame: Bytes, burst: &mut Burst) {
        match decoded(frame).await {
            Ok(message) => {
                self.publisher.publish(message).await;
                self.counts.published.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                self.counts.malformed.fetch_add(1, Ordering::Relaxed);
                if let Some(suppressed) = burst.event() {
                    let module = self.publisher.source();
                    warn!(module, %error, suppressed, "malformed message from the host, dropped");
                }
                tokio::task::coop::consume_budget().await;
            }
        }
    }

    async fn note_verdict(&self, json: &Bytes, burst: &mut Burst) {
        self.counts.verdicts.fetch_add(1, Ordering::Relaxed);
        let Some(suppressed) = burst.event() else { return };
        let (module, verdict) = (self.publisher.source(), sentence(json).await);
        warn!(module, verdict, suppressed, "the module failed; its host goes on with a new instance");
    }

    async fn bury(&self, about: u64, json: &Bytes) {
        // Before anything is taken out: a stop can end the waiting.
        let reason = sentence(json).await;
        let Some(Entry { delivery, .. }) = self.in_hand.take(about) else { return };
        self.counts.dead.fetch_add(1, Ordering::Relaxed);
        error!(module = self.publisher.source(), source = delivery.route().source(), reason, "dead letter");
        self.dead_letters.bury(delivery, json.clone(), &reason).await;
        self.in_hand.settled.notify_waiters();
    }
}

/// All that the log tells of a verdict. The rest of it, which may be megabytes of brackets, is read over.
#[derive(Deserialize)]
struct Summary<'a> {
    #[serde(borrow)]
    summary: Cow<'a, str>,
}

/// Bytes of a verdict that are read where others wait for their turn: it takes some microseconds.
const SHORT: usize = 32 << 10;

/// A verdict in one line. It comes from a host, so it may be anything, and of any length.
async fn sentence(json: &Bytes) -> String {
    if json.len() <= SHORT {
        return read_sentence(json);
    }
    let json = json.clone();
    // An error means that the gateway ends.
    spawn_blocking(move || read_sentence(&json)).await.unwrap_or_default()
}

fn read_sentence(json: &[u8]) -> String {
    const LONGEST: usize = 1024;
    let verdict: Option<Summary<'_>> = serde_json::from_slice(json).ok();
    let text = verdict.as_ref().map(|verdict| &*verdict.summary);
    let text = text.unwrap_or("the host has given no verdict that could be read");
    text[..text.floor_char_boundary(LONGEST)].chars().flat_map(printable).collect()
}

fn printable(character: char) -> impl Iterator<Item = char> {
    let escaped = character.is_control().then(|| character.escape_default());
    let plain = (!character.is_control()).then_some(character);
    escaped.into_iter().flatten().chain(plain)
}
