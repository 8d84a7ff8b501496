//! A message's bytes in V1's format, which `Message_ToByteArray` writes and `Message_CreateFromByteArray` reads.
//!
//! Texts are bytes here, as in V1: whether they are UTF-8 is for the gateway to judge when a message is published.

const MAGIC: [u8; 2] = [0xA1, 0x60];
/// Magic, total, number of properties.
const HEADER: usize = 10;
const NUMBER: usize = 4;

/// What stands in a message, where it stands. Texts are without their NUL.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Parts<'a> {
    pub(crate) properties: Vec<(&'a [u8], &'a [u8])>,
    pub(crate) content: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Reads a message. `None` for bytes that depart from the format; equal keys are not looked for.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&MAGIC)?;
        if number(&mut rest)? != bytes.len() {
            return None;
        }
        let count = number(&mut rest)?;
        // Two NULs are the least that a property takes, so no invented count makes memory.
        if count > rest.len() / 2 {
            return None;
        }
        let mut properties = Vec::with_capacity(count);
        for _ in 0..count {
            properties.push((text(&mut rest)?, text(&mut rest)?));
        }
        (number(&mut rest)? == rest.len()).then_some(Self { properties, content: rest })
    }

    /// How many bytes the message takes; `None` for more than its 32 bits can say.
    pub(crate) fn size(&self) -> Option<i32> {
        let texts = self.properties.iter().map(|(key, value)| key.len() + value.len() + 2);
        let total = texts
            .chain([HEADER, NUMBER, self.content.len()])
            .try_fold(0usize, |total, part| total.checked_add(part))?;
        i32::try_from(total).ok()
    }

    /// The message. `None` when it is too large for its format.
    pub(crate) fn to_bytes(&self) -> Option<Vec<u8>> {
        let total = self.size()?;
        let mut bytes = Vec::with_capacity(usize::try_from(total).ok()?);
        bytes.extend(MAGIC);
        // Count and content are smaller than the total, which has been found to fit.
        bytes.extend(total.to_be_bytes());
        bytes.extend((self.properties.len() as u32).to_be_bytes());
        for (key, value) in &self.properties {
            for text in [key, value] {
                bytes.extend(*text);
                bytes.push(0);
            }
        }
        bytes.extend((self.content.len() as u32).to_be_bytes());
        bytes.extend(self.content);
        Some(bytes)
    }
}

/// Takes a number off the front. V1's are signed: a negative one is as wrong as one that is too large.
fn number(rest: &mut &[u8]) -> Option<usize> {
    let (number, after) = rest.split_first_chunk::<NUMBER>()?;
    *rest = after;
    usize::try_from(i32::from_be_bytes(*number)).ok()
}

/// Takes a text off the front, with its NUL.
fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == 0)?;
    let (text, after) = rest.split_at(end);
    *rest = &after[1..];
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recorded() -> Vec<Vec<u8>> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/tests/golden");
        ["data-2.bin", "data-hello-world.bin"].map(|name| std::fs::read(folder.join(name)).unwrap()).to_vec()
    }

    #[test]
    fn recorded_messages_are_read_and_written_to_the_byte() {
        for bytes in recorded() {
            assert_eq!(Parts::read(&bytes).unwrap().to_bytes().unwrap(), bytes);
        }
    }

    #[test]
    fn no_shorter_and_no_longer_message_is_read() {
        for bytes in recorded() {
            for end in 0..bytes.len() {
                assert_eq!(Parts::read(&bytes[..end]), None);
            }
            assert_eq!(Parts::read(&[bytes, vec![0]].concat()), None);
        }
    }

    #[test]
    fn invented_numbers_are_refused() {
        let empty = Parts { properties: Vec::new(), content: b"" }.to_bytes().unwrap();
        assert_eq!(empty.len(), 14);
        for number in [u32::MAX, i32::MAX as u32, 1 << 31, 1] {
            for place in [2, 6, 10] {
                let mut bytes = empty.clone();
                bytes[place..place + 4].copy_from_slice(&number.to_be_bytes());
                assert_eq!(Parts::read(&bytes), None, "{number} at {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Parts::read(&bytes);
        }

        #[test]
        fn what_is_written_is_read(
            properties in prop::collection::vec(("[^\0]{0,9}", "[^\0]{0,9}"), 0..5),
            content in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let properties = properties.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes())).collect();
            let parts = Parts { properties, content: &content };
            let bytes = parts.to_bytes().unwrap();
            prop_assert_eq!(Parts::read(&bytes), Some(parts));
        }
    }
}
