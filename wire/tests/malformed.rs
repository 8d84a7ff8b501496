//! Frames that no honest peer sends: each is refused with the reason, at a cost that its own size bounds.

use bytes::Bytes;
use sandgate_wire::limits::{CONTROL_MAX, MESSAGE_MAX, PROPERTIES_MAX};
use sandgate_wire::{Control, Create, DecodeError, EncodeError, Message, Reply, Status};

const CREATE: &[u8] = include_bytes!("golden/create.bin");
const HELLO: &[u8] = include_bytes!("golden/data-hello-world.bin");

fn message(bytes: &[u8]) -> Result<Message, DecodeError> {
    Message::decode(Bytes::copy_from_slice(bytes))
}

/// Replaces the 32 bits at `position`.
fn with(bytes: &[u8], position: usize, value: u32) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[position..position + 4].copy_from_slice(&value.to_be_bytes());
    changed
}

/// A data message from its parts, with an honest total.
fn data(count: u32, properties: &[u8], size: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xa1, 0x60, 0, 0, 0, 0];
    bytes.extend_from_slice(&count.to_be_bytes());
    bytes.extend_from_slice(properties);
    bytes.extend_from_slice(&size.to_be_bytes());
    bytes.extend_from_slice(content);
    let total = bytes.len() as u32;
    with(&bytes, 2, total)
}

/// A control message from its parts, with an honest total.
fn control(version: u8, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xa1, 0x6c, version, kind];
    bytes.extend_from_slice(&(8 + body.len() as u32).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// Lies about a field: one less, one more, nothing, as much as fits.
fn lies(bytes: &[u8], position: usize) -> impl Iterator<Item = Vec<u8>> {
    let honest = u32::from_be_bytes(bytes[position..position + 4].try_into().unwrap());
    let lies = [honest - 1, honest + 1, 0, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
    lies.into_iter().filter(move |lie| *lie != honest).map(move |lie| with(bytes, position, lie))
}

#[test]
fn truncated_anywhere() {
    for length in 0..HELLO.len() {
        assert!(message(&HELLO[..length]).is_err(), "{length}");
        if length >= 6 {
            assert!(message(&with(&HELLO[..length], 2, length as u32)).is_err(), "honest total, {length}");
        }
    }
    for length in 0..CREATE.len() {
        assert!(Control::decode(&CREATE[..length]).is_err(), "{length}");
        if length >= 8 {
            let honest = with(&CREATE[..length], 4, length as u32);
            assert!(Control::decode(&honest).is_err(), "honest total, {length}");
        }
    }
    for kind in 1..=4 {
        let bytes = control(1, kind, &[0]);
        for length in 0..8 {
            assert!(Control::decode(&bytes[..length]).is_err(), "{kind} {length}");
        }
    }
    assert_eq!(Control::decode(&control(1, 2, &[])), Err(DecodeError::Truncated("status")));
}

#[test]
fn every_length_field_of_a_data_message_lies() {
    // Total, property count, content size.
    for position in [2, 6, 63] {
        for bytes in lies(HELLO, position) {
            assert!(message(&bytes).is_err(), "{position} {bytes:x?}");
        }
    }
}

#[test]
fn every_length_field_of_a_create_lies() {
    // Total, size of the address, size of the arguments.
    for position in [4, 10, 46] {
        for bytes in lies(CREATE, position) {
            assert!(Control::decode(&bytes).is_err(), "{position} {bytes:x?}");
        }
    }
}

#[test]
fn a_total_that_disagrees() {
    let expected = |claimed| Err(DecodeError::Total { claimed, actual: HELLO.len() });
    assert_eq!(message(&with(HELLO, 2, 79)), expected(79));
    assert_eq!(message(&with(HELLO, 2, u32::MAX)), expected(u32::MAX));
    let longer = [HELLO, b"!"].concat();
    assert_eq!(message(&longer), Err(DecodeError::Total { claimed: 78, actual: 79 }));
    let longer = [CREATE, b"!"].concat();
    assert_eq!(Control::decode(&longer), Err(DecodeError::Total { claimed: 89, actual: 90 }));
}

#[test]
fn counts_that_lie() {
    assert_eq!(message(&data(u32::MAX, b"", 0, b"")), Err(DecodeError::PropertyCount(u32::MAX)));
    assert_eq!(message(&data(3, b"", 0, b"")), Err(DecodeError::PropertyCount(3)));
    // Too few: the rest of the properties is no content size.
    assert!(message(&data(1, b"a\0b\0c\0d\0", 0, b"")).is_err());
    // Too many: the content size is no property.
    assert!(message(&data(2, b"a\0b\0", 3, b"xyz")).is_err());
}

#[test]
fn trailing_bytes() {
    assert_eq!(message(&data(0, b"", 2, b"xyz")), Err(DecodeError::Trailing(1)));
    assert_eq!(Control::decode(&control(1, 3, b"x")), Err(DecodeError::Trailing(1)));
    assert_eq!(Control::decode(&control(1, 4, b"xy")), Err(DecodeError::Trailing(2)));
    let body = [&CREATE[8..], b"x"].concat();
    assert_eq!(Control::decode(&control(1, 1, &body)), Err(DecodeError::Trailing(1)));
}

#[test]
fn nul_in_the_wrong_place() {
    let create = |uri: &[u8], arguments: &[u8]| {
        let mut body = vec![1, 0x10];
        for text in [uri, arguments] {
            body.extend_from_slice(&(text.len() as u32).to_be_bytes());
            body.extend_from_slice(text);
        }
        Control::decode(&control(1, 1, &body))
    };
    assert!(create(b"ipc://x\0", b"null\0").is_ok());
    let (address, arguments) = ("message channel address", "argument text");
    assert_eq!(create(b"ipc://x", b"null\0"), Err(DecodeError::Nul(address)));
    assert_eq!(create(b"ipc:\0x\0", b"null\0"), Err(DecodeError::Nul(address)));
    assert_eq!(create(b"ipc://x\0\0", b"null\0"), Err(DecodeError::Nul(address)));
    assert_eq!(create(b"", b"null\0"), Err(DecodeError::Nul(address)));
    assert_eq!(create(b"ipc://x\0", b"null"), Err(DecodeError::Nul(arguments)));
    assert_eq!(create(b"ipc://x\0", b""), Err(DecodeError::Nul(arguments)));
    // A data message whose last value has no NUL at all.
    let bytes = with(b"\xa1\x60\0\0\0\0\0\0\0\x01a\0bcdefgh", 2, 19);
    assert_eq!(message(&bytes), Err(DecodeError::Truncated("property value")));
}

#[test]
fn texts_that_are_not_utf8() {
    assert_eq!(message(&data(1, b"\xff\0b\0", 0, b"")), Err(DecodeError::NotUtf8("property key")));
    assert_eq!(message(&data(1, b"a\0\xc3\x28\0", 0, b"")), Err(DecodeError::NotUtf8("property value")));
    let mut create = CREATE.to_vec();
    create[20] = 0xff;
    assert_eq!(Control::decode(&create), Err(DecodeError::NotUtf8("message channel address")));
    let mut create = CREATE.to_vec();
    create[60] = 0xff;
    assert_eq!(Control::decode(&create), Err(DecodeError::NotUtf8("argument text")));
    // Content is bytes.
    assert!(message(&data(0, b"", 2, b"\xff\0")).is_ok());
}

#[test]
fn versions_types_and_magics() {
    assert_eq!(message(CREATE), Err(DecodeError::Magic(0xa16c)));
    assert_eq!(Control::decode(HELLO), Err(DecodeError::Magic(0xa160)));
    assert_eq!(Control::decode(&control(0, 3, b"")), Err(DecodeError::Version(0)));
    assert_eq!(Control::decode(&control(2, 3, b"")), Err(DecodeError::Version(2)));
    assert_eq!(Control::decode(&control(1, 0, b"")), Err(DecodeError::UnknownType(0)));
    assert_eq!(Control::decode(&control(1, 5, b"")), Err(DecodeError::UnknownType(5)));
    let body = |version, channel| [&[version, channel], &CREATE[10..]].concat();
    assert!(Control::decode(&control(1, 1, &body(0, 0x10))).is_ok(), "V1 hosts accept version 0");
    assert_eq!(Control::decode(&control(1, 1, &body(2, 0x10))), Err(DecodeError::CreateVersion(2)));
    assert_eq!(Control::decode(&control(1, 1, &body(1, 0x11))), Err(DecodeError::ChannelType(0x11)));
}

#[test]
fn keys_that_appear_twice() {
    assert_eq!(message(&data(2, b"a\0b\0a\0c\0", 0, b"")), Err(DecodeError::DuplicateKey));
    assert_eq!(message(&data(2, b"\0\0\0\0", 0, b"")), Err(DecodeError::DuplicateKey), "empty keys");
    assert_eq!(Message::new(&[("a", "b"), ("a", "c")], ""), Err(EncodeError::DuplicateKey("a".into())));
    // Few keys are compared in another way than many: 16 is the last few.
    for count in [2, 15, 16, 17, 18, 1_000, PROPERTIES_MAX] {
        let mut keys: Vec<_> = (0..count).map(|number| (number.to_string(), "v")).collect();
        let honest = Message::new(&keys, "").unwrap();
        assert_eq!(honest.properties().count(), count);
        assert!(Message::decode(honest.frame().clone()).is_ok());
        keys[count - 1].0 = "0".into();
        assert_eq!(Message::new(&keys, ""), Err(EncodeError::DuplicateKey("0".into())), "{count}");
        let texts: String = keys.iter().map(|(key, value)| format!("{key}\0{value}\0")).collect();
        let bytes = data(count as u32, texts.as_bytes(), 0, b"");
        assert_eq!(message(&bytes), Err(DecodeError::DuplicateKey), "{count}");
    }
}

#[test]
fn a_message_full_of_properties_is_refused_before_they_are_looked_at() {
    let count = (MESSAGE_MAX - 14) / 2;
    let bytes = data(count as u32, &vec![0; 2 * count], 0, b"");
    assert_eq!(bytes.len(), MESSAGE_MAX);
    assert_eq!(message(&bytes), Err(DecodeError::TooManyProperties(count as u32)));
}

#[test]
fn the_most_properties_and_one_more() {
    let properties: Vec<_> = (0..=PROPERTIES_MAX).map(|number| (number.to_string(), "")).collect();
    assert!(Message::new(&properties[1..], "").is_ok());
    assert_eq!(Message::new(&properties, ""), Err(EncodeError::TooManyProperties(PROPERTIES_MAX + 1)));
    let texts: String = properties.iter().map(|(key, _)| format!("{key}\0\0")).collect();
    let count = PROPERTIES_MAX as u32 + 1;
    let bytes = data(count, texts.as_bytes(), 0, b"");
    assert_eq!(message(&bytes), Err(DecodeError::TooManyProperties(count)));
}

#[test]
fn the_largest_message_and_one_byte_more() {
    let none: [(&str, &str); 0] = [];
    let largest = Message::new(&none, vec![7; MESSAGE_MAX - 14]).unwrap();
    assert_eq!(largest.frame().len(), MESSAGE_MAX);
    assert_eq!(Message::decode(largest.frame().clone()).unwrap(), largest);
    let too_large = EncodeError::TooLarge { actual: MESSAGE_MAX + 1, limit: MESSAGE_MAX };
    assert_eq!(Message::new(&none, vec![7; MESSAGE_MAX - 13]), Err(too_large));
    let bytes = data(0, b"", MESSAGE_MAX as u32 - 13, &vec![7; MESSAGE_MAX - 13]);
    let too_large = DecodeError::TooLarge { actual: MESSAGE_MAX + 1, limit: MESSAGE_MAX };
    assert_eq!(Message::decode(bytes.into()), Err(too_large));
}

#[test]
fn the_largest_control_message_and_one_byte_more() {
    // Header 8, versions 2, sizes 8, NULs 2, address 7.
    let create = |length| {
        let arguments = "a".repeat(length);
        Control::Create(Create { uri: "ipc://x".into(), arguments })
    };
    let largest = create(CONTROL_MAX - 27);
    let bytes = largest.encode().unwrap();
    assert_eq!(bytes.len(), CONTROL_MAX);
    assert_eq!(Control::decode(&bytes).unwrap(), largest);
    let too_large = EncodeError::TooLarge { actual: CONTROL_MAX + 1, limit: CONTROL_MAX };
    assert_eq!(create(CONTROL_MAX - 26).encode(), Err(too_large));
    let bytes = control(1, 2, &vec![0; CONTROL_MAX - 7]);
    let too_large = DecodeError::TooLarge { actual: CONTROL_MAX + 1, limit: CONTROL_MAX };
    assert_eq!(Control::decode(&bytes), Err(too_large));
    let extension = Bytes::from(vec![0; CONTROL_MAX - 9]);
    let reply = Control::Reply(Reply { status: Status(0), extension });
    assert_eq!(Control::decode(&control(1, 2, &vec![0; CONTROL_MAX - 8])), Ok(reply));
}

#[test]
fn the_smallest_messages() {
    let smallest = message(&data(0, b"", 0, b"")).unwrap();
    assert_eq!(smallest.frame().len(), 14);
    assert_eq!(smallest.properties().count(), 0);
    assert!(smallest.content().is_empty());
    let empty = Message::new(&[("", "")], "").unwrap();
    assert_eq!(empty.property(""), Some(""));
}

#[test]
fn nul_cannot_be_encoded() {
    assert_eq!(Message::new(&[("a\0", "b")], ""), Err(EncodeError::Nul("property key")));
    assert_eq!(Message::new(&[("a", "\0b")], ""), Err(EncodeError::Nul("property value")));
    let create = |uri: &str, arguments: &str| {
        Control::Create(Create { uri: uri.into(), arguments: arguments.into() }).encode()
    };
    assert_eq!(create("a\0", "b"), Err(EncodeError::Nul("message channel address")));
    assert_eq!(create("a", "b\0"), Err(EncodeError::Nul("argument text")));
}

#[test]
fn the_first_of_several_messages_ends_where_it_says_and_within_what_there_is() {
    let two = [HELLO, HELLO].concat();
    assert_eq!(Message::split_first(&two).unwrap(), HELLO);
    assert_eq!(Message::split_first(HELLO).unwrap(), HELLO);
    let size = HELLO.len() as u32;
    for (claimed, refusal) in [
        (0, DecodeError::Total { claimed: 0, actual: two.len() }),
        (9, DecodeError::Total { claimed: 9, actual: two.len() }),
        (2 * size + 1, DecodeError::Truncated("message")),
        (MESSAGE_MAX as u32, DecodeError::Truncated("message")),
        (MESSAGE_MAX as u32 + 1, DecodeError::TooLarge { actual: MESSAGE_MAX + 1, limit: MESSAGE_MAX }),
        (u32::MAX, DecodeError::TooLarge { actual: u32::MAX as usize, limit: MESSAGE_MAX }),
    ] {
        assert_eq!(Message::split_first(&with(&two, 2, claimed)), Err(refusal));
    }
    for length in 0..6 {
        assert!(matches!(Message::split_first(&HELLO[..length]), Err(DecodeError::Truncated(_))));
    }
    assert_eq!(Message::split_first(CREATE), Err(DecodeError::Magic(0xa16c)));
    // What it leaves to the decoder: a size that takes in the next one.
    let both = with(&two, 2, 2 * size);
    assert_eq!(message(Message::split_first(&both).unwrap()), Err(DecodeError::Trailing(HELLO.len())));
}
