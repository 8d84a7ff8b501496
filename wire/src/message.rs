//! Data messages: properties and content, encoded once and passed on by reference.
//!
//! ```text
//! 0   A1 60  magic; there is no version byte
//! 2   total  32 bit big-endian, size of the whole message
//! 6   count  32 bit big-endian, number of properties
//! 10  key NUL value NUL, count times
//!     size   32 bit big-endian, of the content
//!     content, up to the total
//! ```

mod check;
mod keys;

use std::fmt;

use bytes::Bytes;
use memchr::memchr;

#[cfg(unix)]
use crate::discard::room;
use crate::limits::{MESSAGE_MAX, PROPERTIES_MAX};
use crate::message::check::{Parts, check, check_in_pieces, effort};
use crate::message::keys::Keys;
use crate::reader::Reader;
use crate::{DecodeError, EncodeError};

const MAGIC: u16 = 0xA160;
const HEADER_SIZE: usize = 10;
const CONTENT_SIZE: usize = 4;

/// An immutable message in V1's encoding. Cloning shares the bytes.
#[derive(Clone, Eq, PartialEq)]
pub struct Message {
    frame: Bytes,
    count: u32,
    /// Where the content starts.
    content: u32,
}

impl Message {
    /// Encodes a message.
    ///
    /// # Errors
    /// A key or value with a NUL character, a key that appears twice, more than [`PROPERTIES_MAX`]
    /// properties or [`MESSAGE_MAX`] bytes.
    pub fn new<K, V>(properties: &[(K, V)], content: impl AsRef<[u8]>) -> Result<Self, EncodeError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let content = content.as_ref();
        let texts: usize = properties.iter().map(|(k, v)| k.as_ref().len() + v.as_ref().len() + 2).sum();
        let total = HEADER_SIZE + texts + CONTENT_SIZE + content.len();
        if total > MESSAGE_MAX {
            return Err(EncodeError::TooLarge { actual: total, limit: MESSAGE_MAX });
        }
        if properties.len() > PROPERTIES_MAX {
            return Err(EncodeError::TooManyProperties(properties.len()));
        }
        let mut keys = Keys::new(properties.len());
        for (key, value) in properties {
            for (text, what) in [(key.as_ref(), "property key"), (value.as_ref(), "property value")] {
                if memchr(0, text.as_bytes()).is_some() {
                    return Err(EncodeError::Nul(what));
                }
            }
            if !keys.insert(key.as_ref().as_bytes()) {
                return Err(EncodeError::DuplicateKey(key.as_ref().to_owned()));
            }
        }
        let mut frame = room(total);
        let put = |frame: &mut Vec<u8>, number: usize| {
            // Every part is at most MESSAGE_MAX, which fits 32 bits.
            frame.extend_from_slice(&(number as u32).to_be_bytes());
        };
        frame.extend_from_slice(&MAGIC.to_be_bytes());
        put(&mut frame, total);
        put(&mut frame, properties.len());
        for (key, value) in properties {
            for text in [key.as_ref(), value.as_ref()] {
                frame.extend_from_slice(text.as_bytes());
                frame.push(0);
            }
        }
        put(&mut frame, content.len());
        let start = frame.len() as u32;
        frame.extend_from_slice(content);
        Ok(Self { frame: frame.into(), count: properties.len() as u32, content: start })
    }

    /// Checks a frame and takes it as a message without copying it.
    ///
    /// # Errors
    /// Any departure from the layout, keys or values that are not UTF-8, a key that appears twice,
    /// more than [`PROPERTIES_MAX`] properties or [`MESSAGE_MAX`] bytes.
    pub fn decode(frame: Bytes) -> Result<Self, DecodeError> {
        let parts = check(&frame);
        Self::checked(frame, parts)
    }

    /// Likewise, piece by piece for whoever has others to serve: between two pieces, which take about as long as looking
    /// through so many bytes, it waits for what `pause` gives.
    ///
    /// # Errors
    /// As [`Message::decode`]. Of two reasons it may give the other.
    pub async fn decode_in_pieces<P>(
        frame: Bytes,
        piece: usize,
        pause: impl Fn() -> P,
    ) -> Result<Self, DecodeError>
    where
        P: Future<Output = ()>,
    {
        if effort(&frame) <= piece {
            return Self::decode(frame);
        }
        // Boxed: small ones have no use for it, and whoever waits for this keeps room for all of it.
        let parts = Box::pin(check_in_pieces(&frame, piece, pause)).await;
        Self::checked(frame, parts)
    }

    /// What [`Message::decode`] costs for these bytes, in bytes that are looked through in the same time: every property costs as
    /// much as some hundreds of them.
    #[must_use]
    pub fn effort(frame: &[u8]) -> usize {
        effort(frame)
    }

    /// The size that the beginning of a frame claims, and nobody has checked.
    #[cfg(unix)]
    pub(crate) fn claimed_size(beginning: &[u8]) -> Option<usize> {
        let mut reader = Reader::new(beginning);
        let is_message = reader.u16("magic") == Ok(MAGIC);
        let size = reader.u32("total size").ok()?;
        is_message.then_some(size as usize)
    }

    fn checked(frame: Bytes, parts: Result<Parts, DecodeError>) -> Result<Self, DecodeError> {
        match parts {
            Ok(Parts { count, content }) => Ok(Self { frame, count, content }),
            Err(error) => {
                // A large one takes a while, whatever is wrong with it.
                #[cfg(unix)]
                crate::discard::discard(frame);
                Err(error)
            }
        }
    }

    /// Checks a frame that belongs to somebody else, and takes a copy of it as a message.
    ///
    /// # Errors
    /// As [`Message::decode`]; then nothing is copied.
    pub fn decode_copy(frame: &[u8]) -> Result<Self, DecodeError> {
        let Parts { count, content } = check(frame)?;
        let mut copy = room(frame.len());
        copy.extend_from_slice(frame);
        Ok(Self { frame: copy.into(), count, content })
    }

    /// The first of several messages that stand one behind the other: its bytes, by the size that it claims. The rest of
    /// it is not looked at.
    ///
    /// # Errors
    /// The bytes do not begin as a message does, or end before it, or it claims more than [`MESSAGE_MAX`] bytes.
    pub fn split_first(bytes: &[u8]) -> Result<&[u8], DecodeError> {
        let mut reader = Reader::new(bytes);
        let magic = reader.u16("magic")?;
        if magic != MAGIC {
            return Err(DecodeError::Magic(magic));
        }
        let claimed = reader.u32("total size")?;
        let actual = claimed as usize;
        if actual > MESSAGE_MAX {
            return Err(DecodeError::TooLarge { actual, limit: MESSAGE_MAX });
        }
        if actual < HEADER_SIZE {
            return Err(DecodeError::Total { claimed, actual: bytes.len() });
        }
        bytes.get(..actual).ok_or(DecodeError::Truncated("message"))
    }

    /// The encoded message.
    #[inline]
    #[must_use]
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The encoded message alone.
    #[inline]
    #[must_use]
    pub fn into_frame(mut self) -> Bytes {
        std::mem::take(&mut self.frame)
    }

    /// The properties, in the order in which they were encoded. Keys are unique.
    #[inline]
    #[must_use]
    pub fn properties(&self) -> Properties<'_> {
        Properties { reader: Reader::new(&self.frame[HEADER_SIZE..]), left: self.count }
    }

    /// The value of one property.
    #[must_use]
    pub fn property(&self, key: &str) -> Option<&str> {
        self.properties().find(|(candidate, _)| *candidate == key).map(|(_, value)| value)
    }

    /// The content.
    #[inline]
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.frame[self.content as usize..]
    }
}

/// Room for a frame of so many bytes.
#[cfg(not(unix))]
fn room(bytes: usize) -> Vec<u8> {
    Vec::with_capacity(bytes)
}

#[cfg(unix)]
impl Drop for Message {
    fn drop(&mut self) {
        crate::discard::discard(std::mem::take(&mut self.frame));
    }
}

impl fmt::Debug for Message {
    /// Sizes only: payloads do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = self.content().len();
        f.debug_struct("Message").field("properties", &self.count).field("content_bytes", &content).finish()
    }
}

/// Iterator over the properties of a [`Message`].
pub struct Properties<'a> {
    reader: Reader<'a>,
    left: u32,
}

impl<'a> Iterator for Properties<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        // Both were checked when the message was made.
        let key = self.reader.text("property key").ok()?;
        let value = self.reader.text("property value").ok()?;
        Some((key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Properties<'_> {}
