//! Shared memory segments of a module: from the library, which calls C functions, to what the outlet has.

#![allow(unsafe_code, reason = "the library calls C functions")]

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandgate_native_interface::segment::{Segment as Told, SegmentFunctions, SegmentResult};
use sandgate_wire::segments::{Grant, Memory, SegmentError};

use crate::outlet::{Context, Outlet};

/// A segment that a module holds. Dropping it gives it back.
pub trait HeldSegment: Send + Sync {
    /// What was granted.
    fn grant(&self) -> &Grant;
}

/// The functions that the library gets.
pub(crate) const FUNCTIONS: SegmentFunctions = SegmentFunctions { create, open, read, write, close };

/// The segments of one module, by the numbers that the library knows them by.
#[derive(Default)]
pub(crate) struct Held(Mutex<Numbered>);

#[derive(Default)]
struct Numbered {
    newest: u64,
    segments: HashMap<u64, Arc<dyn HeldSegment>>,
}

type Given = Result<Arc<dyn HeldSegment>, SegmentError>;

impl Held {
    fn lock(&self) -> MutexGuard<'_, Numbered> {
        // A panic while the lock is held cannot leave the map half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, segment: Arc<dyn HeldSegment>) -> Told {
        let Grant { token, memory } = segment.grant();
        let mut told = Told { size: memory.size(), ..Told::default() };
        told.token.copy_from_slice(token.to_string().as_bytes());
        let mut held = self.lock();
        held.newest += 1;
        told.number = held.newest;
        held.segments.insert(told.number, segment);
        told
    }

    fn find(&self, number: u64) -> Option<Arc<dyn HeldSegment>> {
        self.lock().segments.get(&number).cloned()
    }

    fn remove(&self, number: u64) {
        let removed = self.lock().segments.remove(&number);
        // Outside of the lock.
        drop(removed);
    }
}

unsafe extern "C" fn create(
    context: *mut c_void,
    pool: *const u8,
    length: usize,
    size: u64,
    made: *mut Told,
) -> c_int {
    // SAFETY: the library promises so of its arguments.
    unsafe {
        give(context, pool, length, made, SegmentError::NotGranted, |outlet, pool| {
            outlet.create_segment(pool, size)
        })
    }
}

unsafe extern "C" fn open(context: *mut c_void, token: *const u8, length: usize, opened: *mut Told) -> c_int {
    let ask = |outlet: &dyn Outlet, token: &str| match token.parse() {
        Ok(token) => outlet.open_segment(token),
        Err(_) => Err(SegmentError::NoSuch),
    };
    // SAFETY: the library promises so of its arguments.
    unsafe { give(context, token, length, opened, SegmentError::NoSuch, ask) }
}

/// # Safety
/// The context is that of an outlet which was not released, the name has that many bytes, and there is room for what
/// is told.
unsafe fn give(
    context: *mut c_void,
    name: *const u8,
    length: usize,
    place: *mut Told,
    no_text: SegmentError,
    ask: impl FnOnce(&dyn Outlet, &str) -> Given,
) -> c_int {
    // SAFETY: as the caller says.
    let (context, name) = unsafe { (&*context.cast::<Context>(), slice::from_raw_parts(name, length)) };
    let Ok(name) = std::str::from_utf8(name) else { return result(no_text) as c_int };
    // A panic would end the process where it comes to C.
    match catch_unwind(AssertUnwindSafe(|| ask(&*context.outlet, name))) {
        Ok(Ok(segment)) => {
            // SAFETY: as the caller says.
            unsafe { place.write(context.segments.keep(segment)) };
            SegmentResult::Ok as c_int
        }
        Ok(Err(error)) => result(error) as c_int,
        Err(_) => SegmentResult::Unavailable as c_int,
    }
}

unsafe extern "C" fn read(
    context: *mut c_void,
    number: u64,
    offset: u64,
    buffer: *mut u8,
    size: usize,
) -> c_int {
    let read = |memory: &Memory| {
        memory.check(offset, size as u64)?;
        if size == 0 {
            return Ok(());
        }
        // SAFETY: the caller promises that many bytes of its own, which nobody else uses meanwhile. Nothing of this
        // program has left them without a value.
        memory.read(offset, unsafe { slice::from_raw_parts_mut(buffer, size) })
    };
    // SAFETY: the library calls with the context that it was given, and not after `release`.
    unsafe { with(context, number, read) }
}

unsafe extern "C" fn write(
    context: *mut c_void,
    number: u64,
    offset: u64,
    bytes: *const u8,
    size: usize,
) -> c_int {
    let write = |memory: &Memory| {
        memory.check(offset, size as u64)?;
        if size == 0 {
            return Ok(());
        }
        // SAFETY: the caller promises that many bytes.
        memory.write(offset, unsafe { slice::from_raw_parts(bytes, size) })
    };
    // SAFETY: the library calls with the context that it was given, and not after `release`.
    unsafe { with(context, number, write) }
}

/// # Safety
/// The context is that of an outlet which was not released.
unsafe fn with(
    context: *mut c_void,
    number: u64,
    act: impl FnOnce(&Memory) -> Result<(), SegmentError>,
) -> c_int {
    // SAFETY: as the caller says.
    let context = unsafe { &*context.cast::<Context>() };
    let Some(segment) = context.segments.find(number) else { return SegmentResult::NoSuch as c_int };
    act(&segment.grant().memory).map_or_else(result, |()| SegmentResult::Ok) as c_int
}

unsafe extern "C" fn close(context: *mut c_void, number: u64) {
    // SAFETY: the library calls with the context that it was given, and not after `release`.
    let context = unsafe { &*context.cast::<Context>() };
    // A panic would end the process where it comes to C.
    let _ = catch_unwind(AssertUnwindSafe(|| context.segments.remove(number)));
}

fn result(error: SegmentError) -> SegmentResult {
    match error {
        SegmentError::NotGranted => SegmentResult::NotGranted,
        SegmentError::Empty => SegmentResult::Empty,
        SegmentError::TooLarge(_) => SegmentResult::TooLarge,
        SegmentError::TooMany(_) => SegmentResult::TooMany,
        SegmentError::TooMuch(_) => SegmentResult::TooMuch,
        SegmentError::NoSuch => SegmentResult::NoSuch,
        SegmentError::Foreign => SegmentResult::Foreign,
        SegmentError::OutOfRange(_) => SegmentResult::OutOfRange,
        SegmentError::OutOfMemory => SegmentResult::OutOfMemory,
        _ => SegmentResult::Unavailable,
    }
}
