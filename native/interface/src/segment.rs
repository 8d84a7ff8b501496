//! Shared memory segments, as `libsandgate_native` and the program that loads it speak of them.

use std::ffi::{c_int, c_void};

/// The bytes of a token, without a NUL.
pub const TOKEN_SIZE: usize = 32;

/// What a function of segments gives: `SEGMENT_RESULT` of `sandgate_segment.h`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub enum SegmentResult {
    /// Done.
    Ok,
    /// The program has no segments.
    Unavailable,
    /// No grant for the pool.
    NotGranted,
    /// A size of 0.
    Empty,
    /// Larger than the module may create.
    TooLarge,
    /// More than the module may hold.
    TooMany,
    /// More bytes than the module may hold.
    TooMuch,
    /// No segment has the token.
    NoSuch,
    /// No grant for the segment's pool.
    Foreign,
    /// Not within the segment.
    OutOfRange,
    /// The system has no memory.
    OutOfMemory,
    /// An argument that stands for nothing.
    InvalidArg,
}

impl SegmentResult {
    /// All, by their numbers.
    const ALL: [Self; 12] = [
        Self::Ok,
        Self::Unavailable,
        Self::NotGranted,
        Self::Empty,
        Self::TooLarge,
        Self::TooMany,
        Self::TooMuch,
        Self::NoSuch,
        Self::Foreign,
        Self::OutOfRange,
        Self::OutOfMemory,
        Self::InvalidArg,
    ];

    /// The result of this number; of one that is none, that there are no segments.
    #[must_use]
    pub fn from_number(number: c_int) -> Self {
        let index = usize::try_from(number).ok();
        index.and_then(|index| Self::ALL.get(index)).copied().unwrap_or(Self::Unavailable)
    }
}

/// A segment that a module holds.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Segment {
    /// By which the program knows it.
    pub number: u64,
    /// Its bytes.
    pub size: u64,
    /// Its token: hexadecimal digits.
    pub token: [u8; TOKEN_SIZE],
}

/// What a program does for one module about segments. Each gets the context of the module's
/// [`Outlet`](crate::program::Outlet) and gives the number of a [`SegmentResult`]. They may be called from any thread.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SegmentFunctions {
    /// Makes a segment of a pool, whose name has so many bytes, and tells it.
    pub create: unsafe extern "C" fn(
        context: *mut c_void,
        pool: *const u8,
        length: usize,
        size: u64,
        made: *mut Segment,
    ) -> c_int,
    /// Opens the segment of a token, whose text has so many bytes, and tells it.
    pub open: unsafe extern "C" fn(
        context: *mut c_void,
        token: *const u8,
        length: usize,
        opened: *mut Segment,
    ) -> c_int,
    /// Reads so many bytes from an offset on.
    pub read: unsafe extern "C" fn(
        context: *mut c_void,
        number: u64,
        offset: u64,
        buffer: *mut u8,
        size: usize,
    ) -> c_int,
    /// Writes so many bytes from an offset on.
    pub write: unsafe extern "C" fn(
        context: *mut c_void,
        number: u64,
        offset: u64,
        bytes: *const u8,
        size: usize,
    ) -> c_int,
    /// Gives a segment back.
    pub close: unsafe extern "C" fn(context: *mut c_void, number: u64),
}
