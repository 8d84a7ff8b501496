//! What a lane carries: a message, or a document about one.
//!
//! ```text
//! 0   redelivery.max  8 bit
//! 1   kind            0 message, 1 verdict, 2 dead letter
//! 2   attempt         32 bit
//! 6   about           64 bit
//! 14  size            16 bit, of the source
//! 16  source          UTF-8
//!     body            up to the end of the frame
//! ```

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::frame::{PAYLOAD_MAX, Payload};
use crate::reader::Reader;
use crate::{DecodeError, EncodeError};

const FIXED_SIZE: usize = 16;

/// One numbered thing in a lane. Cloning shares the bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parcel {
    /// What the body is.
    pub kind: ParcelKind,
    /// 1 for the first delivery, one more for each repetition after a failure. Gateway to host; else 0.
    pub attempt: u32,
    /// At how many deaths of its module the message is dead. Gateway to host; else 0.
    pub redelivery_max: u8,
    /// For a verdict and a dead letter: the gateway's sequence number that it speaks of; else 0.
    pub about: u64,
    /// Who published the message. Gateway to host; what a host writes here is not to be trusted.
    pub source: Arc<str>,
    /// For a message: its encoding, as [`Message::decode`](crate::Message::decode) takes it. For others: JSON.
    pub body: Bytes,
}

/// What a parcel's body is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ParcelKind {
    /// A message.
    Message,
    /// A verdict: why a module failed.
    Verdict,
    /// The verdict on a message that has killed its module too often.
    DeadLetter,
    /// Something that a newer peer sends: to be settled and ignored.
    Other(u8),
}

impl ParcelKind {
    fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Message,
            1 => Self::Verdict,
            2 => Self::DeadLetter,
            other => Self::Other(other),
        }
    }

    fn as_byte(self) -> u8 {
        match self {
            Self::Message => 0,
            Self::Verdict => 1,
            Self::DeadLetter => 2,
            Self::Other(other) => other,
        }
    }
}

impl Parcel {
    /// An encoded message, with nothing else said of it.
    #[must_use]
    pub fn message(frame: Bytes) -> Self {
        let kind = ParcelKind::Message;
        Self { kind, attempt: 0, redelivery_max: 0, about: 0, source: Arc::default(), body: frame }
    }

    /// A verdict, and the sequence number of the message that the module had in hand; 0 is none.
    #[must_use]
    pub fn verdict(about: u64, json: Bytes) -> Self {
        Self { kind: ParcelKind::Verdict, about, ..Self::message(json) }
    }

    /// The verdict on the message of this sequence number, which is given up with it.
    #[must_use]
    pub fn dead_letter(about: u64, json: Bytes) -> Self {
        Self { kind: ParcelKind::DeadLetter, about, ..Self::message(json) }
    }

    /// How many bytes it counts for in a window: those of its frame's payload.
    ///
    /// # Errors
    /// A source over 65,535 bytes, or more than [`PAYLOAD_MAX`] in all.
    pub fn size(&self) -> Result<u32, EncodeError> {
        let checked = |actual, limit| match actual <= limit {
            true => Ok(actual),
            false => Err(EncodeError::TooLarge { actual, limit }),
        };
        let source = checked(self.source.len(), usize::from(u16::MAX))?;
        let size = FIXED_SIZE.saturating_add(source).saturating_add(self.body.len());
        // The limit fits 32 bits.
        checked(size, PAYLOAD_MAX).map(|size| size as u32)
    }

    /// Everything in front of the body. The size was checked when the parcel was taken.
    pub(super) fn encode_head(&self, into: &mut BytesMut) {
        into.put_u8(self.redelivery_max);
        into.put_u8(self.kind.as_byte());
        into.put_u32(self.attempt);
        into.put_u64(self.about);
        into.put_u16(self.source.len() as u16);
        into.put_slice(self.source.as_bytes());
    }

    /// Reads a frame's payload. `source` is that of the parcel before: mostly it is the same again, and then
    /// it is shared.
    pub(super) fn decode(payload: Payload<'_>, source: &mut Arc<str>) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload.as_ref());
        let redelivery_max = reader.u8("redelivery.max")?;
        let kind = ParcelKind::from_byte(reader.u8("parcel kind")?);
        let attempt = reader.u32("attempt")?;
        let about = reader.u64("about")?;
        let size = reader.u16("source size")?;
        let text = reader.take(usize::from(size), "source")?;
        if text != source.as_bytes() {
            *source = std::str::from_utf8(text).map_err(|_| DecodeError::NotUtf8("source"))?.into();
        }
        let body = reader.position();
        Ok(Self {
            kind,
            attempt,
            redelivery_max,
            about,
            source: source.clone(),
            body: payload.into_bytes(body),
        })
    }
}
