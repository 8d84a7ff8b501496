//! A cursor over bytes from a peer: every step checks what is left before it takes anything.

use std::ffi::CStr;

use memchr::memchr;

use crate::DecodeError;

pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    pub(crate) fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.position..];
        let taken = rest.get(..length).ok_or(DecodeError::Truncated(what))?;
        self.position += length;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        Ok(self.take(1, what)?[0])
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        let bytes = self.take(2, what)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        let bytes = self.take(4, what)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        let bytes = self.take(8, what)?;
        let mut eight = [0; 8];
        eight.copy_from_slice(bytes);
        Ok(u64::from_be_bytes(eight))
    }

    /// Everything that is left; it stays.
    pub(crate) fn left(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.position..];
        self.position = self.bytes.len();
        rest
    }

    /// A text that goes up to the next NUL, which is taken too.
    pub(crate) fn text(&mut self, what: &'static str) -> Result<&'a str, DecodeError> {
        let rest = &self.bytes[self.position..];
        let length = memchr(0, rest).ok_or(DecodeError::Truncated(what))?;
        self.position += length + 1;
        str::from_utf8(&rest[..length]).map_err(|_| DecodeError::NotUtf8(what))
    }

    /// A text with its size in front; the size counts the NUL at its end.
    pub(crate) fn sized_text(&mut self, what: &'static str) -> Result<&'a str, DecodeError> {
        let size = self.u32(what)?;
        let bytes = self.take(size as usize, what)?;
        let text = CStr::from_bytes_with_nul(bytes).map_err(|_| DecodeError::Nul(what))?;
        text.to_str().map_err(|_| DecodeError::NotUtf8(what))
    }

    /// Refuses anything behind the last field.
    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing(left)),
        }
    }
}

/// Checks a frame's size against the limit and the size in its header against what arrived.
pub(crate) fn check_total(claimed: u32, actual: usize, limit: usize) -> Result<(), DecodeError> {
    if actual > limit {
        return Err(DecodeError::TooLarge { actual, limit });
    }
    if claimed as usize != actual {
        return Err(DecodeError::Total { claimed, actual });
    }
    Ok(())
}
