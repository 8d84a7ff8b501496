//! Shared memory segments in a lane: what the host asks, what the gateway answers, and the descriptors.
//!
//! Requests have numbers, which the host chooses. What came of a request is a *hold* and is known by the same
//! number; so a Close also ends what a request is going to bring whose answer nobody waits for any more. None
//! of these frames is repeated. Instead the host begins every connection with Held, which tells all that it has
//! and waits for, and asks again what was not answered: nothing is held by mistake, whatever was lost.

mod answering;
mod asking;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

pub use asking::{Segment, SegmentRequest};

use crate::link::{SegmentFrame, Side};
use crate::segments::{Memory, SegmentAuthority};
use asking::Asking;

/// A frame that waits to be sent, with the memory whose descriptor goes beside it.
pub(super) struct Due {
    pub(super) frame: SegmentFrame,
    pub(super) memory: Option<Memory>,
}

/// What a lane's end knows of segments.
#[derive(Default)]
pub(super) struct Segments {
    /// To be sent on the connection that carries the lane; empty while there is none.
    due: VecDeque<Due>,
    /// Whether the peer of this connection knows of segments.
    is_understood: bool,
    /// At a host.
    asking: Asking,
    /// At a gateway that lets the module have segments.
    authority: Option<Arc<dyn SegmentAuthority>>,
}

/// What is over, and is to be dropped or woken when no lock is held.
#[must_use]
#[derive(Default)]
pub(super) struct Over {
    waiters: Vec<Waker>,
    _authority: Option<Arc<dyn SegmentAuthority>>,
}

impl Segments {
    pub(super) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    pub(super) fn take_due(&mut self) -> Option<Due> {
        self.due.pop_front()
    }

    fn push(&mut self, frame: SegmentFrame) {
        self.due.push_back(Due { frame, memory: None });
    }

    /// Takes a request back that waits to be sent. False if it has been sent.
    fn withdraw(&mut self, number: u64) -> bool {
        let asks = |due: &Due| {
            matches!(due.frame, SegmentFrame::Create { request, .. } | SegmentFrame::Open { request, .. }
                if request == number)
        };
        let Some(position) = self.due.iter().rposition(asks) else { return false };
        self.due.remove(position);
        true
    }

    /// Drops the answers to these requests that wait to be sent and carry memory.
    fn forget_grants(&mut self, is_over: impl Fn(u64) -> bool) {
        self.due
            .retain(|due| !matches!(due.frame, SegmentFrame::Granted { request, .. } if is_over(request)));
    }

    /// A new connection carries the lane.
    pub(super) fn resume(&mut self, side: Side, is_understood: bool) -> Over {
        self.due.clear();
        self.is_understood = is_understood;
        match (side, is_understood) {
            (Side::Gateway, _) => Over::default(),
            (Side::Host, true) => {
                let frames = self.asking.census();
                self.due.extend(frames.into_iter().map(|frame| Due { frame, memory: None }));
                Over::default()
            }
            (Side::Host, false) => Over { waiters: self.asking.fail(), ..Over::default() },
        }
    }

    /// No connection carries the lane.
    pub(super) fn detach(&mut self) {
        self.due.clear();
    }

    /// The lane is closed.
    pub(super) fn close(&mut self) -> Over {
        self.due.clear();
        Over { waiters: self.asking.fail(), _authority: self.authority.take() }
    }
}

impl Over {
    pub(super) fn wake(self) {
        self.waiters.into_iter().for_each(Waker::wake);
    }
}
