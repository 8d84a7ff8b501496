//! Whatever can be encoded decodes to the same value, and whatever decodes encodes to an equal value.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use sandgate_wire::{Control, Create, Message, Reply, Status};

/// Any Unicode text without NUL.
fn text() -> impl Strategy<Value = String> {
    "[^\0]{0,24}"
}

fn properties() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::btree_map(text(), text(), 0..40)
        .prop_map(|map: BTreeMap<_, _>| map.into_iter().collect())
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => Just(Vec::new()),
        8 => prop::collection::vec(any::<u8>(), 0..256),
        1 => (any::<u8>(), 0..2_000_000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn control() -> impl Strategy<Value = Control> {
    prop_oneof![
        (text(), text()).prop_map(|(uri, arguments)| Control::Create(Create { uri, arguments })),
        (any::<u8>(), prop::collection::vec(any::<u8>(), 0..64)).prop_map(|(status, extension)| {
            Control::Reply(Reply { status: Status(status), extension: extension.into() })
        }),
        Just(Control::Start),
        Just(Control::Destroy),
    ]
}

fn reencode(message: &Message) -> Message {
    let properties: Vec<_> = message.properties().collect();
    Message::new(&properties, message.content()).unwrap()
}

const GOLDEN: [&[u8]; 9] = [
    include_bytes!("golden/create.bin"),
    include_bytes!("golden/reply-success.bin"),
    include_bytes!("golden/reply-creation-error.bin"),
    include_bytes!("golden/reply-detach.bin"),
    include_bytes!("golden/start.bin"),
    include_bytes!("golden/destroy.bin"),
    include_bytes!("golden/data-hello-world.bin"),
    include_bytes!("golden/data-2.bin"),
    // Three properties, so that mutations meet more than one.
    b"\xa1\x60\0\0\0\x1c\0\0\0\x03a\0b\0c\0d\0\0e\0\0\0\0\x03xyz",
];

/// Decodes as both kinds of message; what is accepted must survive encoding.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(control) = Control::decode(bytes) {
        let again = control.encode().unwrap();
        prop_assert_eq!(Control::decode(&again).unwrap(), control);
    }
    if let Ok(message) = Message::decode(Bytes::copy_from_slice(bytes)) {
        prop_assert_eq!(&message.frame()[..], bytes);
        prop_assert_eq!(reencode(&message), message);
    }
    Ok(())
}

#[test]
fn every_mutation_seed_is_valid() {
    for bytes in GOLDEN {
        let control = Control::decode(bytes).is_ok();
        let message = Message::decode(Bytes::from_static(bytes)).is_ok();
        assert!(control != message, "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn messages(properties in properties(), content in content()) {
        let message = Message::new(&properties, &content).unwrap();
        let decoded = Message::decode(message.frame().clone()).unwrap();
        prop_assert_eq!(&decoded, &message);
        let back: Vec<_> = decoded.properties().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        prop_assert_eq!(back, properties);
        prop_assert_eq!(decoded.properties().len(), message.properties().count());
        prop_assert_eq!(decoded.content(), content);
    }

    #[test]
    fn messages_behind_each_other_are_told_apart(
        messages in prop::collection::vec((properties(), prop::collection::vec(any::<u8>(), 0..64)), 0..5),
        rest in prop::collection::vec(any::<u8>(), 0..24),
    ) {
        let frames: Vec<_> = messages
            .iter()
            .map(|(properties, content)| Message::new(properties, content).unwrap().into_frame())
            .collect();
        let bytes = [frames.concat(), rest.clone()].concat();
        let mut left = &bytes[..];
        for frame in &frames {
            let first = Message::split_first(left).unwrap();
            prop_assert_eq!(first, frame);
            prop_assert_eq!(Message::decode_copy(first), Message::decode(frame.clone()));
            left = &left[first.len()..];
        }
        prop_assert_eq!(left, rest);
        if let Ok(first) = Message::split_first(left) {
            prop_assert!(left.starts_with(first) && first.len() >= 10);
        }
    }

    #[test]
    fn control_messages(control in control()) {
        let bytes = control.encode().unwrap();
        prop_assert_eq!(Control::decode(&bytes).unwrap(), control);
    }

    #[test]
    fn bytes_behind_a_reply_status_are_kept(status: u8, more in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut bytes = Control::Reply(Status(status).into()).encode().unwrap().to_vec();
        bytes.extend_from_slice(&more);
        let total = bytes.len() as u32;
        bytes[4..8].copy_from_slice(&total.to_be_bytes());
        let reply = Reply { status: Status(status), extension: more.into() };
        prop_assert_eq!(Control::decode(&bytes).unwrap(), Control::Reply(reply));
    }

    #[test]
    fn changed_bytes(
        seed in prop::sample::select(&GOLDEN[..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = seed.to_vec();
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        check(&bytes)?;
    }

    /// Keeps the total honest, so that the mutation reaches the fields behind it.
    #[test]
    fn inserted_and_removed_bytes(
        seed in prop::sample::select(&GOLDEN[..]),
        at in any::<prop::sample::Index>(),
        removed in 0..4_usize,
        inserted in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut bytes = seed.to_vec();
        let at = at.index(bytes.len());
        let end = (at + removed).min(bytes.len());
        bytes.splice(at..end, inserted);
        let total = (bytes.len() as u32).to_be_bytes();
        let position = if bytes.starts_with(&[0xa1, 0x60]) { 2 } else { 4 };
        if let Some(field) = bytes.get_mut(position..position + 4) {
            field.copy_from_slice(&total);
        }
        check(&bytes)?;
    }

    #[test]
    fn noise(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes)?;
    }
}
