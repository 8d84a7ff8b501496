//! The memory of an arena as atomic words.

#![allow(unsafe_code, reason = "memory that the system maps is a pointer")]

use std::io;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::ptr::{self, NonNull};
use std::slice;

use rustix::fs::fstat;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use crate::layout::WORD;
use crate::sync::AtomicU64;

/// A memory file that is mapped, all of it. Its size never changes: it is sealed, or there is nobody else yet.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<AtomicU64>,
    words: usize,
    file: OwnedFd,
}

// SAFETY: it is what `&[AtomicU64]` is, with the memory's ownership; both can be sent and shared.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first words of a file that is as long as that, at least, and stays so.
    pub(crate) fn new(file: OwnedFd, words: usize) -> io::Result<Self> {
        let (bytes, flags) = (words * WORD, MapFlags::SHARED | MapFlags::NORESERVE);
        // SAFETY: a new mapping where the system wants it touches no memory that there was.
        let start =
            unsafe { mmap(ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, flags, &file, 0)? };
        // Not all of it into a core file; and one message must not take two megabytes. Where the system knows
        // neither, it does neither.
        for advice in [Advice::LinuxDontDump, Advice::LinuxNoHugepage] {
            // SAFETY: neither changes what the memory holds.
            let _ = unsafe { madvise(start, bytes, advice) };
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, words, file })
    }

    /// The bytes that the system has given to it.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        // Never negative.
        Ok((fstat(&self.file)?.st_blocks as u64).saturating_mul(512))
    }
}

impl Deref for Mapping {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: so many words are mapped until this is dropped, aligned to a page, and the file cannot become
        // shorter. Any bytes are such words, and they are accessed atomically alone; other processes' accesses
        // are like those of other threads.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `new`, and what was borrowed of it is gone.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.words * WORD) };
    }
}
