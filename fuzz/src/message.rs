//! The codec of data messages.

use bytes::Bytes;
use sandgate_wire::Message;

/// There is one encoding of every message: what is understood is made again byte for byte. Of several, each ends within the
/// bytes, and a whole one is the first of itself.
pub(crate) fn target(bytes: &[u8]) {
    let mut rest = bytes;
    while let Ok(first) = Message::split_first(rest) {
        assert!(!first.is_empty() && rest.starts_with(first));
        assert_eq!(Message::decode_copy(first), Message::decode(Bytes::copy_from_slice(first)));
        rest = &rest[first.len()..];
    }
    let Ok(message) = Message::decode(Bytes::copy_from_slice(bytes)) else { return };
    assert_eq!(Message::split_first(bytes), Ok(bytes));
    let properties: Vec<_> = message.properties().collect();
    for (key, value) in &properties {
        assert_eq!(message.property(key), Some(*value));
    }
    let again = Message::new(&properties, message.content()).unwrap();
    assert_eq!(again.frame(), bytes);
    assert_eq!(again, message);
}
