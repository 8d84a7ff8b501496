//! Messages over V1's message channel: handed over is done. Per message there is no allocation and no
//! logging here.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use sandgate_wire::channel::{Closed, SendError};
use sandgate_wire::{Channel, Message};
use tracing::warn;

use super::backlog::Backlog;
use super::quantum::{Quantum, decoded};
use crate::broker::{Inbox, Publisher};
use crate::burst::Burst;

/// Messages that are taken from the inbox at a time. They stay the proxy's until the channel takes
/// them, and outlive the attach.
const BATCH: usize = 64;

/// Carries messages from the inbox to the channel until the inbox is closed and empty. What the channel has
/// taken counts as delivered: V1 tells no more.
pub(super) async fn outbound(
    inbox: &mut Inbox,
    backlog: &mut Backlog,
    channel: &dyn Channel,
) -> Result<(), Closed> {
    let mut batch = VecDeque::new();
    loop {
        while let Some(entry) = backlog.front() {
            if entry.is_expired() {
                backlog.pop().into_iter().for_each(|entry| entry.delivery.expired());
                continue;
            }
            match channel.try_send(entry.delivery.message.frame().clone()) {
                Ok(()) => backlog.pop().into_iter().for_each(|entry| entry.delivery.delivered()),
                Err(SendError::Full(_)) => poll_fn(|context| channel.poll_ready(context)).await?,
                Err(SendError::Closed) => return Err(Closed),
            }
        }
        let taken = inbox.recv_unsettled_batch(&mut batch, BATCH).await;
        batch.drain(..).for_each(|delivery| backlog.push(delivery));
        match taken {
            0 => return Ok(()),
            // There may be more at once: let the other direction have its turn.
            BATCH => tokio::task::yield_now().await,
            _ => {}
        }
    }
}

/// What came from the host in one attach.
#[derive(Default)]
pub(super) struct Inbound {
    /// Frames that were published or found malformed.
    handled: AtomicU64,
    malformed: AtomicU64,
    /// The host has gone: publish what has arrived, then end.
    last: AtomicBool,
}

impl Inbound {
    /// Publishes what the host sends until the channel is closed or, after [`Inbound::finish`], empty.
    pub(super) async fn run(&self, channel: &dyn Channel, publisher: &Publisher) {
        let (mut burst, mut quantum) = (Burst::default(), Quantum::new());
        let next = || {
            poll_fn(|context| match channel.poll_recv(context) {
                Poll::Pending if self.last.load(Ordering::Relaxed) => Poll::Ready(Err(Closed)),
                frame => frame,
            })
        };
        while let Ok(frame) = next().await {
            let effort = Message::effort(&frame);
            match decoded(frame).await {
                Ok(message) => publisher.publish(message).await,
                Err(error) => {
                    self.malformed.fetch_add(1, Ordering::Relaxed);
                    if let Some(suppressed) = burst.event() {
                        let module = publisher.source();
                        warn!(module, %error, suppressed, "malformed message from the host, dropped");
                    }
                    tokio::task::coop::consume_budget().await;
                }
            }
            self.handled.fetch_add(1, Ordering::Relaxed);
            if quantum.spend(effort) {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Lets [`Inbound::run`] end when nothing is left. It must be polled after this, by the same task.
    pub(super) fn finish(&self) {
        self.last.store(true, Ordering::Relaxed);
    }

    pub(super) fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    pub(super) fn malformed(&self) -> u64 {
        self.malformed.load(Ordering::Relaxed)
    }
}
