//! The link's bytes: the examples of `docs/host-link.md`, each made and read.

use std::collections::BTreeMap;

use bytes::Bytes;
use sandgate_wire::Message;
use sandgate_wire::link::frame::Slot;
use sandgate_wire::link::{
    Features, Frame, Greeting, Instance, Offer, Parcel, ParcelKind, SegmentFrame, Signal, State, Versions,
    Window,
};
use sandgate_wire::segments::{SegmentError, Token};

const DOCUMENT: &str = include_str!("../../docs/host-link.md");
const INSTANCE: Instance = Instance([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

/// The examples' bytes by name.
fn examples() -> BTreeMap<&'static str, Vec<u8>> {
    let (_, examples) = DOCUMENT.split_once("## Examples").unwrap();
    let lines = examples.split("```").nth(1).unwrap().lines().skip(1);
    let example = |line: &'static str| {
        let (name, hex) = line.split_once(' ').unwrap();
        let hex: String = hex.split(' ').collect();
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (name, (0..hex.len()).step_by(2).map(byte).collect())
    };
    lines.filter(|line| !line.is_empty()).map(example).collect()
}

const TOKEN: Token = Token(INSTANCE.0);

fn segment(frame: SegmentFrame) -> Frame {
    Frame::Segment { module: 7, epoch: 2, frame }
}

#[test]
fn frames() {
    let (module, epoch) = (7, 2);
    let window = Window { messages: 256, bytes: 32 << 20 };
    let message = Message::new::<&str, &str>(&[], "").unwrap();
    let versions = Versions { oldest: 1, newest: 1 };
    let hello = Greeting { versions, features: Features(0), instance: INSTANCE };
    let parcel = Parcel {
        kind: ParcelKind::Message,
        attempt: 1,
        redelivery_max: 3,
        about: 0,
        source: "temp".into(),
        body: message.frame().clone(),
    };
    let verdict = Parcel {
        kind: ParcelKind::Verdict,
        attempt: 0,
        redelivery_max: 0,
        about: 9,
        source: "".into(),
        body: "{}".into(),
    };
    let state = State::Quarantined;
    let control = Signal::Control { epoch, name: "temp".into(), frame: Bytes::from_static(&[1, 2, 3]) };
    let frames = [
        ("hello", Frame::Hello(hello)),
        ("open", Frame::Signal(Signal::Open { module, epoch, window, received: 5 })),
        ("opened", Frame::Signal(Signal::Opened { module, epoch, window, received: 3 })),
        ("refused", Frame::Signal(Signal::Refused { module, epoch, reason: "no".into() })),
        ("start", Frame::Signal(Signal::Start { module, epoch })),
        ("parcel", Frame::Parcel { module, epoch, sequence: 9, parcel }),
        ("verdict", Frame::Parcel { module, epoch, sequence: 10, parcel: verdict }),
        ("settle", Frame::Settle { module, epoch, sequence: 9 }),
        ("ping", Frame::Ping { sequence: 1 }),
        ("pong", Frame::Pong { sequence: 1 }),
        ("state", Frame::Signal(Signal::State { module, epoch, state, detail: "trap".into() })),
        ("statistics", Frame::Signal(Signal::Statistics { module, epoch, json: "{}".into() })),
        ("revive", Frame::Signal(Signal::Revive { module, epoch })),
        ("close", Frame::Signal(Signal::Close { module, epoch })),
        ("bye", Frame::Signal(Signal::Bye { reason: "done".into() })),
        ("control", Frame::Signal(control)),
        ("create", segment(SegmentFrame::Create { request: 1, size: 2 << 20, pool: "frames".into() })),
        ("openbytoken", segment(SegmentFrame::Open { request: 2, token: TOKEN })),
        ("closehold", segment(SegmentFrame::Close { request: 1 })),
        ("held", segment(SegmentFrame::Held { requests: vec![1, 2] })),
        ("granted", segment(SegmentFrame::Granted { request: 1, token: TOKEN, size: 2 << 20 })),
        ("denied", segment(SegmentFrame::Refused { request: 2, reason: SegmentError::TooMany(16) })),
        ("rings", Frame::Rings { used: true }),
        ("slot", Frame::Slot { module, epoch, slot: Slot { number: 3, life: 1 } }),
    ];
    let examples = examples();
    assert_eq!(examples.len(), frames.len() + 1, "the offer and each frame");
    for (name, frame) in frames {
        let bytes = &examples[name];
        assert_eq!(&frame.encode().unwrap()[..], bytes, "{name}");
        assert_eq!(Frame::parse(bytes), Ok(Some((frame, bytes.len()))), "{name}");
    }
}

#[test]
fn an_offer() {
    let offer = Offer {
        versions: Versions { oldest: 1, newest: 1 },
        features: Features(0),
        host: INSTANCE,
        module: 7,
        address: Some("/run/s".into()),
    };
    let bytes = &examples()["offer"];
    assert_eq!(&offer.encode().unwrap()[..], bytes);
    assert_eq!(Offer::decode(bytes), Ok(Some(offer)));
}
