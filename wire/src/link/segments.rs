//! The frames of segments. A frame's sequence is the number of the request that it speaks of.
//!
//! ```text
//! Create   size 64 bit, name of the pool
//! Open     token 16 bytes
//! Close
//! Held     numbers of requests, 64 bit each
//! Granted  token 16 bytes, size 64 bit; a descriptor comes with its first byte
//! Refused  reason 8 bit, limit 64 bit
//! ```

use bytes::{BufMut, BytesMut};

use crate::DecodeError;
use crate::link::frame::{Header, Kind};
use crate::reader::Reader;
use crate::segments::{SegmentError, Token};

/// Requests that one Held names at most.
pub(super) const HELD_MAX: usize = 8192;

/// Bytes of a pool's name that fit into a frame. No pool has one nearly so long.
const POOL_FITS: usize = (1 << 10) - size_of::<u64>();

/// What is said about segments in one lane.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SegmentFrame {
    /// Host to gateway: a new segment.
    Create {
        /// The number of the request.
        request: u64,
        /// Bytes that it is to have.
        size: u64,
        /// The pool that it is to belong to.
        pool: String,
    },
    /// Host to gateway: the segment of a token.
    Open {
        /// The number of the request.
        request: u64,
        /// The token.
        token: Token,
    },
    /// Host to gateway: what came of a request is held no more.
    Close {
        /// The number of the request.
        request: u64,
    },
    /// Host to gateway: what came of these requests is all that it holds.
    Held {
        /// Their numbers, at most 8192.
        requests: Vec<u64>,
    },
    /// Gateway to host: here it is. Its descriptor comes beside the frame.
    Granted {
        /// The number of the request.
        request: u64,
        /// The segment's token.
        token: Token,
        /// Its bytes.
        size: u64,
    },
    /// Gateway to host: there is none.
    Refused {
        /// The number of the request.
        request: u64,
        /// Why.
        reason: SegmentError,
    },
}

impl SegmentFrame {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Create { .. } => Kind::SegmentCreate,
            Self::Open { .. } => Kind::SegmentOpen,
            Self::Close { .. } => Kind::SegmentClose,
            Self::Held { .. } => Kind::SegmentsHeld,
            Self::Granted { .. } => Kind::SegmentGranted,
            Self::Refused { .. } => Kind::SegmentRefused,
        }
    }

    /// The number of the request that it speaks of; 0 for Held, which speaks of several.
    pub(super) fn request(&self) -> u64 {
        match self {
            Self::Create { request, .. }
            | Self::Open { request, .. }
            | Self::Close { request }
            | Self::Granted { request, .. }
            | Self::Refused { request, .. } => *request,
            Self::Held { .. } => 0,
        }
    }

    /// Whether it goes from a host to a gateway; the others go the other way.
    pub(super) fn is_for_gateways(&self) -> bool {
        !matches!(self, Self::Granted { .. } | Self::Refused { .. })
    }

    pub(super) fn encode(&self, module: u32, epoch: u32, into: &mut BytesMut) {
        let mut payload = BytesMut::new();
        match self {
            Self::Create { size, pool, .. } => {
                payload.put_u64(*size);
                payload.put_slice(&pool.as_bytes()[..pool.floor_char_boundary(POOL_FITS)]);
            }
            Self::Open { token, .. } => payload.put_slice(&token.0),
            Self::Close { .. } => {}
            Self::Held { requests } => {
                requests.iter().take(HELD_MAX).for_each(|request| payload.put_u64(*request));
            }
            Self::Granted { token, size, .. } => {
                payload.put_slice(&token.0);
                payload.put_u64(*size);
            }
            Self::Refused { reason, .. } => {
                let (code, limit) = reason.to_code();
                payload.put_u8(code);
                payload.put_u64(limit);
            }
        }
        let (length, kind) = (payload.len() as u32, self.kind() as u8);
        let header = Header { length, kind, flags: 0, module, epoch, sequence: self.request() };
        into.put_slice(&header.encode());
        into.put_slice(&payload);
    }

    /// Reads a payload whose length was checked with its header.
    pub(super) fn decode(kind: Kind, request: u64, payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        Ok(match kind {
            Kind::SegmentCreate => {
                let size = reader.u64("size")?;
                let pool = std::str::from_utf8(reader.rest()).map_err(|_| DecodeError::NotUtf8("pool"))?;
                Self::Create { request, size, pool: pool.to_owned() }
            }
            Kind::SegmentOpen => Self::Open { request, token: token(&mut reader)? },
            Kind::SegmentClose => Self::Close { request },
            Kind::SegmentsHeld => {
                let mut requests = Vec::with_capacity(reader.remaining() / 8);
                while reader.remaining() > 0 {
                    requests.push(reader.u64("request")?);
                }
                Self::Held { requests }
            }
            Kind::SegmentGranted => {
                Self::Granted { request, token: token(&mut reader)?, size: reader.u64("size")? }
            }
            Kind::SegmentRefused => {
                let code = reader.u8("reason")?;
                Self::Refused { request, reason: SegmentError::from_code(code, reader.u64("limit")?) }
            }
            _ => return Err(DecodeError::Unknown { what: "frame of segments", value: kind as u8 }),
        })
    }
}

fn token(reader: &mut Reader<'_>) -> Result<Token, DecodeError> {
    let mut token = Token([0; 16]);
    token.0.copy_from_slice(reader.take(16, "token")?);
    Ok(token)
}
