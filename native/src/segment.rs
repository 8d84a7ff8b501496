//! Shared memory segments (`sandgate_segment.h`), which V1 does not have. The program that loads the library keeps
//! them; here they are numbers, as messages are.

#![allow(unsafe_code, non_snake_case, reason = "a C interface")]

use std::ffi::c_char;
use std::num::NonZeroUsize;
use std::ptr;
use std::sync::{Arc, Weak};

use sandgate_native_interface::module::BrokerHandle;
use sandgate_native_interface::segment::{Segment as Told, SegmentResult, TOKEN_SIZE};

use crate::broker::{Broker, lookup_broker};
use crate::complaint::complain;
use crate::handles::Handles;
use crate::memory::text;

static SEGMENTS: Handles<Arc<Segment>> = Handles::new();

/// A number in the table, as a module sees it.
#[derive(Debug)]
pub enum SegmentData {}
type SegmentHandle = *mut SegmentData;

/// A segment that a module holds.
struct Segment {
    /// Of the module that holds it. It does not keep the broker: with that the program gives back what is held.
    broker: Weak<Broker>,
    told: Told,
}

impl Drop for Segment {
    fn drop(&mut self) {
        if let Some(broker) = self.broker.upgrade() {
            let outlet = &broker.0;
            // SAFETY: the broker is held, so its context lives.
            unsafe { (outlet.segments.close)(outlet.context, self.told.number) };
        }
    }
}

fn lookup(function: &str, handle: SegmentHandle) -> Option<Arc<Segment>> {
    let segment = SEGMENTS.get(handle.addr());
    if segment.is_none() {
        let what = if handle.is_null() { "is NULL" } else { "is none, or was closed already" };
        complain(&format!("{function}: the segment {what}"));
    }
    segment
}

/// Takes in what a program has told of a segment that its module holds now.
///
/// # Safety
/// The place is NULL or room for a handle.
unsafe fn give(
    broker: &Arc<Broker>,
    result: SegmentResult,
    told: Told,
    place: *mut SegmentHandle,
) -> SegmentResult {
    if result != SegmentResult::Ok {
        return result;
    }
    let segment = Arc::new(Segment { broker: Arc::downgrade(broker), told });
    let Some(number) = SEGMENTS.insert(segment) else { return SegmentResult::OutOfMemory };
    // SAFETY: as the caller says.
    unsafe { place.write(ptr::without_provenance_mut(NonZeroUsize::get(number))) };
    SegmentResult::Ok
}

/// Looks at the arguments of a function that gives a segment, and makes its place NULL.
///
/// # Safety
/// The name is NULL or a text, and the place is NULL or room for a handle.
unsafe fn arguments<'a>(
    function: &str,
    broker: BrokerHandle,
    name: *const c_char,
    place: *mut SegmentHandle,
) -> Option<(Arc<Broker>, &'a [u8])> {
    if place.is_null() {
        complain(&format!("{function}: there is no place for the segment"));
        return None;
    }
    // SAFETY: as the caller says, and it is not NULL.
    unsafe { place.write(ptr::null_mut()) };
    // SAFETY: as the caller says.
    let Some(name) = (unsafe { text(name) }) else {
        complain(&format!("{function}: the text is NULL"));
        return None;
    };
    Some((lookup_broker(function, broker)?, name.to_bytes()))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Segment_Create(
    broker: BrokerHandle,
    pool: *const c_char,
    size: u64,
    segment: *mut SegmentHandle,
) -> SegmentResult {
    // SAFETY: as the caller promises.
    let Some((broker, pool)) = (unsafe { arguments("Segment_Create", broker, pool, segment) }) else {
        return SegmentResult::InvalidArg;
    };
    let (outlet, mut told) = (&broker.0, Told::default());
    // SAFETY: the broker is held, so its context lives; the pool's bytes are valid during the call.
    let result =
        unsafe { (outlet.segments.create)(outlet.context, pool.as_ptr(), pool.len(), size, &raw mut told) };
    // SAFETY: the caller's place is not NULL.
    unsafe { give(&broker, SegmentResult::from_number(result), told, segment) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Segment_Open(
    broker: BrokerHandle,
    token: *const c_char,
    segment: *mut SegmentHandle,
) -> SegmentResult {
    // SAFETY: as the caller promises.
    let Some((broker, token)) = (unsafe { arguments("Segment_Open", broker, token, segment) }) else {
        return SegmentResult::InvalidArg;
    };
    let (outlet, mut told) = (&broker.0, Told::default());
    // SAFETY: the broker is held, so its context lives; the token's bytes are valid during the call.
    let result =
        unsafe { (outlet.segments.open)(outlet.context, token.as_ptr(), token.len(), &raw mut told) };
    // SAFETY: the caller's place is not NULL.
    unsafe { give(&broker, SegmentResult::from_number(result), told, segment) }
}

#[unsafe(no_mangle)]
extern "C" fn Segment_Size(segment: SegmentHandle) -> u64 {
    lookup("Segment_Size", segment).map_or(0, |segment| segment.told.size)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Segment_Token(segment: SegmentHandle, token: *mut c_char) -> SegmentResult {
    let Some(segment) = lookup("Segment_Token", segment) else { return SegmentResult::InvalidArg };
    if token.is_null() {
        complain("Segment_Token: the buffer is NULL");
        return SegmentResult::InvalidArg;
    }
    // SAFETY: the caller promises room for a token and its NUL.
    unsafe {
        ptr::copy_nonoverlapping(segment.told.token.as_ptr(), token.cast(), TOKEN_SIZE);
        token.add(TOKEN_SIZE).write(0);
    }
    SegmentResult::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Segment_Write(
    segment: SegmentHandle,
    offset: u64,
    bytes: *const u8,
    size: usize,
) -> SegmentResult {
    let Some(segment) = lookup("Segment_Write", segment) else { return SegmentResult::InvalidArg };
    if bytes.is_null() && size > 0 {
        complain("Segment_Write: the bytes are NULL");
        return SegmentResult::InvalidArg;
    }
    let Some(broker) = segment.broker.upgrade() else { return SegmentResult::Unavailable };
    let outlet = &broker.0;
    // SAFETY: the broker is held, so its context lives; the caller promises that many bytes.
    let result = unsafe { (outlet.segments.write)(outlet.context, segment.told.number, offset, bytes, size) };
    SegmentResult::from_number(result)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Segment_Read(
    segment: SegmentHandle,
    offset: u64,
    buffer: *mut u8,
    size: usize,
) -> SegmentResult {
    let Some(segment) = lookup("Segment_Read", segment) else { return SegmentResult::InvalidArg };
    if buffer.is_null() && size > 0 {
        complain("Segment_Read: the buffer is NULL");
        return SegmentResult::InvalidArg;
    }
    let Some(broker) = segment.broker.upgrade() else { return SegmentResult::Unavailable };
    let outlet = &broker.0;
    // SAFETY: the broker is held, so its context lives; the caller promises room for that many bytes.
    let result = unsafe { (outlet.segments.read)(outlet.context, segment.told.number, offset, buffer, size) };
    SegmentResult::from_number(result)
}

#[unsafe(no_mangle)]
extern "C" fn Segment_Close(segment: SegmentHandle) {
    if !SEGMENTS.release(segment.addr()) {
        let _ = lookup("Segment_Close", segment);
    }
}
