//! The gateway's end: an authority answers what the host asks.

use std::sync::Arc;

use super::super::Lane;
use super::Due;
use crate::link::{SegmentFrame, Violation};
use crate::segments::{Grant, SegmentAuthority, SegmentError};

/// Answers that wait because the host does not read: more than an honest one ever asks for at a time, also when
/// it asks again on a new connection.
const ANSWERS_MAX: usize = 64;

impl Lane {
    /// At a gateway: who answers the host's requests from now on. Without one they are refused. It is dropped
    /// when the lane is closed.
    pub fn serve_segments(&self, authority: Arc<dyn SegmentAuthority>) {
        let mut state = self.lock();
        let before = if state.closed { Some(authority) } else { state.segments.authority.replace(authority) };
        drop(state);
        drop(before);
    }

    /// At a gateway: the host asks. Says whether this connection carries the lane.
    pub(in crate::link) fn arrive_segment_request(
        &self,
        connection: u64,
        frame: SegmentFrame,
    ) -> Result<bool, Violation> {
        let mut state = self.lock();
        if !state.is_carried_by(connection) {
            return Ok(false);
        }
        // With a hold goes the descriptor that waits for a host which does not read.
        match &frame {
            SegmentFrame::Close { request } => state.segments.forget_grants(|granted| granted == *request),
            SegmentFrame::Held { requests } => {
                state.segments.forget_grants(|granted| !requests.contains(&granted));
            }
            _ => {}
        }
        if state.segments.due.len() >= ANSWERS_MAX {
            return Err(Violation::TooManyRequests(ANSWERS_MAX));
        }
        let authority = state.segments.authority.clone();
        drop(state);
        let Some(due) = answer(authority.as_deref(), frame) else { return Ok(true) };
        let mut state = self.lock();
        // What was granted to a lane that is over meanwhile goes with the authority.
        if state.is_carried_by(connection) {
            state.segments.due.push_back(due);
            let announced = state.announce();
            drop(state);
            self.tell(announced);
        }
        Ok(true)
    }
}

fn answer(authority: Option<&dyn SegmentAuthority>, frame: SegmentFrame) -> Option<Due> {
    let (request, granted) = match (frame, authority) {
        (SegmentFrame::Create { request, pool, size }, Some(authority)) => {
            (request, authority.create(request, &pool, size))
        }
        (SegmentFrame::Open { request, token }, Some(authority)) => (request, authority.open(request, token)),
        (SegmentFrame::Create { request, .. } | SegmentFrame::Open { request, .. }, None) => {
            (request, Err(SegmentError::Unavailable))
        }
        (SegmentFrame::Close { request }, Some(authority)) => {
            authority.close(request);
            return None;
        }
        (SegmentFrame::Held { requests }, Some(authority)) => {
            authority.retain(&requests);
            return None;
        }
        _ => return None,
    };
    Some(match granted {
        Ok(Grant { token, memory }) => {
            let frame = SegmentFrame::Granted { request, token, size: memory.size() };
            Due { frame, memory: Some(memory) }
        }
        Err(reason) => Due { frame: SegmentFrame::Refused { request, reason }, memory: None },
    })
}
