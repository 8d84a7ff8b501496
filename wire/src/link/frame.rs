//! The frames of a link: a fixed header and a payload.
//!
//! ```text
//! 0   length    32 bit, of the payload
//! 4   kind      8 bit
//! 5   flags     8 bit, none is defined
//! 6   reserved  16 bit, zero
//! 8   module    32 bit
//! 12  epoch     32 bit
//! 16  sequence  64 bit
//! 24  payload
//! ```
//!
//! All numbers are big-endian. Whatever a reader does not know it ignores: flags, the reserved bits, whole
//! frames of unknown kind, and bytes behind the last field of a payload.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::hello::Greeting;
use super::parcel::Parcel;
use super::segments::{HELD_MAX, SegmentFrame};
use super::signal::{STATISTICS_MAX, Signal, TEXT_MAX};
use crate::limits::{CONTROL_MAX, MESSAGE_MAX};
use crate::{DecodeError, EncodeError};

/// The size of a header in bytes.
pub const HEADER_SIZE: usize = 24;

/// The largest payload in bytes: the largest message, and 64 KiB for what stands around it.
pub const PAYLOAD_MAX: usize = MESSAGE_MAX + (64 << 10);

/// The largest payload of what has only fixed fields, in bytes; newer versions may add some.
const FIXED_MAX: usize = 1 << 10;

/// What kind of frame it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Kind {
    /// The first frame, both ways.
    Hello = 1,
    /// [`Signal::Open`].
    Open = 2,
    /// [`Signal::Opened`].
    Opened = 3,
    /// [`Signal::Refused`].
    Refused = 4,
    /// [`Signal::Start`].
    Start = 5,
    /// A numbered [`Parcel`] of a lane.
    Parcel = 6,
    /// Every parcel of a lane up to the sequence number is done with.
    Settle = 7,
    /// Gateway to host: are you there?
    Ping = 8,
    /// The answer, with the sequence number of the question.
    Pong = 9,
    /// [`Signal::State`].
    State = 10,
    /// [`Signal::Statistics`].
    Statistics = 11,
    /// [`Signal::Revive`].
    Revive = 12,
    /// [`Signal::Close`].
    Close = 13,
    /// [`Signal::Bye`].
    Bye = 14,
    /// [`SegmentFrame::Create`].
    SegmentCreate = 15,
    /// [`SegmentFrame::Open`].
    SegmentOpen = 16,
    /// [`SegmentFrame::Close`].
    SegmentClose = 17,
    /// [`SegmentFrame::Held`].
    SegmentsHeld = 18,
    /// [`SegmentFrame::Granted`].
    SegmentGranted = 19,
    /// [`SegmentFrame::Refused`].
    SegmentRefused = 20,
    /// [`Signal::Control`].
    Control = 21,
    /// Whether rings are used: the gateway sends them, the host answers.
    Rings = 22,
    /// Gateway to host: which rings carry the lane that is opened next.
    Slot = 23,
}

impl Kind {
    const ALL: [Self; 23] = [
        Self::Hello,
        Self::Open,
        Self::Opened,
        Self::Refused,
        Self::Start,
        Self::Parcel,
        Self::Settle,
        Self::Ping,
        Self::Pong,
        Self::State,
        Self::Statistics,
        Self::Revive,
        Self::Close,
        Self::Bye,
        Self::SegmentCreate,
        Self::SegmentOpen,
        Self::SegmentClose,
        Self::SegmentsHeld,
        Self::SegmentGranted,
        Self::SegmentRefused,
        Self::Control,
        Self::Rings,
        Self::Slot,
    ];

    /// The kind with this number, if it is known.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte).checked_sub(1)?).copied()
    }

    /// Whether it is one of those that speak of segments.
    fn is_of_segments(self) -> bool {
        (Self::SegmentCreate as u8..=Self::SegmentRefused as u8).contains(&(self as u8))
    }

    /// The largest payload of such a frame in bytes.
    #[must_use]
    pub fn payload_max(self) -> usize {
        match self {
            Self::Parcel => PAYLOAD_MAX,
            Self::Statistics => STATISTICS_MAX,
            Self::Refused | Self::State | Self::Bye => TEXT_MAX + 1,
            Self::SegmentsHeld => HELD_MAX * size_of::<u64>(),
            Self::Control => size_of::<u16>() + TEXT_MAX + CONTROL_MAX,
            _ => FIXED_MAX,
        }
    }
}

/// What stands in front of every payload.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Header {
    /// Bytes of the payload.
    pub length: u32,
    /// A [`Kind`], or something that a newer peer sends.
    pub kind: u8,
    /// None is defined.
    pub flags: u8,
    /// The module's number on the link, or 0.
    pub module: u32,
    /// Which attach of the module, or 0.
    pub epoch: u32,
    /// What it means depends on the kind.
    pub sequence: u64,
}

impl Header {
    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_SIZE] {
        let mut bytes = [0; HEADER_SIZE];
        bytes[..4].copy_from_slice(&self.length.to_be_bytes());
        bytes[4] = self.kind;
        bytes[5] = self.flags;
        bytes[8..12].copy_from_slice(&self.module.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[16..].copy_from_slice(&self.sequence.to_be_bytes());
        bytes
    }

    /// Reads a header and checks the length that it claims.
    ///
    /// # Errors
    /// A payload that is longer than its kind allows.
    pub fn decode(bytes: &[u8; HEADER_SIZE]) -> Result<Self, DecodeError> {
        let four = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let sequence = u64::from(u32::from_be_bytes(four(16))) << 32;
        let header = Self {
            length: u32::from_be_bytes(four(0)),
            kind: bytes[4],
            flags: bytes[5],
            module: u32::from_be_bytes(four(8)),
            epoch: u32::from_be_bytes(four(12)),
            sequence: sequence | u64::from(u32::from_be_bytes(four(20))),
        };
        let limit = Kind::from_byte(header.kind).map_or(PAYLOAD_MAX, Kind::payload_max);
        match header.length as usize {
            actual if actual > limit => Err(DecodeError::TooLarge { actual, limit }),
            _ => Ok(header),
        }
    }
}

/// One frame of a known meaning.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Frame {
    /// The first frame, both ways.
    Hello(Greeting),
    /// A numbered parcel of a lane.
    Parcel {
        /// The module's number on the link.
        module: u32,
        /// Which attach of the module.
        epoch: u32,
        /// The parcel's number; the first of a lane is 1.
        sequence: u64,
        /// The parcel.
        parcel: Parcel,
    },
    /// Every parcel of a lane up to this one is done with.
    Settle {
        /// The module's number on the link.
        module: u32,
        /// Which attach of the module.
        epoch: u32,
        /// The newest parcel that is done with.
        sequence: u64,
    },
    /// Gateway to host: are you there?
    Ping {
        /// Comes back in the Pong.
        sequence: u64,
    },
    /// The answer.
    Pong {
        /// That of the Ping.
        sequence: u64,
    },
    /// Something about shared memory segments. The descriptor of a granted one comes beside the bytes.
    Segment {
        /// The module's number on the link.
        module: u32,
        /// Which attach of the module.
        epoch: u32,
        /// What is said.
        frame: SegmentFrame,
    },
    /// The gateway has rings, and their descriptors are beside this; or the host uses them.
    Rings {
        /// Whether there are any, or whether they are used.
        used: bool,
    },
    /// Gateway to host: the lane of this module and epoch, once it is open, is carried by rings.
    Slot {
        /// The module's number on the link.
        module: u32,
        /// Which attach of the module.
        epoch: u32,
        /// Which rings of the arena, and which life of them.
        slot: Slot,
    },
    /// Everything else.
    Signal(Signal),
    /// A kind that this version does not know, to be ignored.
    Unknown {
        /// Its number.
        kind: u8,
    },
}

impl Frame {
    /// Reads the frame at the front of some bytes, and says how many it took. `None`: it is not whole yet.
    ///
    /// # Errors
    /// A claimed length over the limit, before anything is made of it; a payload that departs from its layout.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        let Some((header, rest)) = bytes.split_first_chunk() else { return Ok(None) };
        let header = Header::decode(header)?;
        let Some(payload) = rest.get(..header.length as usize) else { return Ok(None) };
        let frame = Self::decode(&header, Payload::Borrowed(payload), &mut Arc::from(""))?;
        Ok(Some((frame, HEADER_SIZE + payload.len())))
    }

    /// Reads the payload behind a header. `source` is that of the newest parcel, see [`Parcel::decode`].
    pub(super) fn decode(
        header: &Header,
        payload: Payload<'_>,
        source: &mut Arc<str>,
    ) -> Result<Self, DecodeError> {
        let Header { module, epoch, sequence, kind, .. } = *header;
        Ok(match Kind::from_byte(kind) {
            Some(Kind::Parcel) => {
                Self::Parcel { module, epoch, sequence, parcel: Parcel::decode(payload, source)? }
            }
            Some(Kind::Settle) => Self::Settle { module, epoch, sequence },
            Some(Kind::Ping) => Self::Ping { sequence },
            Some(Kind::Pong) => Self::Pong { sequence },
            Some(Kind::Rings) => Self::Rings { used: sequence != 0 },
            Some(Kind::Slot) => Self::Slot { module, epoch, slot: Slot::from_sequence(sequence) },
            Some(Kind::Hello) => Self::Hello(Greeting::decode(payload.as_ref())?),
            Some(kind) if kind.is_of_segments() => {
                let frame = SegmentFrame::decode(kind, sequence, payload.as_ref())?;
                Self::Segment { module, epoch, frame }
            }
            Some(kind) => Self::Signal(Signal::decode(kind, header, payload.as_ref())?),
            None => Self::Unknown { kind },
        })
    }

    /// The number of its kind.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => Kind::Hello as u8,
            Self::Parcel { .. } => Kind::Parcel as u8,
            Self::Settle { .. } => Kind::Settle as u8,
            Self::Ping { .. } => Kind::Ping as u8,
            Self::Pong { .. } => Kind::Pong as u8,
            Self::Segment { frame, .. } => frame.kind() as u8,
            Self::Rings { .. } => Kind::Rings as u8,
            Self::Slot { .. } => Kind::Slot as u8,
            Self::Signal(signal) => signal.kind() as u8,
            Self::Unknown { kind } => *kind,
        }
    }

    /// The frame's bytes.
    ///
    /// # Errors
    /// A parcel that is too large ([`Parcel::size`]).
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let mut bytes = BytesMut::new();
        match self {
            Self::Hello(greeting) => greeting.encode(&mut bytes),
            Self::Parcel { module, epoch, sequence, parcel } => {
                let length = parcel.size()?;
                let kind = Kind::Parcel as u8;
                let (module, epoch, sequence) = (*module, *epoch, *sequence);
                let header = Header { length, kind, module, epoch, sequence, ..Header::default() };
                bytes.put_slice(&header.encode());
                parcel.encode_head(&mut bytes);
                bytes.put_slice(&parcel.body);
            }
            Self::Settle { module, epoch, sequence } => {
                bytes.put_slice(&bare(Kind::Settle, *module, *epoch, *sequence));
            }
            Self::Ping { sequence } => bytes.put_slice(&bare(Kind::Ping, 0, 0, *sequence)),
            Self::Pong { sequence } => bytes.put_slice(&bare(Kind::Pong, 0, 0, *sequence)),
            Self::Segment { module, epoch, frame } => frame.encode(*module, *epoch, &mut bytes),
            Self::Rings { used } => bytes.put_slice(&bare(Kind::Rings, 0, 0, u64::from(*used))),
            Self::Slot { module, epoch, slot } => bytes.put_slice(&slot.encode(*module, *epoch)),
            Self::Signal(signal) => signal.encode(&mut bytes),
            Self::Unknown { kind } => {
                bytes.put_slice(&Header { kind: *kind, ..Header::default() }.encode());
            }
        }
        Ok(bytes.freeze())
    }
}

/// Rings of the arena that a gateway and a host share.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Slot {
    /// Which.
    pub number: u32,
    /// How often they have been given to a lane.
    pub life: u32,
}

impl Slot {
    fn from_sequence(sequence: u64) -> Self {
        Self { number: sequence as u32, life: (sequence >> 32) as u32 }
    }

    pub(super) fn encode(self, module: u32, epoch: u32) -> [u8; HEADER_SIZE] {
        bare(Kind::Slot, module, epoch, u64::from(self.life) << 32 | u64::from(self.number))
    }
}

/// A frame without a payload.
pub(super) fn bare(kind: Kind, module: u32, epoch: u32, sequence: u64) -> [u8; HEADER_SIZE] {
    Header { length: 0, kind: kind as u8, flags: 0, module, epoch, sequence }.encode()
}

/// A payload, in a buffer with other frames or on its own.
pub(super) enum Payload<'a> {
    Borrowed(&'a [u8]),
    Owned(Bytes),
}

impl Payload<'_> {
    /// What is behind `start`, as bytes that pin nothing else of any size.
    pub(super) fn into_bytes(self, start: usize) -> Bytes {
        match self {
            Self::Borrowed(bytes) => Bytes::copy_from_slice(&bytes[start..]),
            Self::Owned(bytes) => bytes.slice(start..),
        }
    }
}

impl AsRef<[u8]> for Payload<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}
