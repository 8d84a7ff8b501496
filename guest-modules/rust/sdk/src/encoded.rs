//! Messages as they travel, in V1's format. `wit/gateway.wit` has the layouts, at `encoded-handler`.
//!
//! ```text
//! 0   A1 60
//! 2   size of the whole message, 32 bits big-endian
//! 6   number of properties
//! 10  key NUL value NUL, so many times
//!     size of the content, content
//! ```
//!
//! The host has checked what it hands over: what does not fit would be a panic here, nothing worse.

use std::ops::Range;

use crate::bindings::encoded::sandgate::gateway::encoded_deliveries::done;
use crate::{Delivery, Message, Parts};

const MAGIC: [u8; 2] = [0xA1, 0x60];
const SIZE: usize = 2;
const COUNT: usize = 6;
const HEADER: usize = 10;
/// A number's size.
const NUMBER: usize = 4;

/// A message in V1's format, within bytes that may have others around it.
#[derive(Clone)]
pub(crate) struct Encoded {
    bytes: Vec<u8>,
    begin: usize,
}

impl Encoded {
    /// Encodes a message. None where it cannot be, for a text contains U+0000, or where it would have more bytes.
    pub(crate) fn new(parts: &Parts, most: usize) -> Option<Self> {
        let Parts { properties, content } = parts;
        let texts = properties.iter().flat_map(|(key, value)| [key, value]);
        let mut size = HEADER + NUMBER;
        for text in texts.clone() {
            if text.as_bytes().contains(&0) {
                return None;
            }
            size = size.checked_add(text.len() + 1)?;
        }
        size = size.checked_add(content.len()).filter(|size| *size <= most)?;
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&(size as u32).to_be_bytes());
        bytes.extend_from_slice(&(properties.len() as u32).to_be_bytes());
        for text in texts {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
        bytes.extend_from_slice(&(content.len() as u32).to_be_bytes());
        bytes.extend_from_slice(content);
        Some(Self { bytes, begin: 0 })
    }

    /// The message, and nothing around it.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.bytes[self.begin..self.end()]
    }

    pub(crate) fn property(&self, key: &str) -> Option<&str> {
        self.value(key).map(|value| self.text(value))
    }

    /// False: it cannot be done in this form, for a text contains U+0000.
    pub(crate) fn set_property(&mut self, key: &str, value: &str) -> bool {
        if key.as_bytes().contains(&0) || value.as_bytes().contains(&0) {
            return false;
        }
        match self.value(key) {
            Some(old) => self.replace(old, &[value.as_bytes()]),
            None => {
                let at = self.behind_properties();
                self.replace(at..at, &[key.as_bytes(), &[0], value.as_bytes(), &[0]]);
                self.put(self.begin + COUNT, self.number(self.begin + COUNT) + 1);
            }
        }
        true
    }

    pub(crate) fn content(&self) -> &[u8] {
        &self.bytes[self.behind_properties() + NUMBER..self.end()]
    }

    pub(crate) fn set_content(&mut self, content: &[u8]) {
        let size = self.behind_properties();
        self.replace(size + NUMBER..self.end(), &[content]);
        self.put(size, content.len() as u32);
    }

    pub(crate) fn decode(&self) -> Parts {
        let owned = |range| self.text(range).to_owned();
        let properties = self.texts().map(|(key, value)| (owned(key), owned(value))).collect();
        Parts { properties, content: self.content().to_vec() }
    }

    /// Puts other bytes in the place of some. What stands around the message keeps its size.
    fn replace(&mut self, range: Range<usize>, pieces: &[&[u8]]) {
        let size = self.number(self.begin + SIZE) - range.len() as u32;
        let new = pieces.concat();
        self.put(self.begin + SIZE, size + new.len() as u32);
        self.bytes.splice(range, new);
    }

    fn end(&self) -> usize {
        self.begin + self.number(self.begin + SIZE) as usize
    }

    fn number(&self, at: usize) -> u32 {
        number(&self.bytes, at)
    }

    fn put(&mut self, at: usize, number: u32) {
        self.bytes[at..at + NUMBER].copy_from_slice(&number.to_be_bytes());
    }

    fn text(&self, range: Range<usize>) -> &str {
        str::from_utf8(&self.bytes[range]).expect("the host has checked it")
    }

    fn value(&self, key: &str) -> Option<Range<usize>> {
        self.texts().find(|(found, _)| self.bytes[found.clone()] == *key.as_bytes()).map(|(_, value)| value)
    }

    /// Where keys and values stand.
    fn texts(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let mut at = self.begin + HEADER;
        let mut next = move || {
            let text = at..at + up_to_nul(&self.bytes[at..]);
            at = text.end + 1;
            text
        };
        (0..self.number(self.begin + COUNT)).map(move |_| (next(), next()))
    }

    fn behind_properties(&self) -> usize {
        self.texts().last().map_or(self.begin + HEADER, |(_, value)| value.end + 1)
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; NUMBER];
    number.copy_from_slice(&bytes[at..at + NUMBER]);
    u32::from_be_bytes(number)
}

fn up_to_nul(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == 0).expect("the host has checked it")
}

/// Handles what one call of the host has brought, one after the other, as long as the host lets it go on.
pub fn each(deliveries: Vec<u8>, mut receive: impl FnMut(Message, Delivery) -> Result<(), String>) {
    // Returning answers the last one, if it is no error.
    let mut goes_on = |encoded: Encoded, delivery, is_last: bool| match receive(encoded.into(), delivery) {
        Ok(()) => !is_last && done(Ok(())),
        Err(reason) => done(Err(&reason)),
    };
    let mut at = 0;
    while at < deliveries.len() {
        let attempt = number(&deliveries, at);
        let source = at + NUMBER;
        let begin = source + up_to_nul(&deliveries[source..]) + 1;
        let end = begin + number(&deliveries, begin + SIZE) as usize;
        let name = &deliveries[source..begin - 1];
        let source = (!name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned());
        let delivery = Delivery { source, attempt };
        let is_last = end + 1 == deliveries.len();
        if is_last && at == 0 {
            // It is alone: all bytes are its own.
            goes_on(Encoded { bytes: deliveries, begin }, delivery, is_last);
            return;
        }
        if !goes_on(Encoded { bytes: deliveries[begin..end].to_vec(), begin: 0 }, delivery, is_last) {
            return;
        }
        at = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::Encoded;
    use crate::Parts;

    fn parts(properties: &[(&str, &str)], content: &[u8]) -> Parts {
        let properties = properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Parts { properties: properties.collect(), content: content.to_vec() }
    }

    fn encode(parts: &Parts) -> Encoded {
        Encoded::new(parts, usize::MAX).expect("it can be encoded")
    }

    fn assert_same(encoded: &Encoded, expected: &Parts) {
        let decoded = encoded.decode();
        assert_eq!((&decoded.properties, &decoded.content), (&expected.properties, &expected.content));
        assert_eq!(encoded.frame(), encode(expected).frame());
        assert_eq!(encoded.content(), expected.content);
    }

    #[test]
    fn a_message_is_encoded_as_v1_has_it() {
        let encoded = encode(&parts(&[("a", "1"), ("b", "")], b"xyz"));
        assert_eq!(encoded.frame(), b"\xa1\x60\0\0\0\x18\0\0\0\x02a\x001\0b\0\0\0\0\0\x03xyz");
    }

    #[test]
    fn a_message_is_changed_whatever_is_around_it() {
        let before = parts(&[("a", "1"), ("b", "2")], b"content\0");
        let frame = encode(&before).bytes;
        let around = Encoded { bytes: [b"before", &frame[..], b"\0"].concat(), begin: 6 };
        for mut encoded in [around, Encoded { bytes: frame.clone(), begin: 0 }] {
            assert_same(&encoded, &before);
            assert_eq!(encoded.property("b"), Some("2"));
            assert_eq!(encoded.property("c"), None);
            for (key, value, properties) in [
                ("a", "longer", [("a", "longer"), ("b", "2")].as_slice()),
                ("b", "", &[("a", "longer"), ("b", "")]),
                ("é", "ü", &[("a", "longer"), ("b", ""), ("é", "ü")]),
                ("a", "1", &[("a", "1"), ("b", ""), ("é", "ü")]),
            ] {
                assert!(encoded.set_property(key, value));
                assert_same(&encoded, &parts(properties, b"content\0"));
            }
            assert!(!encoded.set_property("a\0", "") && !encoded.set_property("a", "\0"));
            for content in [&b"much more of it"[..], b"", b"less"] {
                encoded.set_content(content);
                assert_same(&encoded, &parts(&[("a", "1"), ("b", ""), ("é", "ü")], content));
            }
        }
        let mut empty = encode(&parts(&[], b""));
        assert!(empty.set_property("first", "1"));
        assert_same(&empty, &parts(&[("first", "1")], b""));
    }

    #[test]
    fn what_the_format_has_no_words_for_and_what_is_too_large_is_not_encoded() {
        for (properties, most) in [(("a\0", "1"), usize::MAX), (("a", "\0"), usize::MAX), (("a", "1"), 17)] {
            assert!(Encoded::new(&parts(&[properties], b""), most).is_none());
        }
        assert!(Encoded::new(&parts(&[("a", "1")], b""), 18).is_some());
    }
}
