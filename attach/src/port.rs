//! Where a started module's messages come from and go to: V1's message channel, or a lane of the host link.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use sandgate_wire::Channel;
use sandgate_wire::channel::{Closed, Peer, SendError};
use sandgate_wire::link::{Arrival, Lane, LaneSendError, Parcel, ParcelKind};
use tokio::sync::watch;

/// A module's way to its gateway. Cloning shares it.
#[derive(Clone)]
pub enum Port {
    /// To a V1 gateway: what one side has handed over is out of its hands.
    Pair {
        /// The message channel.
        channel: Arc<dyn Channel>,
        /// Whether a gateway is there.
        peer: watch::Receiver<Peer>,
        /// A lane that carries no messages: by it a Sandgate gateway whose messages come this way is asked for
        /// shared memory segments.
        segments: Option<Lane>,
    },
    /// To a Sandgate gateway: messages are kept until the other side has settled them.
    Link(Lane),
}

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Its encoded bytes, which nobody has checked yet.
    pub frame: Bytes,
    /// What to settle, on a lane.
    pub sequence: Option<u64>,
    /// Who published it, where the channel tells.
    pub source: Option<Arc<str>>,
    /// 1 for the first delivery.
    pub attempt: u32,
    /// How often it may end its module before it is given up; none on a channel that cannot take it back.
    pub redelivery_max: Option<u8>,
}

impl Port {
    /// By V1's message channel.
    pub fn pair(channel: Arc<dyn Channel>) -> Self {
        Self::Pair { peer: channel.peer(), channel, segments: None }
    }

    /// By V1's message channel, with a lane for segments alone.
    pub fn pair_with_segments(channel: Arc<dyn Channel>, segments: Option<Lane>) -> Self {
        Self::Pair { peer: channel.peer(), channel, segments }
    }

    /// The lane by which the gateway is asked for segments, if there is one.
    pub fn segments(&self) -> Option<&Lane> {
        match self {
            Self::Pair { segments, .. } => segments.as_ref(),
            Self::Link(lane) => Some(lane),
        }
    }

    /// The next message.
    ///
    /// # Errors
    /// The channel is closed and has nothing more to say.
    pub fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Result<Incoming, Closed>> {
        let lane = match self {
            Self::Pair { channel, .. } => {
                return channel.poll_recv(context).map_ok(|frame| Incoming {
                    frame,
                    sequence: None,
                    source: None,
                    attempt: 1,
                    redelivery_max: None,
                });
            }
            Self::Link(lane) => lane,
        };
        loop {
            match std::task::ready!(lane.poll_recv(context)).map_err(|_| Closed)? {
                Arrival::Parcel {
                    sequence,
                    parcel: Parcel { kind: ParcelKind::Message, source, attempt, redelivery_max, body, .. },
                } => {
                    return Poll::Ready(Ok(Incoming {
                        frame: body,
                        sequence: Some(sequence),
                        source: Some(source),
                        attempt: attempt.max(1),
                        redelivery_max: Some(redelivery_max.max(1)),
                    }));
                }
                // Of a kind that a newer gateway knows and this host does not.
                Arrival::Parcel { sequence, .. } => lane.settle(sequence),
                // The lane has made room by itself.
                Arrival::Settled(_) => {}
            }
        }
    }

    /// Says that a message is done with. On a lane this goes out behind everything that was published before.
    pub fn settle(&self, incoming: &Incoming) {
        if let (Self::Link(lane), Some(sequence)) = (self, incoming.sequence) {
            lane.settle(sequence);
        }
    }

    /// Hands an encoded message over. On a lane it is kept until the gateway has it in its sinks' inboxes.
    ///
    /// # Errors
    /// There is no room: here it is back. Or the channel is closed.
    pub fn try_send(&self, frame: Bytes) -> Result<(), SendError> {
        match self {
            Self::Pair { channel, .. } => channel.try_send(frame),
            Self::Link(lane) => match lane.try_send(Parcel::message(frame)) {
                Ok(_) => Ok(()),
                Err(LaneSendError::Full(parcel)) => Err(SendError::Full(parcel.body)),
                // No message is too large: its own limit is smaller.
                Err(LaneSendError::TooLarge(_) | LaneSendError::Closed) => Err(SendError::Closed),
            },
        }
    }

    /// Waits for room. Each port remembers one waker.
    ///
    /// # Errors
    /// The channel is closed.
    pub fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        match self {
            Self::Pair { channel, .. } => channel.poll_ready(context),
            Self::Link(lane) => lane.poll_ready(context).map_err(|_| Closed),
        }
    }

    /// Whether there was a gateway, and it has gone for good. One that has not come yet is waited for: it may
    /// connect to the message channel a little after it has sent Start. A lane outlives its connection.
    pub fn is_abandoned(&self) -> bool {
        match self {
            Self::Pair { peer, .. } => {
                let peer = *peer.borrow();
                !peer.connected && peer.connections > 0
            }
            Self::Link(_) => false,
        }
    }
}
