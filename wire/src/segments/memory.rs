//! The memory of a segment: a sealed memory file, read and written by calls.
//!
//! It is not mapped. Another process may change it at any time, which safe code cannot have under a slice of its
//! own; and a call copies as fast as a guest's memory, which is elsewhere, could be filled from a mapping.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create};
use rustix::io::{Errno, pread};

use super::SegmentError;

/// What `/proc/PID/fd` shows of a segment.
const LABEL: &str = "sandgate-segment";

/// Its size never changes, so that nobody's read or write can fall off its end; and none of this can be undone.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// The memory of a segment. Clones share it; it is there as long as any process has it.
///
/// Reads and writes of several processes at once are not kept apart: whoever writes hands the handle on when it
/// has finished.
#[derive(Clone, Debug)]
pub struct Memory {
    file: Arc<File>,
    size: u64,
}

impl Memory {
    /// New memory of so many bytes, all zero. The system gives the pages when they are written.
    ///
    /// # Errors
    /// Those of the system: no descriptor or no memory left, or a size beyond what files have.
    pub fn create(size: u64) -> io::Result<Self> {
        let descriptor = memfd_create(LABEL, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&descriptor, size)?;
        fcntl_add_seals(&descriptor, SEALS)?;
        Ok(Self { file: Arc::new(File::from(descriptor)), size })
    }

    /// Memory that another process has sent. `None` if it is not what [`Memory::create`] makes, of this size:
    /// a peer may send any descriptor.
    #[must_use]
    pub fn adopt(descriptor: OwnedFd, size: u64) -> Option<Self> {
        // Only memory files have seals.
        let sealed = fcntl_get_seals(&descriptor).is_ok_and(|seals| seals.contains(SEALS));
        let sized = fstat(&descriptor).is_ok_and(|stat| u64::try_from(stat.st_size) == Ok(size));
        (sealed && sized).then(|| Self { file: Arc::new(File::from(descriptor)), size })
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Fills the buffer with the bytes from `offset` on.
    ///
    /// # Errors
    /// [`SegmentError::OutOfRange`], [`SegmentError::OutOfMemory`].
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), SegmentError> {
        self.check(offset, buffer.len() as u64)?;
        self.file.read_exact_at(buffer, offset).map_err(|_| SegmentError::OutOfMemory)
    }

    /// So many bytes from `offset` on.
    ///
    /// # Errors
    /// [`SegmentError::OutOfRange`], before anything is allocated; [`SegmentError::OutOfMemory`].
    pub fn read_to_vec(&self, offset: u64, length: u64) -> Result<Vec<u8>, SegmentError> {
        self.check(offset, length)?;
        let length = usize::try_from(length).map_err(|_| SegmentError::OutOfMemory)?;
        // Not filled with zeros before: that would be another pass over all of it.
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let at = offset + bytes.len() as u64;
            match pread(&self.file, spare_capacity(&mut bytes), at) {
                Ok(0) => return Err(SegmentError::OutOfMemory),
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return Err(SegmentError::OutOfMemory),
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Writes the bytes from `offset` on.
    ///
    /// # Errors
    /// [`SegmentError::OutOfRange`], and nothing is written; [`SegmentError::OutOfMemory`], and some of it may be.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), SegmentError> {
        self.check(offset, bytes.len() as u64)?;
        self.file.write_all_at(bytes, offset).map_err(|_| SegmentError::OutOfMemory)
    }

    /// Whether so many bytes from `offset` on lie within the segment.
    ///
    /// # Errors
    /// [`SegmentError::OutOfRange`].
    pub fn check(&self, offset: u64, length: u64) -> Result<(), SegmentError> {
        match offset.checked_add(length) {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(SegmentError::OutOfRange(self.size)),
        }
    }
}

impl AsFd for Memory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::Memory;
    use crate::segments::SegmentError;

    #[test]
    fn what_is_written_is_read_through_another_descriptor() {
        let memory = Memory::create(100).unwrap();
        memory.write(90, &[7; 10]).unwrap();
        let other = Memory::adopt(memory.as_fd().try_clone_to_owned().unwrap(), 100).unwrap();
        let mut bytes = [1; 12];
        other.read(88, &mut bytes).unwrap();
        assert_eq!(bytes, [0, 0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]);
        assert_eq!(other.read_to_vec(88, 5).unwrap(), [0, 0, 7, 7, 7]);
    }

    #[test]
    fn nothing_beyond_the_end_is_read_or_written() {
        let memory = Memory::create(100).unwrap();
        let out_of_range = Err(SegmentError::OutOfRange(100));
        for (offset, length) in [(0, 101), (100, 1), (99, 2), (101, 0), (u64::MAX, 1), (u64::MAX, 2)] {
            assert_eq!(memory.read(offset, &mut vec![0; length]), out_of_range, "{offset} {length}");
            assert_eq!(memory.write(offset, &vec![0; length]), out_of_range, "{offset} {length}");
            let read = memory.read_to_vec(offset, length as u64);
            assert_eq!(read.map(drop), out_of_range, "{offset} {length}");
        }
        assert_eq!(memory.read(100, &mut []), Ok(()));
        assert_eq!(memory.read_to_vec(100, 0), Ok(Vec::new()));
        assert_eq!(memory.read_to_vec(0, u64::MAX), Err(SegmentError::OutOfRange(100)));
        assert_eq!(memory.write(0, &[1; 100]), Ok(()));
    }

    #[test]
    fn nobody_changes_its_size() {
        let memory = Memory::create(100).unwrap();
        for size in [0, 99, 101, 1 << 40] {
            assert!(rustix::fs::ftruncate(memory.as_fd(), size).is_err());
        }
        let more_seals = rustix::fs::fcntl_add_seals(memory.as_fd(), rustix::fs::SealFlags::WRITE);
        assert!(more_seals.is_err(), "a holder could keep the others from writing");
    }

    #[test]
    fn a_descriptor_of_something_else_is_not_taken_for_memory() {
        let memory = Memory::create(100).unwrap();
        let clone = || memory.as_fd().try_clone_to_owned().unwrap();
        assert!(Memory::adopt(clone(), 99).is_none(), "another size than was said");
        let file = tempfile::tempfile().unwrap();
        file.set_len(100).unwrap();
        assert!(Memory::adopt(file.into(), 100).is_none());
        let (pipe, _other) = std::io::pipe().unwrap();
        assert!(Memory::adopt(pipe.into(), 0).is_none());
        let flags = rustix::fs::MemfdFlags::ALLOW_SEALING;
        let unsealed = rustix::fs::memfd_create("unsealed", flags).unwrap();
        rustix::fs::ftruncate(&unsealed, 100).unwrap();
        assert!(Memory::adopt(unsealed, 100).is_none(), "somebody could cut it short");
    }

    #[test]
    fn a_size_beyond_all_memory_is_an_error() {
        assert!(Memory::create(u64::MAX).is_err());
    }
}
