//! Looking through a frame, piece by piece for whoever has others to serve.

use std::hash::{DefaultHasher, Hasher};

use memchr::memchr;

use super::MAGIC;
use super::keys::Keys;
use crate::DecodeError;
use crate::limits::{MESSAGE_MAX, PROPERTIES_MAX};
use crate::reader::{Reader, check_total};

/// The longest character of UTF-8, in bytes: a piece with less need not contain any.
const CHARACTER: usize = 4;

/// What a text costs besides its bytes, in bytes that are looked through in the same time.
const TEXT: usize = 256;

/// Where the number of properties stands.
const COUNT: usize = 6;

/// What looking through a frame costs, in bytes that are looked through in the same time, as far as its beginning tells.
pub(super) fn effort(frame: &[u8]) -> usize {
    let count =
        frame.get(COUNT..).and_then(<[u8]>::first_chunk).map_or(0, |count| u32::from_be_bytes(*count));
    // More would be refused at once.
    let texts = (2 * count as usize).min(frame.len());
    frame.len() + texts * TEXT
}

/// Where the parts of a frame are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Parts {
    /// The number of properties.
    pub(super) count: u32,
    /// Where the content starts.
    pub(super) content: u32,
}

/// Checks everything about a frame.
pub(super) fn check(frame: &[u8]) -> Result<Parts, DecodeError> {
    let mut check = Check::new(frame)?;
    loop {
        if let Some(parts) = check.go_on(usize::MAX)? {
            return Ok(parts);
        }
    }
}

/// Likewise, and between two pieces of about so many bytes waits for what `pause` gives.
pub(super) async fn check_in_pieces<P>(
    frame: &[u8],
    piece: usize,
    pause: impl Fn() -> P,
) -> Result<Parts, DecodeError>
where
    P: Future<Output = ()>,
{
    let mut check = Check::new(frame)?;
    loop {
        if let Some(parts) = check.go_on(piece)? {
            return Ok(parts);
        }
        pause().await;
    }
}

/// A check of which a part is done.
struct Check<'a> {
    reader: Reader<'a>,
    count: u32,
    /// Keys and values that are still to come: one of each for a property.
    texts: u32,
    keys: Keys<'a>,
    /// Bytes of the text in hand that are looked through. They end where a character does.
    known: usize,
    /// Of these, if it is a key.
    digest: Option<DefaultHasher>,
}

/// What stands before the properties: their number, and where they are.
fn head(frame: &[u8]) -> Result<(u32, Reader<'_>), DecodeError> {
    let mut reader = Reader::new(frame);
    let magic = reader.u16("magic")?;
    if magic != MAGIC {
        return Err(DecodeError::Magic(magic));
    }
    let total = reader.u32("total size")?;
    check_total(total, frame.len(), MESSAGE_MAX)?;
    let count = reader.u32("property count")?;
    // The shortest property is two NULs.
    if count as usize > reader.remaining() / 2 {
        return Err(DecodeError::PropertyCount(count));
    }
    if count as usize > PROPERTIES_MAX {
        return Err(DecodeError::TooManyProperties(count));
    }
    Ok((count, reader))
}

impl<'a> Check<'a> {
    #[inline]
    fn new(frame: &'a [u8]) -> Result<Self, DecodeError> {
        let (count, reader) = head(frame)?;
        let keys = Keys::new(count as usize);
        Ok(Self { reader, count, texts: 2 * count, keys, known: 0, digest: None })
    }

    /// Goes on by a piece of about so many bytes, twice as many at most. None: there is more to do.
    fn go_on(&mut self, piece: usize) -> Result<Option<Parts>, DecodeError> {
        let piece = piece.max(CHARACTER);
        let mut spent = 0;
        while self.texts > 0 {
            if spent >= piece {
                return Ok(None);
            }
            spent += self.text(piece)? + TEXT;
        }
        let size = self.reader.u32("content size")? as usize;
        let content = self.reader.position() as u32;
        self.reader.take(size, "content")?;
        self.reader.finish()?;
        Ok(Some(Parts { count: self.count, content }))
    }

    /// Looks on through the text in hand. Says through how many bytes.
    #[inline]
    fn text(&mut self, piece: usize) -> Result<usize, DecodeError> {
        let is_key = self.texts.is_multiple_of(2);
        let what = if is_key { "property key" } else { "property value" };
        let unknown = &self.reader.left()[self.known..];
        let window = &unknown[..piece.min(unknown.len())];
        let Some(end) = memchr(0, window) else {
            if window.len() == unknown.len() {
                return Err(DecodeError::Truncated(what));
            }
            // The window may end within a character.
            let valid = match str::from_utf8(window) {
                Ok(_) => window.len(),
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                Err(_) => return Err(DecodeError::NotUtf8(what)),
            };
            self.known += valid;
            if is_key {
                self.digest.get_or_insert_with(|| self.keys.digest()).write(&window[..valid]);
            }
            return Ok(window.len());
        };
        let last = &window[..end];
        str::from_utf8(last).map_err(|_| DecodeError::NotUtf8(what))?;
        let text = self.reader.take(self.known + end, what)?;
        self.reader.take(1, what)?;
        if is_key {
            let is_new = match self.digest.take() {
                None => self.keys.insert(text),
                Some(mut digest) => {
                    digest.write(last);
                    self.keys.insert_long(text, &digest)
                }
            };
            if !is_new {
                return Err(DecodeError::DuplicateKey);
            }
        }
        self.known = 0;
        self.texts -= 1;
        Ok(end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn in_pieces(frame: &[u8], piece: usize) -> Result<Parts, DecodeError> {
        let mut check = Check::new(frame)?;
        // Every piece has a text, or four bytes of one less those of a character that is not whole.
        for _ in 0..=frame.len() {
            if let Some(parts) = check.go_on(piece)? {
                return Ok(parts);
            }
        }
        panic!("it comes to no end");
    }

    fn frame(properties: &[(Vec<u8>, Vec<u8>)], content: &[u8]) -> Vec<u8> {
        let mut frame = vec![0xA1, 0x60, 0, 0, 0, 0];
        frame.extend((properties.len() as u32).to_be_bytes());
        for (key, value) in properties {
            for text in [key, value] {
                frame.extend(text);
                frame.push(0);
            }
        }
        frame.extend((content.len() as u32).to_be_bytes());
        frame.extend(content);
        let total = frame.len() as u32;
        frame[2..6].copy_from_slice(&total.to_be_bytes());
        frame
    }

    /// Often whole characters, now and then other bytes.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            8 => "[aé€😀]{0,9}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 0..9),
        ]
    }

    proptest! {
        #[test]
        fn in_pieces_is_as_in_one(
            properties in prop::collection::vec((text(), text()), 0..20),
            content in prop::collection::vec(any::<u8>(), 0..9),
            cut in 0..40usize,
            piece in prop_oneof![0..40usize, 500..3000usize],
        ) {
            let mut frame = frame(&properties, &content);
            if let Some(length) = frame.len().checked_sub(cut).filter(|length| cut > 20 && *length >= 6) {
                frame.truncate(length);
                frame[2..6].copy_from_slice(&(length as u32).to_be_bytes());
            }
            prop_assert_eq!(in_pieces(&frame, piece).ok(), check(&frame).ok());
        }
    }

    #[test]
    fn long_keys_that_begin_alike_are_told_apart() {
        let key = |end: &str| (["é".repeat(100), end.to_owned()].concat().into_bytes(), Vec::new());
        for more in [0, 20] {
            let others = (0..more).map(|number: u32| (number.to_string().into_bytes(), Vec::new()));
            let alike = others.clone().chain([key("a"), key("b"), key("a")]).collect::<Vec<_>>();
            for piece in [0, 5, 100, 1000, 5000] {
                assert!(in_pieces(&frame(&alike[..alike.len() - 1], b""), piece).is_ok(), "{piece}");
                assert_eq!(in_pieces(&frame(&alike, b""), piece), Err(DecodeError::DuplicateKey), "{piece}");
            }
        }
    }

    #[test]
    fn a_piece_is_no_longer_than_twice_what_it_may_be() {
        let properties = [(vec![b'k'; 100], vec![b'v'; 1000]), (Vec::new(), Vec::new())];
        let frame = frame(&properties, b"content");
        let mut check = Check::new(&frame).unwrap();
        let done = |check: &Check<'_>| check.reader.position() + check.known;
        let mut before = done(&check);
        for pieces in 0.. {
            let end = check.go_on(50).unwrap();
            if end.is_some() {
                assert!(pieces > 1100 / 100, "{pieces}");
                break;
            }
            assert!(done(&check) - before <= 2 * 50 + 1);
            before = done(&check);
        }
    }
}
