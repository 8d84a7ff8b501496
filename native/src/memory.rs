//! Memory of C's allocator, and what C points to.
//!
//! V1's value types lie in memory that either side may free, so all of theirs is from `malloc`.

#![allow(unsafe_code, reason = "C's allocator is C")]

use std::ffi::{CStr, c_char};
use std::ptr;

/// Room for one value, its bytes zero. NULL when there is none.
pub(crate) fn allocate<T>() -> *mut T {
    // SAFETY: `calloc` may be called with any numbers. What it gives is aligned for every type of C.
    unsafe { libc::calloc(1, size_of::<T>()) }.cast()
}

/// A copy of bytes, at least one byte large so that it is never NULL for that reason. NULL when there is no room.
pub(crate) fn copy_bytes(bytes: &[u8]) -> *mut u8 {
    // SAFETY: `malloc` may be called with any number.
    let copy: *mut u8 = unsafe { libc::malloc(bytes.len().max(1)) }.cast();
    if !copy.is_null() {
        // SAFETY: the copy is that large, and new, so the two do not overlap.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len()) };
    }
    copy
}

/// A copy of a text with its NUL. NULL when there is no room.
pub(crate) fn copy_text(text: &CStr) -> *mut c_char {
    copy_bytes(text.to_bytes_with_nul()).cast()
}

/// Makes an array of pointers larger by one, which is NULL. False, with the array as it was, when there is no room.
///
/// # Safety
/// The array is NULL, with a length of zero, or from C's allocator and that long.
pub(crate) unsafe fn grow<T>(array: &mut *mut *mut T, length: usize) -> bool {
    let Some(size) = length.checked_add(1).and_then(|new| new.checked_mul(size_of::<*mut T>())) else {
        return false;
    };
    // SAFETY: the array is from this allocator, as the caller says; it is replaced only when that succeeds.
    let larger: *mut *mut T = unsafe { libc::realloc((*array).cast(), size) }.cast();
    if larger.is_null() {
        return false;
    }
    *array = larger;
    // SAFETY: the array has room for one more than its length now.
    unsafe { larger.add(length).write(ptr::null_mut()) };
    true
}

/// Gives memory back. Nothing happens for NULL.
///
/// # Safety
/// The memory is from C's allocator, and nobody uses it any more.
pub(crate) unsafe fn free<T>(memory: *mut T) {
    // SAFETY: as the caller says.
    unsafe { libc::free(memory.cast()) };
}

/// What a caller of C gives as a text.
///
/// # Safety
/// It is NULL or ends in NUL, and stays as it is as long as the result is used.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Option<&'a CStr> {
    // SAFETY: as the caller says.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}

/// What a caller of C gives as bytes. `None` for NULL with a size that is not zero.
///
/// # Safety
/// It is NULL or has that many bytes, which stay as they are as long as the result is used.
pub(crate) unsafe fn bytes<'a>(source: *const u8, size: usize) -> Option<&'a [u8]> {
    match (source.is_null(), size) {
        (_, 0) => Some(&[]),
        (true, _) => None,
        // A slice cannot be larger than that; V1 would try to copy it.
        (false, _) if size > isize::MAX.unsigned_abs() => None,
        // SAFETY: as the caller says.
        (false, _) => Some(unsafe { std::slice::from_raw_parts(source, size) }),
    }
}
