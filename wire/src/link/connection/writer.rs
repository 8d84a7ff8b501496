//! The writing half of a connection.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::WriteHalf;

use super::batch::{Batch, no_slices};
use super::descriptors::{Sent, send};
use super::pulse::Pulse;
use crate::link::lanes::Shared;
use crate::link::{Lane, LinkError, Signal, Violation};

pub(super) struct Writer<'a> {
    half: WriteHalf<'a>,
    lanes: Arc<Shared>,
    connection: u64,
    pulse: &'a Pulse,
    /// What has not been written yet. It is here and not in the future, which may end in the middle of it.
    batch: Batch,
    /// Lanes that have something to send; the first one's turn is next.
    turn: VecDeque<Lane>,
    /// Waits until nothing else can be sent.
    bye: Option<Signal>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(half: WriteHalf<'a>, lanes: Arc<Shared>, connection: u64, pulse: &'a Pulse) -> Self {
        let (batch, turn) = (Batch::new(), VecDeque::new());
        Self { half, lanes, connection, pulse, batch, turn, bye: None }
    }

    /// Writes what there is until the connection breaks or this side leaves.
    pub(super) async fn run(&mut self) -> LinkError {
        loop {
            let leaves = match self.gather().await {
                Ok(leaves) => leaves,
                Err(violation) => return violation.into(),
            };
            if let Err(error) = self.write().await {
                return error;
            }
            if leaves {
                return LinkError::Leaving;
            }
        }
    }

    /// The last words to a peer that breaks the rules, behind what has been begun.
    pub(super) async fn say_bye(&mut self, reason: String) -> Result<(), LinkError> {
        self.batch.signal(&Signal::Bye { reason });
        self.write().await
    }

    /// Fills the batch, waiting until there is something. Says whether Bye is at its end.
    async fn gather(&mut self) -> Result<bool, Violation> {
        poll_fn(|context| {
            loop {
                let leaves = match self.fill() {
                    Ok(leaves) => leaves,
                    Err(violation) => return Poll::Ready(Err(violation)),
                };
                if !self.batch.is_empty() {
                    return Poll::Ready(Ok(leaves));
                }
                if !self.pulse.is_due() && self.lanes.rest(self.connection, context.waker()) {
                    // Whoever has sent the last meanwhile has woken nobody.
                    if self.bye.is_some() && !self.lanes.is_held_back() {
                        continue;
                    }
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    fn fill(&mut self) -> Result<bool, Violation> {
        let Self { lanes, connection, batch, turn, bye, .. } = self;
        // Opening comes before the first Ping: so a host knows at the first Ping which lanes there are.
        lanes.collect(*connection, batch, turn, bye)?;
        let due = self.pulse.take_due();
        due.pong.into_iter().for_each(|sequence| batch.pong(sequence));
        due.ping.into_iter().for_each(|sequence| batch.ping(sequence));
        while !batch.is_full()
            && let Some(lane) = turn.pop_front()
        {
            if lane.fill(*connection, batch) {
                turn.push_back(lane);
            }
        }
        let leaves = turn.is_empty() && bye.is_some() && !lanes.is_held_back();
        if leaves && let Some(bye) = bye.take() {
            batch.signal(&bye);
        }
        Ok(leaves)
    }

    async fn write(&mut self) -> Result<(), LinkError> {
        self.batch.seal();
        self.lanes.counters().frames_sent.fetch_add(self.batch.take_frames(), Ordering::Relaxed);
        while !self.batch.is_empty() {
            let mut slices = no_slices();
            let count = self.batch.slices(&mut slices);
            if let Some(memory) = self.batch.memory() {
                match send(&self.half, &slices[..count], memory).await? {
                    Sent::Bytes(written) => self.batch.advance_with_descriptor(written),
                    Sent::Refused => self.batch.refuse_descriptor(),
                }
                continue;
            }
            // Either nothing is written or this continues: the count cannot get lost in between.
            match self.half.write_vectored(&slices[..count]).await? {
                0 => return Err(LinkError::Closed),
                written => self.batch.advance(written),
            }
        }
        self.batch.reuse();
        Ok(())
    }
}
