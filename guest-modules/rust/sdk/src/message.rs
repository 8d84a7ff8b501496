//! A message: as it travels, until somebody looks into it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

use crate::encoded::Encoded;

/// What a message is made of: its `properties`, keys with their values, and its `content`.
pub use crate::bindings::sandgate::gateway::types::Message as Parts;

/// A message. Its parts are its fields: `message.properties` and `message.content` can be read and changed.
///
/// One that came is kept as it came, and taken apart when a field is first used. The methods do without that, and so
/// does publishing it.
#[derive(Clone)]
pub struct Message {
    /// Present as long as nobody has changed the parts. This or the parts are there.
    encoded: Option<Encoded>,
    parts: OnceLock<Parts>,
}

impl Message {
    /// A message of its parts. Keys must be unique, and neither keys nor values may contain U+0000: otherwise it cannot be
    /// published.
    pub fn new(properties: Vec<(String, String)>, content: Vec<u8>) -> Self {
        Self::from(Parts { properties, content })
    }

    /// The value of a property.
    pub fn property(&self, key: &str) -> Option<&str> {
        match &self.encoded {
            Some(encoded) => encoded.property(key),
            None => self.properties.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str()),
        }
    }

    /// Sets a property: replaces its value, or adds it at the end.
    pub fn set_property(&mut self, key: impl AsRef<str>, value: impl AsRef<str>) {
        let (key, value) = (key.as_ref(), value.as_ref());
        if self.encoded.as_mut().is_some_and(|encoded| encoded.set_property(key, value)) {
            // Those that somebody has seen are out of date.
            self.parts.take();
            return;
        }
        match self.properties.iter_mut().find(|(k, _)| k == key) {
            Some(property) => property.1 = value.to_owned(),
            None => self.properties.push((key.to_owned(), value.to_owned())),
        }
    }

    /// The content, as the field of this name.
    pub fn content(&self) -> &[u8] {
        match &self.encoded {
            Some(encoded) => encoded.content(),
            None => &self.content,
        }
    }

    /// Replaces the content.
    pub fn set_content(&mut self, content: impl AsRef<[u8]>) {
        match &mut self.encoded {
            Some(encoded) => {
                encoded.set_content(content.as_ref());
                self.parts.take();
            }
            None => self.content = content.as_ref().to_vec(),
        }
    }

    /// Takes the message apart.
    pub fn into_parts(self) -> Parts {
        let Self { encoded, parts } = self;
        parts.into_inner().or_else(|| Some(encoded?.decode())).expect("one of them is there")
    }

    pub(crate) fn encoded(&self) -> Option<&Encoded> {
        self.encoded.as_ref()
    }
}

impl From<Parts> for Message {
    fn from(parts: Parts) -> Self {
        Self { encoded: None, parts: parts.into() }
    }
}

impl From<Encoded> for Message {
    fn from(encoded: Encoded) -> Self {
        Self { encoded: Some(encoded), parts: OnceLock::new() }
    }
}

impl Deref for Message {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        self.parts.get_or_init(|| self.encoded.as_ref().expect("one of them is there").decode())
    }
}

impl DerefMut for Message {
    fn deref_mut(&mut self) -> &mut Parts {
        let _made = &**self;
        self.encoded = None;
        self.parts.get_mut().expect("they have just been made")
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Encoded, Message};

    /// As an author makes it, and as the host hands it over.
    fn both(properties: &[(&str, &str)], content: &[u8]) -> [Message; 2] {
        let properties = properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let made = Message::new(properties.collect(), content.to_vec());
        let came = Message::from(Encoded::new(&made, usize::MAX).expect("it can be encoded"));
        [made, came]
    }

    #[test]
    fn a_property_is_replaced_where_it_stands_and_added_at_the_end() {
        for mut message in both(&[("a", "1"), ("b", "2")], b"") {
            message.set_property("a", "3");
            message.set_property("c", "4");
            assert_eq!(message.property("a"), Some("3"));
            assert_eq!(message.properties.len(), 3);
            assert_eq!(message.properties[2].0, "c");
            assert_eq!(message.property("d"), None);
        }
    }

    #[test]
    fn fields_and_methods_tell_the_same_in_any_order() {
        for mut message in both(&[("a", "1")], b"content") {
            assert_eq!((message.content(), &message.content[..]), (&b"content"[..], &b"content"[..]));
            message.set_property("a", "2");
            assert_eq!(message.properties[0].1, "2");
            message.set_content("other");
            assert_eq!(message.content, b"other");
            message.content.push(b'!');
            message.properties.push(("b".into(), "3".into()));
            message.set_property("a", "with a \0");
            assert_eq!(message.property("a"), Some("with a \0"));
            assert_eq!((message.property("b"), message.content()), (Some("3"), &b"other!"[..]));
            message.set_content("last");
            let parts = message.clone().into_parts();
            assert_eq!((parts.properties.len(), parts.content), (2, b"last".to_vec()));
        }
    }
}
