//! The part of V1's strings and buffers that the value types need: a string is what `Map_ToJSON` gives, and a buffer
//! is what `CONSTBUFFER_CreateFromBuffer` takes (`azure_c_shared_utility/strings.h`, `buffer_.h`).
//!
//! Pointers that come from C are, as V1 requires, NULL or valid for the call.

#![allow(unsafe_code, non_snake_case, reason = "V1's C interface")]

use std::ffi::c_char;
use std::ptr;

use crate::map::invalid;
use crate::memory::{allocate, bytes, copy_bytes, free, text};

/// What a `STRING_HANDLE` points to.
#[repr(C)]
pub struct Text {
    characters: *mut c_char,
}

impl Text {
    /// A new string, up to the first NUL in it; NULL when there is no memory.
    pub(crate) fn create(characters: &[u8]) -> *mut Self {
        let string: *mut Self = allocate();
        let characters: *mut c_char = copy_bytes(&[characters, b"\0"].concat()).cast();
        // SAFETY: it is NULL, or new and all zero.
        match unsafe { string.as_mut() } {
            Some(new) if !characters.is_null() => new.characters = characters,
            _ => {
                // SAFETY: both are NULL, or known to nobody else.
                unsafe {
                    free(characters);
                    free(string);
                }
                return ptr::null_mut();
            }
        }
        string
    }
}

/// What a `BUFFER_HANDLE` points to.
#[repr(C)]
pub struct Buffer {
    bytes: *mut u8,
    size: usize,
}

impl Buffer {
    /// What is in it; `None` for a buffer that claims bytes and has none.
    pub(crate) fn content(&self) -> Option<&[u8]> {
        // SAFETY: a buffer has as many bytes as it says.
        unsafe { bytes(self.bytes, self.size) }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn STRING_construct(source: *const c_char) -> *mut Text {
    // SAFETY: NULL or a text, as the caller promises.
    match unsafe { text(source) } {
        Some(source) => Text::create(source.to_bytes()),
        None => invalid("STRING_construct", ptr::null_mut()),
    }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn STRING_c_str(string: *mut Text) -> *const c_char {
    // SAFETY: NULL or a string, as the caller promises.
    unsafe { string.as_ref() }.map_or(ptr::null(), |string| string.characters)
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn STRING_length(string: *mut Text) -> usize {
    // SAFETY: NULL or a string, whose characters end in NUL.
    unsafe { string.as_ref().and_then(|string| text(string.characters)) }.map_or(0, |text| text.count_bytes())
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn STRING_delete(string: *mut Text) {
    // SAFETY: NULL or a string that the caller gives up.
    unsafe {
        if let Some(contents) = string.as_ref() {
            free(contents.characters);
        }
        free(string);
    }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn BUFFER_create(source: *const u8, size: usize) -> *mut Buffer {
    if source.is_null() {
        return invalid("BUFFER_create", ptr::null_mut());
    }
    // SAFETY: the source has that many bytes, as the caller promises.
    let copy = unsafe { bytes(source, size) }.map_or(ptr::null_mut(), copy_bytes);
    let buffer: *mut Buffer = allocate();
    // SAFETY: it is NULL, or new and all zero.
    match unsafe { buffer.as_mut() } {
        Some(new) if !copy.is_null() => *new = Buffer { bytes: copy, size },
        _ => {
            // SAFETY: both are NULL, or known to nobody else.
            unsafe {
                free(copy);
                free(buffer);
            }
            return ptr::null_mut();
        }
    }
    buffer
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn BUFFER_u_char(buffer: *mut Buffer) -> *mut u8 {
    // SAFETY: NULL or a buffer, as the caller promises.
    unsafe { buffer.as_ref() }.filter(|buffer| buffer.size > 0).map_or(ptr::null_mut(), |buffer| buffer.bytes)
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn BUFFER_length(buffer: *mut Buffer) -> usize {
    // SAFETY: NULL or a buffer, as the caller promises.
    unsafe { buffer.as_ref() }.map_or(0, |buffer| buffer.size)
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn BUFFER_delete(buffer: *mut Buffer) {
    // SAFETY: NULL or a buffer that the caller gives up.
    unsafe {
        if let Some(contents) = buffer.as_ref() {
            free(contents.bytes);
        }
        free(buffer);
    }
}
