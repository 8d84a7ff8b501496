//! Why a segment is not to be had.

use thiserror::Error;

/// Why a segment is not to be had, or cannot be used so.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum SegmentError {
    /// There is nobody to ask: the gateway has no segments, or there is no host link to it.
    #[error("segments are not available here")]
    Unavailable,
    /// The module has no grant for this pool.
    #[error("the module has no grant for this pool; name it under `segments` in the gateway's configuration")]
    NotGranted,
    /// A segment of no bytes.
    #[error("a segment has at least one byte")]
    Empty,
    /// A larger segment than the module may create; the limit in bytes.
    #[error("a segment of this module has at most {0} bytes (`size.max` in the gateway's configuration)")]
    TooLarge(u64),
    /// The module holds as many as it may; the limit.
    #[error("the module holds {0} segments, as many as it may (`count.max` in the gateway's configuration)")]
    TooMany(u64),
    /// The segments that the module holds would have more bytes than they may; the limit in bytes.
    #[error(
        "the segments that the module holds may have {0} bytes together (`total.max` in the gateway's configuration)"
    )]
    TooMuch(u64),
    /// No segment has this handle, or not any more.
    #[error("there is no such segment, or not any more")]
    NoSuch,
    /// It is a segment of a pool for which the module has no grant.
    #[error(
        "the segment belongs to a pool for which the module has no grant; name it under `segments` in the gateway's configuration"
    )]
    Foreign,
    /// The range does not lie within the segment; its size in bytes.
    #[error("the range does not lie within the segment, which has {0} bytes")]
    OutOfRange(u64),
    /// The system has no memory for it.
    #[error("the system has no memory for it")]
    OutOfMemory,
}

impl SegmentError {
    /// As it goes over the link: a number, and the limit that it tells, or 0.
    pub(crate) fn to_code(self) -> (u8, u64) {
        match self {
            Self::Unavailable => (0, 0),
            Self::NotGranted => (1, 0),
            Self::Empty => (2, 0),
            Self::TooLarge(limit) => (3, limit),
            Self::TooMany(limit) => (4, limit),
            Self::TooMuch(limit) => (5, limit),
            Self::NoSuch => (6, 0),
            Self::Foreign => (7, 0),
            Self::OutOfRange(size) => (8, size),
            Self::OutOfMemory => (9, 0),
        }
    }

    /// A number that a newer gateway knows says no more than that there is no segment.
    pub(crate) fn from_code(code: u8, limit: u64) -> Self {
        match code {
            1 => Self::NotGranted,
            2 => Self::Empty,
            3 => Self::TooLarge(limit),
            4 => Self::TooMany(limit),
            5 => Self::TooMuch(limit),
            6 => Self::NoSuch,
            7 => Self::Foreign,
            8 => Self::OutOfRange(limit),
            9 => Self::OutOfMemory,
            _ => Self::Unavailable,
        }
    }
}
