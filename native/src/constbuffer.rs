//! V1's constant buffer: bytes that nobody changes, with a count of references
//! (`azure_c_shared_utility/constbuffer.h`).
//!
//! Pointers that come from C are, as V1 requires, NULL or valid for the call.

#![allow(unsafe_code, non_snake_case, reason = "V1's C interface")]

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::complaint::complain;
use crate::map::invalid;
use crate::memory::{allocate, bytes, copy_bytes, free};
use crate::strings::Buffer;

/// V1's `CONSTBUFFER`: where the bytes are. NULL when there are none.
#[repr(C)]
pub struct Content {
    buffer: *mut u8,
    size: usize,
}

/// What a `CONSTBUFFER_HANDLE` points to.
#[repr(C)]
pub struct ConstBuffer {
    content: Content,
    references: AtomicU32,
}

/// One reference to a constant buffer.
pub(crate) struct SharedBuffer(NonNull<ConstBuffer>);

// SAFETY: nobody changes the bytes, and references are counted atomically.
unsafe impl Send for SharedBuffer {}
// SAFETY: as above.
unsafe impl Sync for SharedBuffer {}

impl SharedBuffer {
    /// A constant copy; `None` when there is no memory.
    pub(crate) fn copy_of(content: &[u8]) -> Option<Self> {
        let new: *mut ConstBuffer = allocate();
        // SAFETY: it is NULL, or new and all zero.
        let contents = unsafe { new.as_mut() }?;
        contents.references = AtomicU32::new(1);
        // With the reference goes, if the copy fails, the rest.
        let shared = Self(NonNull::from(&mut *contents));
        if !content.is_empty() {
            contents.content = Content { buffer: copy_bytes(content), size: content.len() };
        }
        (content.is_empty() || !shared.get().content.buffer.is_null()).then_some(shared)
    }

    /// Takes part in the reference that a handle of C's stands for.
    ///
    /// # Safety
    /// It is NULL or a constant buffer.
    pub(crate) unsafe fn of(handle: *mut ConstBuffer) -> Option<Self> {
        let shared = NonNull::new(handle)?;
        // SAFETY: the buffer lives, as the caller says.
        unsafe { shared.as_ref() }.references.fetch_add(1, Ordering::Relaxed);
        Some(Self(shared))
    }

    /// A handle for C, with the reference.
    pub(crate) fn into_raw(self) -> *mut ConstBuffer {
        std::mem::ManuallyDrop::new(self).0.as_ptr()
    }

    fn get(&self) -> &ConstBuffer {
        // SAFETY: it lives as long as this reference.
        unsafe { self.0.as_ref() }
    }

    /// Where the bytes are, for C. It is valid as long as some reference is.
    pub(crate) fn content(&self) -> *const Content {
        &raw const self.get().content
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        let Content { buffer, size } = self.get().content;
        // SAFETY: the buffer has that many bytes, and lives as long as this reference.
        unsafe { bytes(buffer, size) }.unwrap_or_default()
    }
}

impl Clone for SharedBuffer {
    fn clone(&self) -> Self {
        self.get().references.fetch_add(1, Ordering::Relaxed);
        Self(self.0)
    }
}

impl Drop for SharedBuffer {
    fn drop(&mut self) {
        if self.get().references.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: that was the last reference.
            unsafe {
                free(self.get().content.buffer);
                free(self.0.as_ptr());
            }
        }
    }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn CONSTBUFFER_Create(source: *const u8, size: usize) -> *mut ConstBuffer {
    // SAFETY: NULL, or that many bytes, as the caller promises.
    let Some(content) = (unsafe { bytes(source, size) }) else {
        complain("CONSTBUFFER_Create: the source is NULL and its size is not 0");
        return ptr::null_mut();
    };
    SharedBuffer::copy_of(content).map_or(ptr::null_mut(), SharedBuffer::into_raw)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn CONSTBUFFER_CreateFromBuffer(buffer: *mut Buffer) -> *mut ConstBuffer {
    // SAFETY: NULL or a buffer, as the caller promises.
    let Some(content) = (unsafe { buffer.as_ref() }).and_then(Buffer::content) else {
        return invalid("CONSTBUFFER_CreateFromBuffer", ptr::null_mut());
    };
    SharedBuffer::copy_of(content).map_or(ptr::null_mut(), SharedBuffer::into_raw)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn CONSTBUFFER_Clone(handle: *mut ConstBuffer) -> *mut ConstBuffer {
    // SAFETY: NULL or a constant buffer, as the caller promises.
    let shared = unsafe { SharedBuffer::of(handle) };
    shared.map_or_else(|| invalid("CONSTBUFFER_Clone", ptr::null_mut()), SharedBuffer::into_raw)
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn CONSTBUFFER_GetContent(handle: *mut ConstBuffer) -> *const Content {
    // SAFETY: NULL or a constant buffer, as the caller promises.
    match unsafe { handle.as_ref() } {
        Some(buffer) => &raw const buffer.content,
        None => invalid("CONSTBUFFER_GetContent", ptr::null()),
    }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn CONSTBUFFER_Destroy(handle: *mut ConstBuffer) {
    // A reference that is given up. Nothing happens for NULL.
    drop(NonNull::new(handle).map(SharedBuffer));
}

#[cfg(test)]
mod tests;
