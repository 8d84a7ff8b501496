//! The codec of the link's frames.

use sandgate_wire::link::{Frame, Offer};

/// What is understood can be said again and means the same; what is not whole yet is not misread.
pub(crate) fn target(mut bytes: &[u8]) {
    if let Ok(Some(offer)) = Offer::decode(bytes) {
        assert_eq!(Offer::decode(&offer.encode().unwrap()).unwrap(), Some(offer));
    }
    while let Ok(Some((frame, length))) = Frame::parse(bytes) {
        let (whole, rest) = bytes.split_at(length);
        assert!(Frame::parse(&whole[..length - 1]).unwrap().is_none());
        let again = frame.encode().unwrap();
        assert_eq!(Frame::parse(&again).unwrap(), Some((frame, again.len())));
        bytes = rest;
    }
}
