//! The host's end: requests, and what came of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::super::{Lane, remember, wake};
use crate::link::SegmentFrame;
use crate::link::segments::HELD_MAX;
use crate::segments::{Grant, Memory, POOL_MAX, SegmentError, Token};

/// Requests of one lane that wait for an answer. A module mostly makes one at a time.
const REQUESTS_MAX: usize = 32;

/// What a host has asked for and has got, in one lane.
#[derive(Default)]
pub(super) struct Asking {
    /// The newest number that was given.
    newest: u64,
    requests: BTreeMap<u64, Request>,
    holds: BTreeSet<u64>,
}

struct Request {
    frame: SegmentFrame,
    answer: Option<Result<Grant, SegmentError>>,
    waiter: Option<Waker>,
}

impl Asking {
    /// What a new connection begins with.
    pub(super) fn census(&self) -> Vec<SegmentFrame> {
        if self.newest == 0 {
            return Vec::new();
        }
        let open = || self.requests.iter().filter(|(_, request)| request.answer.is_none());
        let requests = self.holds.iter().copied().chain(open().map(|(number, _)| *number)).collect();
        let again = open().map(|(_, request)| request.frame.clone());
        std::iter::once(SegmentFrame::Held { requests }).chain(again).collect()
    }

    /// Nobody will answer. Gives those who wait.
    pub(super) fn fail(&mut self) -> Vec<Waker> {
        let unanswered = self.requests.values_mut().filter(|request| request.answer.is_none());
        let failed = unanswered.filter_map(|request| {
            request.answer = Some(Err(SegmentError::Unavailable));
            request.waiter.take()
        });
        failed.collect()
    }

    fn is_full(&self) -> bool {
        self.requests.len() >= REQUESTS_MAX || self.requests.len() + self.holds.len() >= HELD_MAX
    }

    /// Takes what came of a request. Gives who waits for it; `None` if the answer is of no use any more.
    fn answer(&mut self, number: u64, answer: Result<Grant, SegmentError>) -> Option<Option<Waker>> {
        let request = self.requests.get_mut(&number).filter(|request| request.answer.is_none())?;
        if answer.is_ok() {
            self.holds.insert(number);
        }
        request.answer = Some(answer);
        Some(request.waiter.take())
    }
}

impl Lane {
    /// At a host: asks the gateway for a new segment of a pool, of so many bytes.
    ///
    /// While no connection carries the lane the request waits for one. Dropping it takes it back.
    pub fn create_segment(&self, pool: &str, size: u64) -> SegmentRequest {
        // No longer name is granted, and none is to be kept here.
        if pool.len() > POOL_MAX {
            return self.refused(SegmentError::NotGranted);
        }
        self.ask(|request| SegmentFrame::Create { request, size, pool: pool.to_owned() })
    }

    /// At a host: asks the gateway for the segment of a token. As [`Lane::create_segment`].
    pub fn open_segment(&self, token: Token) -> SegmentRequest {
        self.ask(|request| SegmentFrame::Open { request, token })
    }

    fn refused(&self, reason: SegmentError) -> SegmentRequest {
        SegmentRequest { lane: self.clone(), state: RequestState::Over(Some(reason)) }
    }

    fn ask(&self, frame: impl FnOnce(u64) -> SegmentFrame) -> SegmentRequest {
        let mut state = self.lock();
        let (closed, carried) = (state.closed, state.connection.is_some());
        let segments = &mut state.segments;
        if closed || (carried && !segments.is_understood) {
            return self.refused(SegmentError::Unavailable);
        }
        if segments.asking.is_full() {
            return self.refused(SegmentError::Unavailable);
        }
        segments.asking.newest += 1;
        let number = segments.asking.newest;
        let frame = frame(number);
        if carried {
            segments.push(frame.clone());
        }
        segments.asking.requests.insert(number, Request { frame, answer: None, waiter: None });
        let connection = state.announce();
        drop(state);
        self.tell(connection);
        SegmentRequest { lane: self.clone(), state: RequestState::Waits(number) }
    }

    fn poll_segment(&self, number: u64, context: &Context<'_>) -> Poll<Result<Segment, SegmentError>> {
        let mut state = self.lock();
        let requests = &mut state.segments.asking.requests;
        let Some(request) = requests.get_mut(&number) else {
            return Poll::Ready(Err(SegmentError::Unavailable));
        };
        let Some(answer) = request.answer.take() else {
            remember(&mut request.waiter, context);
            return Poll::Pending;
        };
        requests.remove(&number);
        drop(state);
        Poll::Ready(answer.map(|grant| Segment { lane: self.clone(), number, grant }))
    }

    /// Nothing that comes of this request is wanted any more.
    fn close_segment(&self, number: u64) {
        let mut state = self.lock();
        let carried = state.connection.is_some();
        let segments = &mut state.segments;
        // With it goes the memory, if it was answered.
        let request = segments.asking.requests.remove(&number);
        let held = segments.asking.holds.remove(&number);
        let open = request.as_ref().is_some_and(|request| request.answer.is_none());
        // What the gateway has not been asked yet need not be taken back, and does not pile up while it takes nothing.
        let unsent = open && segments.withdraw(number);
        if carried && segments.is_understood && !unsent && (held || open) {
            segments.push(SegmentFrame::Close { request: number });
        }
        let connection = state.announce();
        drop(state);
        drop(request);
        self.tell(connection);
    }

    /// At a host: the gateway has answered. False if this connection does not carry the lane, or nobody waits for the
    /// answer any more: then its Close is under way.
    pub(in crate::link) fn arrive_segment(
        &self,
        connection: u64,
        frame: SegmentFrame,
        descriptor: Option<OwnedFd>,
    ) -> bool {
        let (number, answer) = match frame {
            SegmentFrame::Granted { request, token, size } => {
                let memory = descriptor.and_then(|descriptor| Memory::adopt(descriptor, size));
                let grant = memory.map(|memory| Grant { token, memory });
                (request, grant.ok_or(SegmentError::Unavailable))
            }
            SegmentFrame::Refused { request, reason } => (request, Err(reason)),
            _ => return false,
        };
        let mut state = self.lock();
        if !state.is_carried_by(connection) {
            return false;
        }
        let unusable = matches!(answer, Err(SegmentError::Unavailable));
        let Some(waiter) = state.segments.asking.answer(number, answer) else { return false };
        if unusable {
            // The gateway may believe that it has granted something.
            state.segments.push(SegmentFrame::Close { request: number });
        }
        let announced = state.announce();
        drop(state);
        wake(waiter);
        self.tell(announced);
        true
    }
}

/// A request for a segment: a future of what comes of it. It knows no runtime.
#[must_use = "dropping it takes the request back"]
pub struct SegmentRequest {
    lane: Lane,
    state: RequestState,
}

enum RequestState {
    Waits(u64),
    Over(Option<SegmentError>),
}

impl Future for SegmentRequest {
    type Output = Result<Segment, SegmentError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            RequestState::Over(reason) => {
                Poll::Ready(Err(reason.take().unwrap_or(SegmentError::Unavailable)))
            }
            &mut RequestState::Waits(number) => {
                let polled = self.lane.poll_segment(number, context);
                if polled.is_ready() {
                    self.state = RequestState::Over(None);
                }
                polled
            }
        }
    }
}

impl Drop for SegmentRequest {
    fn drop(&mut self) {
        if let RequestState::Waits(number) = self.state {
            self.lane.close_segment(number);
        }
    }
}

/// A segment that this process holds. Dropping it gives it back.
pub struct Segment {
    lane: Lane,
    number: u64,
    grant: Grant,
}

impl Segment {
    /// Its handle, which may travel in a message.
    #[must_use]
    pub fn token(&self) -> Token {
        self.grant.token
    }

    /// What was granted.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Its memory. A clone of it outlives this, without a part in the module's limits: drop it too.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.grant.memory
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.lane.close_segment(self.number);
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment").field("grant", &self.grant).finish_non_exhaustive()
    }
}
