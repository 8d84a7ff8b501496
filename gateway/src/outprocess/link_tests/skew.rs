//! Hosts of other versions than this gateway's: older ones, newer ones, and those that know more.

use sandgate_wire::Message;
use sandgate_wire::link::Agreed;

use super::*;

fn success(extension: bytes::Bytes) -> bytes::Bytes {
    Control::Reply(Reply { status: Status::SUCCESS, extension }).encode().unwrap()
}

#[tokio::test]
async fn a_host_that_speaks_no_common_version_is_served_by_v1s_channels() {
    for (oldest, newest) in [(0, 0), (2, 3), (u16::MAX, u16::MAX), (3, 1)] {
        for address in [None, Some("/nowhere/link".to_owned())] {
            let mut bench = bench(OPTIONS);
            let message = within("an attach", bench.hosts.recv()).await.unwrap();
            let channels = Host { message, control: bench.hosts.recv().await.unwrap() };
            within("Create", channels.create()).await;
            let (versions, features) = (Versions { oldest, newest }, Features(u64::MAX));
            let host = Instance::random();
            let extension = Offer { versions, features, host, module: MODULE, address }.encode().unwrap();
            channels.control.try_send(success(extension)).unwrap();
            // A Create may have been repeated before the answer came.
            while let Control::Create(_) = within("Start", channels.control()).await {}
            bench.publish(5..6).await;
            let frame = within("a message", channels.message.recv()).await.unwrap();
            assert_eq!(number(&Message::decode(frame).unwrap()), 5);
            channels.message.send(super::message(6).frame().clone()).await.unwrap();
            let delivery = within("a message", bench.sink.recv()).await.unwrap();
            assert_eq!(number(&delivery.message), 6);
            assert_eq!(bench.status.state(), State::Running);
        }
    }
}

#[tokio::test]
async fn a_launched_host_that_greets_with_other_versions_makes_no_link() {
    for (oldest, newest) in [(0, 0), (2, 3)] {
        let links = Links::default();
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let mut stream = UnixStream::from_std(theirs).unwrap();
        let hello = Greeting { versions: Versions { oldest, newest }, ..Greeting::ours(Instance::random()) };
        let (adopted, agreed) = tokio::join!(links.adopt(ours, BEATS), greet(&mut stream, &hello));
        assert!(adopted.is_none());
        assert!(matches!(agreed, Err(LinkError::Versions { .. })), "{agreed:?}");
    }
}

/// What a newer host adds is not understood, and does no harm.
#[tokio::test]
async fn a_host_that_knows_more_is_served_as_one_that_does_not() {
    let mut bench = bench(OPTIONS);
    let message = within("an attach", bench.hosts.recv()).await.unwrap();
    let channels = Host { message, control: bench.hosts.recv().await.unwrap() };
    let (ours, theirs) = StdUnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let (mut stream, instance) = (UnixStream::from_std(theirs).unwrap(), Instance::random());
    let versions = Versions { oldest: 1, newest: 9 };
    // Rings would have to be shared, which this peer does not.
    let hello = Greeting { versions, features: Features(!Features::RINGS.0), instance };
    let (adopted, agreed) = tokio::join!(bench.links.adopt(ours, BEATS), greet(&mut stream, &hello));
    let agreed = agreed.unwrap();
    assert_eq!((agreed.version, agreed.features), (1, Features::OURS));
    let _adopted = adopted.unwrap();
    within("Create", channels.create()).await;
    let offer =
        Offer { versions, features: Features(u64::MAX), host: instance, module: MODULE, address: None };
    let extension = [&offer.encode().unwrap()[..], b"and more"].concat();
    channels.control.try_send(success(extension.into())).unwrap();

    // Frames of kinds that nobody knows yet, with flags.
    for (kind, length) in [(0_u8, 0_usize), (90, 5), (99, 70_000), (255, 1)] {
        let mut header = [0; 24];
        header[..4].copy_from_slice(&(length as u32).to_be_bytes());
        (header[4], header[5]) = (kind, 0xff);
        stream.write_all(&header).await.unwrap();
        stream.write_all(&vec![7; length]).await.unwrap();
    }
    let (lanes, (sender, mut signals)) = (Lanes::new(), mpsc::channel(64));
    let carried = lanes.clone();
    let carrying = tokio::spawn(async move {
        let agreed = Agreed { version: 1, features: Features::OURS, peer: instance };
        carry(stream, &agreed, Side::Host, &carried, &sender, BEATS).await
    });
    let Some(Signal::Open { epoch, .. }) = within("Open", signals.recv()).await else { panic!("no Open") };
    let lane = Lane::new(MODULE, epoch, WINDOW);
    lanes.add(&lane);
    assert_eq!(within("Start", signals.recv()).await, Some(Signal::Start { module: MODULE, epoch }));
    let host = LinkHost { lane, lanes, signals, carrying, channels, _adopted };
    host.say(HostState::Restarting);
    until("a state", || bench.status.state() == State::Restarting).await;
    for code in [4, 77, 255] {
        host.say(HostState::Other(code));
    }
    // Of its figures the numbers are shown, and the link's own beside them.
    let (module, epoch) = (MODULE, host.lane.epoch());
    let json = r#"{"received": 5, "recycled": 2, "mood": "fine", "more": {"deep": 1}}"#.to_owned();
    host.lanes.signal(Signal::Statistics { module, epoch, json }).unwrap();
    until("the host's figures", || {
        bench.status.to_json()["host"] == serde_json::json!({"received": 5, "recycled": 2})
    })
    .await;
    until("the link's figures", || bench.status.to_json()["link"]["unknown"] == 4).await;
    host.send(Parcel { kind: ParcelKind::Other(200), ..Parcel::message("what?".into()) });
    host.send(Parcel::message(super::message(1).frame().clone()));
    assert_eq!(number(&within("a message", bench.sink.recv()).await.unwrap().message), 1);
    bench.publish(3..4).await;
    host.handle(3..4, 1).await;
    assert_eq!(bench.status.state(), State::Restarting, "other states say nothing");
    assert!(!host.carrying.is_finished());
}
