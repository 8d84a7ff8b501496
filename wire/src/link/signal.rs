//! What is said about lanes beside what they carry.
//!
//! Signals are neither numbered nor repeated: one that was said into a connection that broke may be lost.
//! Whoever needs the other side to know something says it again when a lane is open again.

use bytes::{BufMut, Bytes, BytesMut};

use super::frame::{Header, Kind};
use crate::DecodeError;
use crate::reader::Reader;

/// The longest reason or detail in bytes; a longer one is cut when it is sent.
pub const TEXT_MAX: usize = 1 << 10;

/// The largest statistics in bytes.
pub const STATISTICS_MAX: usize = 64 << 10;

/// Everything that is said but parcels, their settling, greetings and heartbeats.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Signal {
    /// Gateway to host: begin a lane, or resume it on this connection.
    Open {
        /// The module's number on the link.
        module: u32,
        /// Which attach of the module. Epochs of a module only grow.
        epoch: u32,
        /// What the host may have unsettled towards the gateway.
        window: Window,
        /// The newest parcel that the gateway has received in this lane.
        received: u64,
    },
    /// Host to gateway: the lane is open.
    Opened {
        /// The module's number on the link.
        module: u32,
        /// Which attach of the module.
        epoch: u32,
        /// What the gateway may have unsettled towards the host.
        window: Window,
        /// The newest parcel that the host has received in this lane.
        received: u64,
    },
    /// Host to gateway: there is no such module or epoch.
    Refused {
        /// The module's number on the link.
        module: u32,
        /// Which attach of the module.
        epoch: u32,
        /// Why, in words.
        reason: String,
    },
    /// Gateway to host: messages may flow. Saying it twice does no harm.
    Start {
        /// The module's number on the link.
        module: u32,
        /// Which attach of the module.
        epoch: u32,
    },
    /// Gateway to host: the lane is over.
    Close {
        /// The module's number on the link.
        module: u32,
        /// Which attach of the module.
        epoch: u32,
    },
    /// Host to gateway: how the module is.
    State {
        /// The module's number on the link.
        module: u32,
        /// Which attach of the module.
        epoch: u32,
        /// The state.
        state: State,
        /// More about it, in words.
        detail: String,
    },
    /// Host to gateway: what the host has counted.
    Statistics {
        /// The module's number on the link.
        module: u32,
        /// Which attach of the module.
        epoch: u32,
        /// An object, as JSON text of at most [`STATISTICS_MAX`] bytes. Not checked here.
        json: String,
    },
    /// Gateway to host: try a quarantined module again.
    Revive {
        /// The module's number on the link.
        module: u32,
        /// Which attach of the module.
        epoch: u32,
    },
    /// Either way: a message of V1's control protocol, for a module that has no control channel of its own.
    Control {
        /// Which attach; the answer has the same.
        epoch: u32,
        /// The module's name in its host, of at most [`TEXT_MAX`] bytes; a longer one is cut.
        name: String,
        /// The message, of at most [`CONTROL_MAX`](crate::limits::CONTROL_MAX) bytes. Not checked here.
        frame: Bytes,
    },
    /// Either way, the last frame before the connection is closed.
    Bye {
        /// Why, in words.
        reason: String,
    },
}

/// How a module in a host is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// It takes messages.
    Running,
    /// It failed and is being created anew.
    Restarting,
    /// It failed too often and is left alone until somebody revives it.
    Quarantined,
    /// It is gone for good.
    Ended,
    /// A state that a newer host knows; to be ignored.
    Other(u8),
}

/// How much a peer may have unsettled. It is used up once it holds as many messages, or as many bytes: the
/// last parcel may go beyond the bytes. Zero counts as one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    /// Parcels.
    pub messages: u32,
    /// Bytes of their payloads ([`Parcel::size`](super::Parcel::size)).
    pub bytes: u64,
}

impl Window {
    pub(super) fn at_least_one(self) -> Self {
        Self { messages: self.messages.max(1), bytes: self.bytes.max(1) }
    }

    pub(super) fn within(self, other: Self) -> Self {
        Self { messages: self.messages.min(other.messages), bytes: self.bytes.min(other.bytes) }
    }

    pub(super) fn is_used_up(self, messages: usize, bytes: u64) -> bool {
        messages >= self.messages as usize || bytes >= self.bytes
    }

    /// Half of it is free: the time to wake who waits for room.
    pub(super) fn is_half_free(self, messages: usize, bytes: u64) -> bool {
        messages <= self.messages as usize / 2 && bytes <= self.bytes / 2
    }
}

impl Signal {
    /// The lane that this speaks of, as module and epoch; a Bye and a Control speak of none.
    #[must_use]
    pub fn lane(&self) -> Option<(u32, u32)> {
        match *self {
            Self::Open { module, epoch, .. }
            | Self::Opened { module, epoch, .. }
            | Self::Refused { module, epoch, .. }
            | Self::Start { module, epoch }
            | Self::Close { module, epoch }
            | Self::State { module, epoch, .. }
            | Self::Statistics { module, epoch, .. }
            | Self::Revive { module, epoch } => Some((module, epoch)),
            Self::Control { .. } | Self::Bye { .. } => None,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Open { .. } => Kind::Open,
            Self::Opened { .. } => Kind::Opened,
            Self::Refused { .. } => Kind::Refused,
            Self::Start { .. } => Kind::Start,
            Self::Close { .. } => Kind::Close,
            Self::State { .. } => Kind::State,
            Self::Statistics { .. } => Kind::Statistics,
            Self::Revive { .. } => Kind::Revive,
            Self::Control { .. } => Kind::Control,
            Self::Bye { .. } => Kind::Bye,
        }
    }

    /// Whether it has at most a text of [`TEXT_MAX`] bytes.
    pub(super) fn is_small(&self) -> bool {
        !matches!(self, Self::Statistics { .. } | Self::Control { .. })
    }

    /// Whether it goes from a gateway to a host.
    pub(super) fn is_for_hosts(&self) -> bool {
        matches!(self.kind(), Kind::Open | Kind::Start | Kind::Close | Kind::Revive | Kind::Control)
    }

    /// Whether it goes from a host to a gateway.
    pub(super) fn is_for_gateways(&self) -> bool {
        !self.is_for_hosts() || self.kind() == Kind::Control
    }

    pub(super) fn encode(&self, into: &mut BytesMut) {
        let mut put = |module: &u32, epoch: &u32, sequence: u64, payload: &[&[u8]]| {
            // Every part is a few bytes, or a text that was cut or checked.
            let length = payload.iter().map(|part| part.len()).sum::<usize>() as u32;
            let (kind, module, epoch) = (self.kind() as u8, *module, *epoch);
            into.put_slice(&Header { length, kind, flags: 0, module, epoch, sequence }.encode());
            payload.iter().for_each(|part| into.put_slice(part));
        };
        match self {
            Self::Open { module, epoch, window, received }
            | Self::Opened { module, epoch, window, received } => {
                put(module, epoch, *received, &[&window.encode()]);
            }
            Self::Refused { module, epoch, reason } => put(module, epoch, 0, &[cut(reason)]),
            Self::Start { module, epoch }
            | Self::Close { module, epoch }
            | Self::Revive { module, epoch } => put(module, epoch, 0, &[]),
            Self::State { module, epoch, state, detail } => {
                put(module, epoch, 0, &[&[state.as_byte()], cut(detail)]);
            }
            Self::Statistics { module, epoch, json } => put(module, epoch, 0, &[json.as_bytes()]),
            Self::Control { epoch, name, frame } => {
                let name = cut(name);
                put(&0, epoch, 0, &[&(name.len() as u16).to_be_bytes(), name, frame]);
            }
            Self::Bye { reason } => put(&0, &0, 0, &[cut(reason)]),
        }
    }

    /// Reads a payload whose length was checked with its header.
    pub(super) fn decode(kind: Kind, header: &Header, payload: &[u8]) -> Result<Self, DecodeError> {
        let Header { module, epoch, sequence, .. } = *header;
        let mut reader = Reader::new(payload);
        Ok(match kind {
            Kind::Open => {
                Self::Open { module, epoch, window: Window::decode(&mut reader)?, received: sequence }
            }
            Kind::Opened => {
                Self::Opened { module, epoch, window: Window::decode(&mut reader)?, received: sequence }
            }
            Kind::Refused => Self::Refused { module, epoch, reason: text(&mut reader, "reason")? },
            Kind::Start => Self::Start { module, epoch },
            Kind::Close => Self::Close { module, epoch },
            Kind::State => {
                let state = State::from_byte(reader.u8("state")?);
                Self::State { module, epoch, state, detail: text(&mut reader, "detail")? }
            }
            Kind::Statistics => Self::Statistics { module, epoch, json: text(&mut reader, "statistics")? },
            Kind::Revive => Self::Revive { module, epoch },
            Kind::Control => {
                let length = reader.u16("length of the name")?;
                let name = std::str::from_utf8(reader.take(length.into(), "name")?);
                let name = name.map_err(|_| DecodeError::NotUtf8("name"))?.to_owned();
                Self::Control { epoch, name, frame: Bytes::copy_from_slice(reader.rest()) }
            }
            Kind::Bye => Self::Bye { reason: text(&mut reader, "reason")? },
            _ => {
                return Err(DecodeError::Unknown { what: "signal", value: kind as u8 });
            }
        })
    }
}

impl State {
    fn as_byte(self) -> u8 {
        match self {
            Self::Running => 0,
            Self::Restarting => 1,
            Self::Quarantined => 2,
            Self::Ended => 3,
            Self::Other(value) => value,
        }
    }

    fn from_byte(value: u8) -> Self {
        match value {
            0 => Self::Running,
            1 => Self::Restarting,
            2 => Self::Quarantined,
            3 => Self::Ended,
            value => Self::Other(value),
        }
    }
}

impl Window {
    fn encode(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&self.messages.to_be_bytes());
        bytes[4..].copy_from_slice(&self.bytes.to_be_bytes());
        bytes
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { messages: reader.u32("window in messages")?, bytes: reader.u64("window in bytes")? })
    }
}

/// The rest of a payload as a text.
fn text(reader: &mut Reader<'_>, what: &'static str) -> Result<String, DecodeError> {
    let text = std::str::from_utf8(reader.rest()).map_err(|_| DecodeError::NotUtf8(what))?;
    Ok(text.to_owned())
}

/// As much of a text as may be sent.
fn cut(text: &str) -> &[u8] {
    &text.as_bytes()[..text.floor_char_boundary(TEXT_MAX)]
}
