//! The codecs against bytes recorded from real V1 peers.

use bytes::Bytes;
use sandgate_wire::{Control, Create, Message, Status};

const CREATE: &[u8] = include_bytes!("golden/create.bin");
const FRAME: &[u8] = include_bytes!("golden/ipc-frame-create.bin");

fn both_ways(bytes: &[u8], value: &Control) {
    assert_eq!(&Control::decode(bytes).unwrap(), value);
    assert_eq!(&value.encode().unwrap()[..], bytes);
}

#[test]
fn create() {
    let create = Create {
        uri: "ipc:///tmp/proxy_sample.message".into(),
        arguments: r#""THIS IS THE OOP MODULE CONFIGURATION""#.into(),
    };
    both_ways(CREATE, &Control::Create(create));
}

#[test]
fn replies() {
    both_ways(include_bytes!("golden/reply-success.bin"), &Control::Reply(Status::SUCCESS.into()));
    both_ways(
        include_bytes!("golden/reply-creation-error.bin"),
        &Control::Reply(Status::CREATION_ERROR.into()),
    );
    both_ways(include_bytes!("golden/reply-detach.bin"), &Control::Reply(Status::DETACH.into()));
}

#[test]
fn start_and_destroy() {
    both_ways(include_bytes!("golden/start.bin"), &Control::Start);
    both_ways(include_bytes!("golden/destroy.bin"), &Control::Destroy);
}

#[test]
fn data_hello_world() {
    let bytes: &[u8] = include_bytes!("golden/data-hello-world.bin");
    let properties = [("helloWorld", "from Azure IoT Gateway SDK simple sample!")];
    let message = Message::decode(Bytes::from_static(bytes)).unwrap();
    assert_eq!(message.properties().collect::<Vec<_>>(), properties);
    assert_eq!(message.property("helloWorld"), Some(properties[0].1));
    assert_eq!(message.content(), b"hello world");
    assert_eq!(Message::new(&properties, "hello world").unwrap(), message);
    assert_eq!(&message.frame()[..], bytes);
}

#[test]
fn data_with_binary_content() {
    let bytes: &[u8] = include_bytes!("golden/data-2.bin");
    let message = Message::decode(Bytes::from_static(bytes)).unwrap();
    assert_eq!(message.properties().collect::<Vec<_>>(), [("k", "v")]);
    assert_eq!(message.content().len(), 32);
    let again = Message::new(&[("k", "v")], message.content()).unwrap();
    assert_eq!(&again.frame()[..], bytes);
}

#[test]
fn the_recorded_frame_holds_the_recorded_create() {
    let (header, payload) = FRAME.split_at(9);
    assert_eq!(header[0], 1);
    assert_eq!(header[1..], (CREATE.len() as u64).to_be_bytes());
    assert_eq!(payload, CREATE);
}
