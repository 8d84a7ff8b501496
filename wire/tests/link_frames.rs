//! Whatever a link's codecs encode they decode to the same, and whatever no honest peer sends is refused.

use bytes::{BufMut, BytesMut};
use proptest::prelude::*;
use sandgate_wire::DecodeError;
use sandgate_wire::EncodeError;
use sandgate_wire::limits::{MESSAGE_MAX, SOCKET_PATH_MAX};
use sandgate_wire::link::frame::{HEADER_SIZE, Header, Kind, Slot};
use sandgate_wire::link::{
    Features, Frame, Greeting, Instance, Offer, PAYLOAD_MAX, Parcel, ParcelKind, STATISTICS_MAX,
    SegmentFrame, Signal, State, TEXT_MAX, Versions, Window,
};
use sandgate_wire::segments::{SegmentError, Token};

fn text() -> impl Strategy<Value = String> {
    ".{0,40}"
}

fn versions() -> impl Strategy<Value = Versions> {
    any::<(u16, u16)>().prop_map(|(oldest, newest)| Versions { oldest, newest })
}

fn greeting() -> impl Strategy<Value = Greeting> {
    (versions(), any::<u64>(), any::<[u8; 16]>()).prop_map(|(versions, features, instance)| Greeting {
        versions,
        features: Features(features),
        instance: Instance(instance),
    })
}

fn kind() -> impl Strategy<Value = ParcelKind> {
    prop_oneof![
        Just(ParcelKind::Message),
        Just(ParcelKind::Verdict),
        Just(ParcelKind::DeadLetter),
        (3..=u8::MAX).prop_map(ParcelKind::Other),
    ]
}

fn parcel() -> impl Strategy<Value = Parcel> {
    let body = prop::collection::vec(any::<u8>(), 0..200);
    (kind(), any::<u32>(), any::<u8>(), any::<u64>(), text(), body).prop_map(
        |(kind, attempt, redelivery_max, about, source, body)| Parcel {
            kind,
            attempt,
            redelivery_max,
            about,
            source: source.into(),
            body: body.into(),
        },
    )
}

fn state() -> impl Strategy<Value = State> {
    prop::sample::select(
        &[State::Running, State::Restarting, State::Quarantined, State::Ended, State::Other(77)][..],
    )
}

fn signal() -> impl Strategy<Value = Signal> {
    let window = any::<(u32, u64)>().prop_map(|(messages, bytes)| Window { messages, bytes });
    let lane = any::<(u32, u32)>();
    prop_oneof![
        (lane, window.clone(), any::<u64>()).prop_map(|((module, epoch), window, received)| Signal::Open {
            module,
            epoch,
            window,
            received
        }),
        (lane, window, any::<u64>()).prop_map(|((module, epoch), window, received)| Signal::Opened {
            module,
            epoch,
            window,
            received
        }),
        (lane, text()).prop_map(|((module, epoch), reason)| Signal::Refused { module, epoch, reason }),
        lane.prop_map(|(module, epoch)| Signal::Start { module, epoch }),
        lane.prop_map(|(module, epoch)| Signal::Close { module, epoch }),
        (lane, state(), text()).prop_map(|((module, epoch), state, detail)| Signal::State {
            module,
            epoch,
            state,
            detail
        }),
        (lane, text()).prop_map(|((module, epoch), json)| Signal::Statistics { module, epoch, json }),
        lane.prop_map(|(module, epoch)| Signal::Revive { module, epoch }),
        text().prop_map(|reason| Signal::Bye { reason }),
    ]
}

fn segment() -> impl Strategy<Value = SegmentFrame> {
    let token = || any::<[u8; 16]>().prop_map(Token);
    let reason = prop_oneof![
        Just(SegmentError::Unavailable),
        Just(SegmentError::NotGranted),
        Just(SegmentError::Empty),
        any::<u64>().prop_map(SegmentError::TooLarge),
        any::<u64>().prop_map(SegmentError::TooMany),
        any::<u64>().prop_map(SegmentError::TooMuch),
        Just(SegmentError::NoSuch),
        Just(SegmentError::Foreign),
        any::<u64>().prop_map(SegmentError::OutOfRange),
        Just(SegmentError::OutOfMemory),
    ];
    prop_oneof![
        (any::<(u64, u64)>(), text()).prop_map(|((request, size), pool)| SegmentFrame::Create {
            request,
            size,
            pool
        }),
        (any::<u64>(), token()).prop_map(|(request, token)| SegmentFrame::Open { request, token }),
        any::<u64>().prop_map(|request| SegmentFrame::Close { request }),
        prop::collection::vec(any::<u64>(), 0..20).prop_map(|requests| SegmentFrame::Held { requests }),
        (any::<(u64, u64)>(), token()).prop_map(|((request, size), token)| SegmentFrame::Granted {
            request,
            token,
            size
        }),
        (any::<u64>(), reason).prop_map(|(request, reason)| SegmentFrame::Refused { request, reason }),
    ]
}

fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        (any::<(u32, u32)>(), segment()).prop_map(|((module, epoch), frame)| Frame::Segment {
            module,
            epoch,
            frame
        }),
        greeting().prop_map(Frame::Hello),
        (any::<(u32, u32, u64)>(), parcel()).prop_map(|((module, epoch, sequence), parcel)| Frame::Parcel {
            module,
            epoch,
            sequence,
            parcel
        }),
        any::<(u32, u32, u64)>().prop_map(|(module, epoch, sequence)| Frame::Settle {
            module,
            epoch,
            sequence
        }),
        any::<u64>().prop_map(|sequence| Frame::Ping { sequence }),
        any::<u64>().prop_map(|sequence| Frame::Pong { sequence }),
        signal().prop_map(Frame::Signal),
        any::<bool>().prop_map(|used| Frame::Rings { used }),
        any::<[u32; 4]>().prop_map(|[module, epoch, number, life]| Frame::Slot {
            module,
            epoch,
            slot: Slot { number, life }
        }),
        prop_oneof![Just(0), 24..=u8::MAX].prop_map(|kind| Frame::Unknown { kind }),
    ]
}

fn offer() -> impl Strategy<Value = Offer> {
    let address = prop::option::of("/[a-z/]{0,80}");
    (greeting(), any::<u32>(), address).prop_map(|(greeting, module, address)| Offer {
        versions: greeting.versions,
        features: greeting.features,
        host: greeting.instance,
        module,
        address,
    })
}

/// A frame of this kind and payload, with an honest length.
fn with_payload(kind: u8, payload: &[u8]) -> Vec<u8> {
    let header = Header { length: payload.len() as u32, kind, ..Header::default() };
    [&header.encode()[..], payload].concat()
}

/// What is accepted survives encoding.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(Some((frame, length))) = Frame::parse(bytes) {
        prop_assert!(length <= bytes.len());
        let again = frame.encode().unwrap();
        let (reparsed, _) = Frame::parse(&again).unwrap().unwrap();
        prop_assert_eq!(reparsed, frame);
    }
    if let Ok(Some(offer)) = Offer::decode(bytes) {
        prop_assert_eq!(Offer::decode(&offer.encode().unwrap()), Ok(Some(offer)));
    }
    Ok(())
}

proptest! {
    #[test]
    fn frames(frame in frame(), flags: u8, reserved: u16, behind in prop::collection::vec(any::<u8>(), 0..8)) {
        let mut bytes = frame.encode().unwrap().to_vec();
        let length = bytes.len();
        // Neither flags and reserved bits nor what follows change anything.
        bytes[5] = flags;
        bytes[6..8].copy_from_slice(&reserved.to_be_bytes());
        bytes.extend_from_slice(&behind);
        prop_assert_eq!(Frame::parse(&bytes), Ok(Some((frame, length))));
    }

    #[test]
    fn a_frame_is_read_when_it_is_whole(frame in frame()) {
        let bytes = frame.encode().unwrap();
        for length in 0..bytes.len() {
            prop_assert_eq!(Frame::parse(&bytes[..length]), Ok(None));
        }
    }

    #[test]
    fn a_payload_that_is_cut_off_is_malformed(frame in frame(), cut in any::<prop::sample::Index>()) {
        // Texts and bodies go up to the end, so nothing is missing where they are cut.
        let fixed = match &frame {
            Frame::Hello(_) => 32,
            Frame::Parcel { parcel, .. } => 16 + parcel.source.len(),
            Frame::Signal(Signal::Open { .. } | Signal::Opened { .. }) => 12,
            Frame::Signal(Signal::State { .. }) => 1,
            Frame::Segment { frame: SegmentFrame::Create { .. }, .. } => 8,
            Frame::Segment { frame: SegmentFrame::Open { .. }, .. } => 16,
            Frame::Segment { frame: SegmentFrame::Granted { .. }, .. } => 24,
            Frame::Segment { frame: SegmentFrame::Refused { .. }, .. } => 9,
            _ => return Ok(()),
        };
        let mut bytes = frame.encode().unwrap().to_vec();
        let length = cut.index(fixed);
        bytes.truncate(HEADER_SIZE + length);
        bytes[..4].copy_from_slice(&(length as u32).to_be_bytes());
        prop_assert!(matches!(Frame::parse(&bytes), Err(DecodeError::Truncated(_))));
    }

    #[test]
    fn offers(offer in offer(), behind in prop::collection::vec(any::<u8>(), 0..40)) {
        let bytes = offer.encode().unwrap();
        prop_assert_eq!(Offer::decode(&bytes), Ok(Some(offer.clone())));
        // A newer version may put more behind it.
        prop_assert_eq!(Offer::decode(&[&bytes[..], &behind].concat()), Ok(Some(offer)));
        for length in 0..bytes.len() {
            match Offer::decode(&bytes[..length]) {
                Ok(found) => prop_assert!(length < 4 && found.is_none()),
                Err(error) => prop_assert!(matches!(error, DecodeError::Truncated(_))),
            }
        }
    }

    #[test]
    fn what_has_no_magic_is_no_offer(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assume!(!bytes.starts_with(b"SGLK"));
        prop_assert_eq!(Offer::decode(&bytes), Ok(None));
    }

    #[test]
    fn changed_bytes(
        frame in frame(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = frame.encode().unwrap().to_vec();
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        check(&bytes)?;
    }

    #[test]
    fn noise(kind in 0..24_u8, payload in prop::collection::vec(any::<u8>(), 0..100)) {
        check(&with_payload(kind, &payload))?;
        check(&payload)?;
        check(&[b"SGLK", &payload[..]].concat())?;
    }
}

#[test]
fn a_length_over_the_limit_is_refused_with_the_header() {
    for (kind, limit) in [
        (Kind::Parcel as u8, PAYLOAD_MAX),
        (200, PAYLOAD_MAX),
        (Kind::Statistics as u8, STATISTICS_MAX),
        (Kind::State as u8, TEXT_MAX + 1),
        (Kind::Bye as u8, TEXT_MAX + 1),
        (Kind::Hello as u8, 1024),
        (Kind::Settle as u8, 1024),
    ] {
        let header = |length| Header { length, kind, ..Header::default() }.encode();
        assert_eq!(Frame::parse(&header(limit as u32)), Ok(None), "{kind}");
        for actual in [limit + 1, u32::MAX as usize] {
            let error = DecodeError::TooLarge { actual, limit };
            assert_eq!(Frame::parse(&header(actual as u32)), Err(error), "{kind}");
        }
    }
}

#[test]
fn texts_and_states_are_checked() {
    for kind in [Kind::Refused, Kind::Statistics, Kind::Bye] {
        let error = Frame::parse(&with_payload(kind as u8, b"\xff")).unwrap_err();
        assert!(matches!(error, DecodeError::NotUtf8(_)), "{error}");
    }
    // A state that a newer host knows is no fault.
    for code in [4, 255] {
        let (frame, _) = Frame::parse(&with_payload(Kind::State as u8, &[code])).unwrap().unwrap();
        let (state, detail) = (State::Other(code), String::new());
        assert_eq!(frame, Frame::Signal(Signal::State { module: 0, epoch: 0, state, detail }));
    }
    let mut parcel = vec![0; 15];
    parcel.extend_from_slice(&[1, 0xff]);
    let error = Frame::parse(&with_payload(Kind::Parcel as u8, &parcel)).unwrap_err();
    assert_eq!(error, DecodeError::NotUtf8("source"));
    let error = Frame::parse(&with_payload(Kind::Hello as u8, &[0; 32])).unwrap_err();
    assert_eq!(error, DecodeError::Magic(0));
}

#[test]
fn fields_behind_the_known_ones_are_ignored() {
    let window = Window { messages: 1, bytes: 2 };
    let known = Frame::Signal(Signal::Open { module: 3, epoch: 4, window, received: 5 });
    let mut bytes = known.encode().unwrap().to_vec();
    bytes.extend_from_slice(b"more");
    bytes[3] += 4;
    assert_eq!(Frame::parse(&bytes), Ok(Some((known, bytes.len()))));
}

#[test]
fn long_texts_are_cut_between_characters() {
    let reason = "ä".repeat(TEXT_MAX);
    let bytes = Frame::Signal(Signal::Bye { reason: format!("x{reason}") }).encode().unwrap();
    let Ok(Some((Frame::Signal(Signal::Bye { reason: arrived }), _))) = Frame::parse(&bytes) else {
        panic!("a Bye was expected")
    };
    assert_eq!(arrived.len(), TEXT_MAX - 1);
    assert!(format!("x{reason}").starts_with(&arrived));
}

#[test]
fn the_largest_parcel() {
    let parcel = |body: usize, source: usize| Parcel {
        kind: ParcelKind::Message,
        attempt: 1,
        redelivery_max: 3,
        about: 0,
        source: "s".repeat(source).into(),
        body: vec![0; body].into(),
    };
    let largest = parcel(MESSAGE_MAX, (64 << 10) - 16);
    assert_eq!(largest.size(), Ok(PAYLOAD_MAX as u32));
    let (module, epoch, sequence) = (1, 1, 1);
    let frame = Frame::Parcel { module, epoch, sequence, parcel: largest };
    let bytes = frame.encode().unwrap();
    assert_eq!(Frame::parse(&bytes).unwrap().unwrap().0, frame);
    let too_large = EncodeError::TooLarge { actual: PAYLOAD_MAX + 1, limit: PAYLOAD_MAX };
    assert_eq!(parcel(MESSAGE_MAX, (64 << 10) - 15).size(), Err(too_large));
    assert!(parcel(0, 65_535).size().is_ok() && parcel(0, 65_536).size().is_err());
}

#[test]
fn an_address_over_a_sockets_path_is_refused() {
    let offer = |length| Offer {
        versions: Versions::OURS,
        features: Features::OURS,
        host: Instance([9; 16]),
        module: 7,
        address: Some("a".repeat(length)),
    };
    let longest = offer(SOCKET_PATH_MAX);
    assert_eq!(Offer::decode(&longest.encode().unwrap()), Ok(Some(longest.clone())));
    let too_large = EncodeError::TooLarge { actual: SOCKET_PATH_MAX + 1, limit: SOCKET_PATH_MAX };
    assert_eq!(offer(SOCKET_PATH_MAX + 1).encode(), Err(too_large));

    let mut bytes = BytesMut::from(&longest.encode().unwrap()[..36]);
    bytes.put_u16(SOCKET_PATH_MAX as u16 + 1);
    bytes.put_slice(&[b'a'; 200]);
    let too_large = DecodeError::TooLarge { actual: SOCKET_PATH_MAX + 1, limit: SOCKET_PATH_MAX };
    assert_eq!(Offer::decode(&bytes), Err(too_large));
}
