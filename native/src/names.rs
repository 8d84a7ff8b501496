//! The names of results, which V1's headers declare with every enumeration, and those of segments.

#![allow(unsafe_code, non_snake_case, reason = "V1's C interface")]

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use crate::memory::text;

const MAP: [&CStr; 6] =
    [c"MAP_OK", c"MAP_ERROR", c"MAP_INVALIDARG", c"MAP_KEYEXISTS", c"MAP_KEYNOTFOUND", c"MAP_FILTER_REJECT"];
const CONSTMAP: [&CStr; 4] =
    [c"CONSTMAP_OK", c"CONSTMAP_ERROR", c"CONSTMAP_INVALIDARG", c"CONSTMAP_KEYNOTFOUND"];

const SEGMENT: [&CStr; 12] = [
    c"SEGMENT_OK",
    c"SEGMENT_UNAVAILABLE",
    c"SEGMENT_NOT_GRANTED",
    c"SEGMENT_EMPTY",
    c"SEGMENT_TOO_LARGE",
    c"SEGMENT_TOO_MANY",
    c"SEGMENT_TOO_MUCH",
    c"SEGMENT_NO_SUCH",
    c"SEGMENT_FOREIGN",
    c"SEGMENT_OUT_OF_RANGE",
    c"SEGMENT_OUT_OF_MEMORY",
    c"SEGMENT_INVALIDARG",
];

fn name(names: &[&'static CStr], value: c_int) -> *const c_char {
    let name = usize::try_from(value).ok().and_then(|index| names.get(index));
    name.map_or(ptr::null(), |name| name.as_ptr())
}

/// # Safety
/// The name is NULL or a text, and the destination NULL or room for a value.
unsafe fn value(names: &[&CStr], wanted: *const c_char, destination: *mut c_int) -> c_int {
    // SAFETY: as the caller says.
    let wanted = unsafe { text(wanted) };
    match names.iter().position(|name| Some(*name) == wanted) {
        Some(index) if !destination.is_null() => {
            // SAFETY: as the caller says; there are a few names only.
            unsafe { destination.write(index as c_int) };
            0
        }
        _ => 1,
    }
}

#[unsafe(no_mangle)]
extern "C" fn MAP_RESULTStrings(result: c_int) -> *const c_char {
    name(&MAP, result)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn MAP_RESULT_FromString(name: *const c_char, destination: *mut c_int) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { value(&MAP, name, destination) }
}

#[unsafe(no_mangle)]
extern "C" fn CONSTMAP_RESULTStrings(result: c_int) -> *const c_char {
    name(&CONSTMAP, result)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn CONSTMAP_RESULT_FromString(name: *const c_char, destination: *mut c_int) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { value(&CONSTMAP, name, destination) }
}

#[unsafe(no_mangle)]
extern "C" fn SEGMENT_RESULTStrings(result: c_int) -> *const c_char {
    name(&SEGMENT, result)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn SEGMENT_RESULT_FromString(name: *const c_char, destination: *mut c_int) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { value(&SEGMENT, name, destination) }
}
