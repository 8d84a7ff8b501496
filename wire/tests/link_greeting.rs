//! Hello: versions and features that differ, and peers that say something else.

mod support;

use sandgate_wire::link::{
    Agreed, Features, Frame, Greeting, Instance, LinkError, Signal, Versions, Violation, greet,
};
use support::link::{GATEWAY, HOST, RawEnd};
use support::within;

fn greeting(oldest: u16, newest: u16, features: u64, instance: Instance) -> Greeting {
    Greeting { versions: Versions { oldest, newest }, features: Features(features), instance }
}

/// What comes of a greeting when the peer sends these bytes, and what the peer gets to see behind our Hello.
async fn greeted_with(bytes: &[u8]) -> (Result<Agreed, LinkError>, Option<Frame>) {
    let (mut peer, mut stream) = RawEnd::pair();
    peer.write(bytes).await;
    let agreed = within("a greeting", greet(&mut stream, &greeting(1, 1, 0b0110, GATEWAY))).await;
    drop(stream);
    assert_eq!(peer.next().await, Some(Frame::Hello(greeting(1, 1, 0b0110, GATEWAY))));
    (agreed, peer.next().await)
}

async fn greeted(frame: Frame) -> (Result<Agreed, LinkError>, Option<Frame>) {
    greeted_with(&frame.encode().unwrap()).await
}

#[tokio::test]
async fn a_newer_peer_that_knows_our_version_is_served() {
    let (agreed, said) = greeted(Frame::Hello(greeting(1, 5, u64::MAX, HOST))).await;
    assert_eq!(agreed.unwrap(), Agreed { version: 1, features: Features(0b0110), peer: HOST });
    assert_eq!(said, None);
}

#[tokio::test]
async fn a_peer_without_a_common_version_is_told_why() {
    let (agreed, said) = greeted(Frame::Hello(greeting(2, 3, 0, HOST))).await;
    assert!(matches!(agreed, Err(LinkError::Versions { theirs: Versions { oldest: 2, newest: 3 }, .. })));
    let reason = "the peer speaks versions 2 to 3 of the link, this process 1 to 1".to_owned();
    assert_eq!(said, Some(Frame::Signal(Signal::Bye { reason })));
}

#[tokio::test]
async fn fields_of_a_newer_hello_are_skipped() {
    let hello = greeting(1, 2, 0, HOST);
    let mut bytes = Frame::Hello(hello).encode().unwrap().to_vec();
    bytes.extend_from_slice(&[7; 100]);
    bytes[3] += 100;
    let (agreed, _) = greeted_with(&bytes).await;
    assert_eq!(agreed.unwrap().peer, HOST);
}

#[tokio::test]
async fn a_bye_instead_of_hello_is_heard() {
    let (agreed, said) = greeted(Frame::Signal(Signal::Bye { reason: "not you".into() })).await;
    assert!(matches!(agreed, Err(LinkError::Left(reason)) if reason == "not you"));
    assert_eq!(said, None);
}

#[tokio::test]
async fn whoever_begins_otherwise_is_turned_away() {
    let ping = Frame::Ping { sequence: 1 }.encode().unwrap();
    let mut no_magic = Frame::Hello(greeting(1, 1, 0, HOST)).encode().unwrap().to_vec();
    no_magic[24] = 0;
    let strangers: [&[u8]; 4] = [&ping, &no_magic, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", &[0xff; 64]];
    for bytes in strangers {
        let (agreed, said) = greeted_with(bytes).await;
        assert!(matches!(agreed, Err(LinkError::Violation(_))), "{agreed:?}");
        assert!(matches!(said, Some(Frame::Signal(Signal::Bye { .. }))), "{said:?}");
    }
    let (agreed, _) = greeted(Frame::Ping { sequence: 1 }).await;
    assert!(matches!(agreed, Err(LinkError::Violation(Violation::OutOfPlace(8)))));
}

#[tokio::test]
async fn a_peer_that_goes_is_noticed() {
    let (peer, mut stream) = RawEnd::pair();
    drop(peer);
    let agreed = within("an end", greet(&mut stream, &greeting(1, 1, 0, GATEWAY))).await;
    assert!(matches!(agreed, Err(LinkError::Closed)), "{agreed:?}");

    let (mut peer, mut stream) = RawEnd::pair();
    peer.write(&Frame::Hello(greeting(1, 1, 0, HOST)).encode().unwrap()[..30]).await;
    drop(peer);
    let agreed = within("an end", greet(&mut stream, &greeting(1, 1, 0, GATEWAY))).await;
    assert!(matches!(agreed, Err(LinkError::Closed)), "{agreed:?}");
}
