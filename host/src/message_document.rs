//! A message as people write and read it: the JSON form of `wasm-host run`, of test cases, and of what they print.
//! `docs/testing.md` describes it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sandgate_wire::{EncodeError, Message};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

/// A message that somebody has written.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageDocument {
    /// Keys with their values.
    pub properties: Vec<(String, String)>,
    /// What stands for the content.
    pub content: ContentDocument,
    /// The module that is said to have published it.
    pub source: Option<String>,
    /// Which delivery it is said to be: 1 for the first.
    pub attempt: u32,
}

/// A content that somebody has written.
#[derive(Clone, Debug, PartialEq)]
pub enum ContentDocument {
    /// Bytes, also none.
    Bytes(Vec<u8>),
    /// A JSON value.
    Json(Value),
}

impl ContentDocument {
    /// The content itself. A JSON value is its shortest text.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Json(value) => value.to_string().into_bytes(),
        }
    }
}

impl MessageDocument {
    /// The message.
    ///
    /// # Errors
    /// A key appears twice, a text contains U+0000, or the message is too large.
    pub fn message(&self) -> Result<Message, EncodeError> {
        Message::new(&self.properties, self.content.bytes())
    }

    /// A message as a document of one line: its content as `text` where it is UTF-8, else as `content` in Base64.
    #[must_use]
    pub fn line(message: &Message) -> String {
        let (key, content) = shown(message.content());
        json!({ "properties": shown_properties(message), key: content }).to_string()
    }
}

/// The properties as an object, in their own order.
pub(crate) fn shown_properties(message: &Message) -> Value {
    message.properties().map(|(key, value)| (key.to_owned(), value.into())).collect::<Map<_, _>>().into()
}

/// The key and the text under which a content is shown.
pub(crate) fn shown(content: &[u8]) -> (&'static str, String) {
    match str::from_utf8(content) {
        Ok(text) => ("text", text.to_owned()),
        Err(_) => ("content", STANDARD.encode(content)),
    }
}

/// The document as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    properties: Properties,
    text: Option<String>,
    #[serde(default, deserialize_with = "any_value")]
    json: Option<Value>,
    content: Option<String>,
    source: Option<String>,
    #[serde(default = "first")]
    attempt: u32,
    /// A verdict's message says these.
    #[serde(rename = "size")]
    _size: Option<u64>,
    #[serde(default)]
    truncated: bool,
}

fn first() -> u32 {
    1
}

/// Also `null` is a value.
fn any_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for MessageDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let Written { properties, text, json, content, source, attempt, truncated, .. } = written;
        if truncated {
            return Err(D::Error::custom(
                "the message was cut when it was put down (`truncated`): a part is missing",
            ));
        }
        let content = match (text, json, content) {
            (None, None, None) => ContentDocument::Bytes(Vec::new()),
            (Some(text), None, None) => ContentDocument::Bytes(text.into_bytes()),
            (None, Some(json), None) => ContentDocument::Json(json),
            (None, None, Some(content)) => {
                ContentDocument::Bytes(decoded(&content).map_err(D::Error::custom)?)
            }
            _ => return Err(D::Error::custom("a message has one content: give `text`, `json` or `content`")),
        };
        let document = Self { properties: properties.0, content, source, attempt };
        // What cannot be sent is told where it is written.
        document
            .message()
            .map_err(|error| D::Error::custom(format!("the message cannot be sent: {error}")))?;
        Ok(document)
    }
}

fn decoded(content: &str) -> Result<Vec<u8>, String> {
    STANDARD
        .decode(content)
        .map_err(|error| format!("`content` is no Base64 ({error}); a text is written as `text`"))
}

/// An object, or a list of pairs as verdicts have it.
#[derive(Default)]
struct Properties(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PropertiesVisitor).map(Self)
    }
}

struct PropertiesVisitor;

impl<'de> Visitor<'de> for PropertiesVisitor {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("properties, an object whose values are texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut properties = Vec::new();
        while let Some(property) = map.next_entry()? {
            properties.push(property);
        }
        Ok(properties)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Self::Value, A::Error> {
        let mut properties = Vec::new();
        while let Some(property) = pairs.next_element()? {
            properties.push(property);
        }
        Ok(properties)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::VerdictMessage;

    fn read(text: &str) -> Message {
        serde_json::from_str::<MessageDocument>(text).unwrap().message().unwrap()
    }

    fn refused(text: &str) -> String {
        serde_json::from_str::<MessageDocument>(text).unwrap_err().to_string()
    }

    #[test]
    fn a_content_is_a_text_a_value_or_bytes() {
        assert_eq!(read("{}").content(), b"");
        assert_eq!(read(r#"{"text": "°C"}"#).content(), "°C".as_bytes());
        assert_eq!(read(r#"{"json": {"b": [1, 2.5], "a": null}}"#).content(), br#"{"b":[1,2.5],"a":null}"#);
        assert_eq!(read(r#"{"json": null}"#).content(), b"null");
        assert_eq!(read(r#"{"content": "/wA="}"#).content(), [255, 0]);
        assert_eq!(read(r#"{"properties": {"a": "1"}}"#).property("a"), Some("1"));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for content in [&b""[..], b"text\0\n", "°C".as_bytes(), &[0xff, 0]] {
            let message = Message::new(&[("é", "ü"), ("", "")], content).unwrap();
            assert_eq!(read(&MessageDocument::line(&message)), message);
        }
        let line = MessageDocument::line(&Message::new(&[("b", "1"), ("a", "2")], b"x").unwrap());
        assert_eq!(line, r#"{"properties":{"b":"1","a":"2"},"text":"x"}"#);
    }

    #[test]
    fn a_message_of_a_verdict_is_read_unless_it_was_cut() {
        let message = Message::new(&[("a", "1")], [0, 255]).unwrap();
        let mut kept = VerdictMessage::new(message.frame()).unwrap();
        assert_eq!(read(&serde_json::to_string(&kept).unwrap()), message);
        kept.truncated = true;
        assert!(refused(&serde_json::to_string(&kept).unwrap()).contains("cut"));
    }

    #[test]
    fn a_mistake_is_told_with_its_mend() {
        assert!(refused(r#"{"text": "a", "json": 1}"#).contains("one content"));
        assert!(refused(r#"{"content": "a text"}"#).contains("written as `text`"));
        assert!(refused(r#"{"txt": "a"}"#).contains("unknown field `txt`"));
        assert!(refused(r#"{"properties": {"a": 1}}"#).contains("expected a string"));
        assert!(refused(r#"{"properties": "a"}"#).contains("an object whose values are texts"));
        assert!(refused(r#"{"properties": {"a": "1", "a": "2"}}"#).contains("cannot be sent"));
        assert!(refused(r#"{"properties": {"a": "\u0000"}}"#).contains("cannot be sent"));
    }
}
