//! The codec of data messages.

use bytes::Bytes;
use sandgate_wire::Message;

/// There is one encoding of every message: what is understood is made again byte for byte.
pub(crate) fn target(bytes: &[u8]) {
    let Ok(message) = Message::decode(Bytes::copy_from_slice(bytes)) else { return };
    let properties: Vec<_> = message.properties().collect();
    for (key, value) in &properties {
        assert_eq!(message.property(key), Some(*value));
    }
    let again = Message::new(&properties, message.content()).unwrap();
    assert_eq!(again.frame(), bytes);
    assert_eq!(again, message);
}
