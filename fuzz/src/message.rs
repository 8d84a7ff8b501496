//! The codec of data messages.

use std::future::ready;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use sandgate_wire::Message;

/// There is one encoding of every message: what is understood is made again byte for byte. Of several, each ends within the
/// bytes, and a whole one is the first of itself. One that is looked through piece by piece is what it is in one go.
pub(crate) fn target(bytes: &[u8]) {
    let mut rest = bytes;
    while let Ok(first) = Message::split_first(rest) {
        assert!(!first.is_empty() && rest.starts_with(first));
        assert_eq!(Message::decode_copy(first), Message::decode(Bytes::copy_from_slice(first)));
        rest = &rest[first.len()..];
    }
    let whole = Message::decode(Bytes::copy_from_slice(bytes)).ok();
    for piece in [0, 9, 600, 4096] {
        let in_pieces = Message::decode_in_pieces(Bytes::copy_from_slice(bytes), piece, || ready(()));
        let in_pieces = pin!(in_pieces).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(in_pieces.map(Result::ok), Poll::Ready(whole.clone()));
    }
    let Some(message) = whole else { return };
    assert_eq!(Message::split_first(bytes), Ok(bytes));
    let properties: Vec<_> = message.properties().collect();
    for (key, value) in &properties {
        assert_eq!(message.property(key), Some(*value));
    }
    let again = Message::new(&properties, message.content()).unwrap();
    assert_eq!(again.frame(), bytes);
    assert_eq!(again, message);
}
