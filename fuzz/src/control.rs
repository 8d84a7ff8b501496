//! The control codec.

use sandgate_wire::{Control, link::Offer};

/// What is understood can be said again and means the same.
pub(crate) fn target(bytes: &[u8]) {
    let Ok(control) = Control::decode(bytes) else { return };
    let again = control.encode().unwrap();
    assert_eq!(again.len(), bytes.len());
    assert_eq!(Control::decode(&again).unwrap(), control);
    if let Control::Reply(reply) = control
        && let Ok(Some(offer)) = Offer::decode(&reply.extension)
    {
        let again = offer.encode().unwrap();
        assert_eq!(Offer::decode(&again).unwrap(), Some(offer));
    }
}
