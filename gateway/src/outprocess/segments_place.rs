//! A place on the host link for segments alone: the module's messages go over V1's channels, as `channel` `pair` has
//! it, maybe by TCP. Descriptors cannot go there; so gateway and host meet on the link as well, if they can.

use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::AtomicBool;

use sandgate_wire::link::Window;
use tracing::warn;

use super::backlog::InHand;
use super::linked::{gone, opened};
use super::links::{LinkState, Place};
use super::over_link::{Counts, Inbound};
use crate::broker::Publisher;
use crate::dead_letters::DeadLetters;

/// A lane that is opened and not started. Dropping it gives back what the module holds.
pub(super) struct SegmentsPlace(Place);

impl SegmentsPlace {
    /// Waits until the host has opened the lane: it must be there before V1's Start.
    pub(super) async fn open(mut place: Place) -> Result<Self, String> {
        let mut state = place.state();
        let opened = tokio::select! {
            biased;
            opened = opened(&mut place.signals) => opened,
            ended = gone(&mut state) => Err(ended),
        };
        match opened {
            Ok(()) => Ok(Self(place)),
            Err(ended) => Err(format!("the host does not open its lane: {ended}")),
        }
    }

    /// Keeps the place as long as its host is on the link, and takes what an earlier instance has left in the lane when
    /// its messages went there. It does not end, for the messages go on without it.
    pub(super) async fn keep(place: &mut Option<Self>, left: Left<'_>) -> Infallible {
        let Left { publisher, dead_letters, counts } = left;
        if let Some(Self(place)) = place {
            let mut state = place.state();
            // Nothing goes out here.
            let in_hand = InHand::new(Window { messages: 0, bytes: 0 }, false);
            let last = AtomicBool::new(false);
            let Place { lane, signals, .. } = place;
            let inbound = Inbound { lane, publisher, in_hand: &in_hand, dead_letters, counts, last };
            // What the host says of the module is told by V1's channels too.
            let said = async {
                while signals.recv().await.is_some() {}
                pending::<Infallible>().await
            };
            tokio::select! {
                () = inbound.run() => {}
                never = said => match never {},
                _ = state.wait_for(|state| matches!(state, LinkState::Gone | LinkState::Silent)) => {}
            }
            let module = publisher.source();
            warn!(
                module,
                "the module has no segments any more: its host was lost on the link; start the host again"
            );
        }
        // What is left of it is held by nobody.
        *place = None;
        pending().await
    }
}

/// What is done with what an earlier instance has left.
pub(super) struct Left<'a> {
    pub(super) publisher: &'a Publisher,
    pub(super) dead_letters: &'a DeadLetters,
    pub(super) counts: &'a Counts,
}
