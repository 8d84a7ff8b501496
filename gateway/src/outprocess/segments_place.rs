//! A place on the host link for segments alone: the module's messages go over V1's channels, as `channel` `pair` has
//! it, maybe by TCP. Descriptors cannot go there; so gateway and host meet on the link as well, if they can.

use std::convert::Infallible;
use std::future::pending;

use sandgate_wire::Message;
use sandgate_wire::link::{Arrival, Parcel, ParcelKind};

use super::linked::opened;
use super::links::{LinkState, Place};
use crate::broker::Publisher;

/// A lane that is opened and not started. Dropping it gives back what the module holds.
pub(super) struct SegmentsPlace(Place);

impl SegmentsPlace {
    /// Waits until the host has opened the lane: it must be there before V1's Start.
    pub(super) async fn open(mut place: Place) -> Result<Self, String> {
        match opened(&mut place.signals).await {
            Ok(()) => Ok(Self(place)),
            Err(ended) => Err(format!("the host does not open its lane: {ended}")),
        }
    }

    /// Keeps the place as long as its host is on the link, and publishes what an earlier instance has left in the lane
    /// when its messages went there. It does not end, for the messages go on without it.
    pub(super) async fn keep(place: &mut Option<Self>, publisher: &Publisher) -> Infallible {
        if let Some(Self(place)) = place {
            let mut state = place.state();
            tokio::select! {
                () = hear_out(place, publisher) => {}
                _ = state.wait_for(|state| matches!(state, LinkState::Gone | LinkState::Silent)) => {}
            }
        }
        // What is left of it is held by nobody.
        *place = None;
        pending().await
    }
}

/// Ends when the lane is closed.
async fn hear_out(place: &mut Place, publisher: &Publisher) {
    loop {
        let arrival = tokio::select! {
            // What the host says of the module is told by V1's channels too.
            Some(_) = place.signals.recv() => continue,
            arrival = place.lane.recv() => arrival,
        };
        match arrival {
            Ok(Arrival::Parcel { sequence, parcel: Parcel { kind: ParcelKind::Message, body, .. } }) => {
                if let Ok(message) = Message::decode(body) {
                    publisher.publish(message).await;
                }
                place.lane.settle(sequence);
            }
            Ok(Arrival::Parcel { sequence, .. }) => place.lane.settle(sequence),
            Ok(Arrival::Settled(_)) => {}
            Err(_) => return,
        }
    }
}
