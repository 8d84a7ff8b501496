//! The message in a verdict, cut where it is large.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sandgate_wire::{EncodeError, Message};
use serde::{Deserialize, Serialize};

/// What is kept of a message's content, and of its properties, in bytes.
const KEPT: usize = 1 << 20;

/// A message as it came.
#[derive(Clone, Debug)]
pub struct MessageRecord {
    /// Its frame.
    pub frame: Bytes,
    /// Its number on its lane, where it has one.
    pub sequence: Option<u64>,
    /// The module that published it, where the channel tells.
    pub source: Option<String>,
    /// Which delivery this is: 1 for the first.
    pub attempt: u32,
}

/// A message in a verdict.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct VerdictMessage {
    /// Keys with their values.
    pub properties: Vec<(String, String)>,
    /// The content in Base64.
    pub content: String,
    /// The size of the whole message on the wire, in bytes.
    pub size: u64,
    /// Properties or content are not all here: they had more than a mebibyte.
    pub truncated: bool,
}

impl VerdictMessage {
    /// Takes a message from its frame. None: it is no message.
    #[must_use]
    pub fn new(frame: &Bytes) -> Option<Self> {
        let message = Message::decode(frame.clone()).ok()?;
        let mut left = KEPT;
        let properties: Vec<(String, String)> = message
            .properties()
            .take_while(|(key, value)| {
                let fits = key.len() + value.len() <= left;
                left = left.saturating_sub(key.len() + value.len());
                fits
            })
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let content = &message.content()[..message.content().len().min(KEPT)];
        Some(Self {
            truncated: content.len() < message.content().len()
                || properties.len() < message.properties().count(),
            properties,
            content: STANDARD.encode(content),
            size: frame.len() as u64,
        })
    }

    /// The message again, as far as it was kept.
    ///
    /// # Errors
    /// The document was changed, and what it says is no message any more.
    pub fn message(&self) -> Result<Message, MessageError> {
        let content = STANDARD.decode(&self.content)?;
        Ok(Message::new(&self.properties, content)?)
    }
}

/// Why a verdict's message is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The content is no Base64.
    #[error("the message's content is no Base64: {0}")]
    Content(#[from] base64::DecodeError),
    /// The properties and the content make no message.
    #[error("the message cannot be encoded: {0}")]
    Message(#[from] EncodeError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(properties: &[(&str, &str)], content: &[u8]) -> VerdictMessage {
        VerdictMessage::new(Message::new(properties, content).unwrap().frame()).unwrap()
    }

    #[test]
    fn a_message_comes_back_as_it_was() {
        let sent = Message::new(&[("é", "ü"), ("a", "")], [0, 255, 10]).unwrap();
        let kept = VerdictMessage::new(sent.frame()).unwrap();
        assert!(!kept.truncated);
        assert_eq!(kept.message().unwrap(), sent);
    }

    #[test]
    fn large_content_and_large_properties_are_cut_and_said_to_be() {
        let content = kept(&[("k", "v")], &vec![1; KEPT + 1]);
        assert!(content.truncated);
        assert_eq!(content.message().unwrap().content().len(), KEPT);
        let long = "x".repeat(KEPT);
        let properties = kept(&[("a", "b"), ("k", &long), ("z", "")], b"c");
        assert!(properties.truncated);
        assert_eq!(properties.message().unwrap().properties().count(), 1);
        assert!(properties.size > KEPT as u64);
    }
}
