//! The host link's way through a proxy, with a host that the test plays over a socket pair.

mod last_words;
mod reconnect;
mod skew;

use std::os::unix::net::{UnixListener, UnixStream as StdUnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use sandgate_wire::link::{
    Arrival, Beats, Features, Frame, Greeting, Instance, Lane, Lanes, LinkError, Offer, Parcel, ParcelKind,
    Side, Signal, State as HostState, Versions, Window, carry, greet,
};
use sandgate_wire::{Channel, Control, Reply, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::links::HostLink;
use super::tests::{Host, Memory, config, message, number};
use super::*;
use crate::broker::{Broker, Counters, Inbox, Link, Publisher, Source, Terms};
use crate::dead_letters::DeadLetters;
use crate::module::{Context, Module};
use crate::status::{ModuleStatus, State};

const MODULE: u32 = 7;
const WINDOW: Window = Window { messages: 1024, bytes: 1 << 20 };
/// Long enough never to matter.
pub(super) const BEATS: Beats = Beats { every: Duration::from_secs(60), patience: Duration::from_secs(600) };
/// Reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} does not come"))
}

pub(super) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    within(what, async {
        while !is_so() {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// A gateway around one proxy: `source` -> `remote` -> `sink`; `patient` -> `remote` has no time-to-live; dead
/// letters go to `graves`.
struct Bench {
    broker: Broker,
    source: Publisher,
    patient: Publisher,
    sink: Inbox,
    graves: Inbox,
    status: ModuleStatus,
    stop: CancellationToken,
    life: JoinHandle<()>,
    hosts: mpsc::UnboundedReceiver<Box<dyn Channel>>,
    links: Links,
}

#[derive(Clone, Copy)]
struct Options {
    queue: usize,
    sink: usize,
    window: u32,
    redelivery_max: u8,
    time_to_live: Option<Duration>,
}

const OPTIONS: Options =
    Options { queue: 1024, sink: 1024, window: 256, redelivery_max: 2, time_to_live: None };

fn bench(options: Options) -> Bench {
    let (sender, hosts) = mpsc::unbounded_channel();
    let links = Links::default();
    let mut config = config(None);
    config.link.window = options.window;
    let proxy = Proxy::new(config, Memory { hosts: sender, capacity: 64 }, links.clone());
    let broker = Broker::new();
    let (source, _) = broker.add_module("source", 1).unwrap();
    let (patient, _) = broker.add_module("patient", 1).unwrap();
    let (publisher, inbox) = broker.add_module("remote", options.queue).unwrap();
    let (_, sink) = broker.add_module("sink", options.sink).unwrap();
    let (_, graves) = broker.add_module("graves", 64).unwrap();
    let Options { redelivery_max, time_to_live, .. } = options;
    let terms = Terms { redelivery_max, dead_letter: Some("graves".into()), ..Terms::default() };
    for (source, sink, time_to_live) in
        [("source", "remote", time_to_live), ("patient", "remote", None), ("remote", "sink", None)]
    {
        let (source, terms) = (Source::Module(source.into()), Terms { time_to_live, ..terms.clone() });
        broker.add_link(Link { source, sink: sink.into(), terms }).unwrap();
    }
    let (stop, status) = (CancellationToken::new(), ModuleStatus::new("remote", "test"));
    let context = Context {
        name: "remote".into(),
        publisher,
        inbox,
        dead_letters: DeadLetters::new(broker.clone(), "/nowhere/letters".into()),
        segments: crate::segments::ModuleSegments::none(),
        status: status.clone(),
        stop: stop.clone(),
    };
    let life = tokio::spawn(async move { Box::new(proxy).run(context).await.unwrap() });
    Bench { broker, source, patient, sink, graves, status, stop, life, hosts, links }
}

/// A host process with one module, as far as a link shows it.
struct LinkHost {
    lane: Lane,
    lanes: Lanes,
    signals: mpsc::Receiver<Signal>,
    carrying: JoinHandle<LinkError>,
    channels: Host,
    _adopted: HostLink,
}

impl Bench {
    /// What a host that was just started has: its control channel, and a link that has greeted.
    async fn greeted(&mut self) -> (Host, UnixStream, Instance, HostLink) {
        let message = within("an attach", self.hosts.recv()).await.unwrap();
        let channels = Host { message, control: self.hosts.recv().await.unwrap() };
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let (mut stream, instance) = (UnixStream::from_std(theirs).unwrap(), Instance::random());
        let hello = Greeting::ours(instance);
        let (adopted, agreed) = tokio::join!(self.links.adopt(ours, BEATS), greet(&mut stream, &hello));
        agreed.unwrap();
        (channels, stream, instance, adopted.unwrap())
    }

    /// The next attach, up to Start.
    async fn attach(&mut self) -> LinkHost {
        let (channels, stream, instance, _adopted) = self.greeted().await;
        offer(&channels, instance, None).await;
        let (lanes, (sender, mut signals)) = (Lanes::new(), mpsc::channel(64));
        let carried = lanes.clone();
        let carrying = tokio::spawn(async move {
            let agreed = sandgate_wire::link::Agreed { version: 1, features: Features::OURS, peer: instance };
            carry(stream, &agreed, Side::Host, &carried, &sender, BEATS).await
        });
        let Some(Signal::Open { module: MODULE, epoch, .. }) = within("Open", signals.recv()).await else {
            panic!("no Open")
        };
        let lane = Lane::new(MODULE, epoch, WINDOW);
        lanes.add(&lane);
        let start = within("Start", signals.recv()).await;
        assert_eq!(start, Some(Signal::Start { module: MODULE, epoch }));
        LinkHost { lane, lanes, signals, carrying, channels, _adopted }
    }

    fn counters(&self, source: &str) -> Counters {
        let routes = self.broker.routes();
        routes.iter().find(|route| route.source() == source && route.sink() == "remote").unwrap().counters()
    }

    async fn publish(&self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            within("room", self.source.publish(message(number))).await;
        }
    }
}

/// Create, and the Reply with an offer.
pub(super) async fn offer(channels: &Host, host: Instance, address: Option<String>) {
    offer_module(channels, host, MODULE, address).await;
}

pub(super) async fn offer_module(channels: &Host, host: Instance, module: u32, address: Option<String>) {
    within("Create", channels.create()).await;
    let (versions, features) = (Versions::OURS, Features::OURS);
    let extension = Offer { versions, features, host, module, address }.encode().unwrap();
    let reply = Control::Reply(Reply { status: Status::SUCCESS, extension });
    channels.control.try_send(reply.encode().unwrap()).unwrap();
}

impl LinkHost {
    /// The next message: its sequence, number and attempt.
    async fn next(&self) -> (u64, u64, u32) {
        loop {
            if let Arrival::Parcel { sequence, parcel } = within("a parcel", self.lane.recv()).await.unwrap()
            {
                assert_eq!(parcel.kind, ParcelKind::Message);
                let message = sandgate_wire::Message::decode(parcel.body).unwrap();
                return (sequence, number(&message), parcel.attempt);
            }
        }
    }

    /// Takes and settles the messages of these numbers, and no others.
    async fn handle(&self, numbers: std::ops::Range<u64>, attempt: u32) {
        for expected in numbers {
            let (sequence, number, attempts) = self.next().await;
            assert_eq!((number, attempts), (expected, attempt));
            self.lane.settle(sequence);
        }
    }

    fn send(&self, parcel: Parcel) -> u64 {
        self.lane.try_send(parcel).unwrap()
    }

    fn say(&self, state: HostState) {
        let (module, epoch) = (MODULE, self.lane.epoch());
        self.lanes.signal(Signal::State { module, epoch, state, detail: "so it is".into() }).unwrap();
    }

    /// The process is killed.
    async fn die(self) {
        self.carrying.abort();
        let _ = self.carrying.await;
    }
}

#[tokio::test]
async fn messages_are_delivered_when_they_are_settled_and_settled_when_they_are_published() {
    let mut bench = bench(OPTIONS);
    let host = bench.attach().await;
    bench.publish(0..5).await;
    for expected in 0..5 {
        assert_eq!(host.next().await, (expected + 1, expected, 1));
    }
    assert_eq!((bench.counters("source").delivered, bench.counters("source").waiting), (0, 5));
    host.lane.settle(3);
    until("three deliveries", || bench.counters("source").delivered == 3).await;
    assert_eq!(bench.counters("source").waiting, 2);
    let sequence = host.send(Parcel::message(message(9).frame().clone()));
    let delivery = within("a message", bench.sink.recv()).await.unwrap();
    assert_eq!((number(&delivery.message), delivery.route().source()), (9, "remote"));
    assert_eq!(within("a settling", host.lane.recv()).await, Ok(Arrival::Settled(sequence)));
}

#[tokio::test]
async fn what_a_host_did_not_settle_comes_again_before_newer_messages() {
    let mut bench = bench(OPTIONS);
    let host = bench.attach().await;
    bench.publish(0..4).await;
    host.handle(0..2, 1).await;
    until("two deliveries", || bench.counters("source").delivered == 2).await;
    host.next().await;
    host.next().await;
    host.die().await;
    bench.publish(4..6).await;
    let host = bench.attach().await;
    host.handle(2..4, 2).await;
    host.handle(4..6, 1).await;
    until("all", || bench.counters("source").delivered == 6).await;
    assert_eq!((bench.counters("source").redelivered, bench.counters("source").waiting), (2, 0));
}

#[tokio::test]
async fn a_suspect_goes_alone_and_is_given_up_after_so_many_deaths() {
    let mut bench = bench(OPTIONS);
    let host = bench.attach().await;
    bench.publish(0..3).await;
    for _ in 0..3 {
        host.next().await;
    }
    host.die().await;
    let host = bench.attach().await;
    let (_, first, attempt) = host.next().await;
    assert_eq!((first, attempt), (0, 2));
    // A turn later there is still no other message.
    host.send(Parcel::message(message(1).frame().clone()));
    assert!(matches!(within("a settling", host.lane.recv()).await, Ok(Arrival::Settled(1))));
    host.die().await;
    let host = bench.attach().await;
    host.handle(1..3, 2).await;
    let dead = within("a dead letter", bench.graves.recv()).await.unwrap().message;
    assert_eq!(number(&dead), 0);
    assert!(dead.properties().any(|(key, text)| key == "sandgate.dead.reason" && text.contains("2 times")));
    until("the rest", || bench.counters("source").delivered == 2).await;
    assert_eq!((bench.counters("source").dead, bench.counters("source").waiting), (1, 0));
}

#[tokio::test]
async fn a_host_that_never_had_a_message_did_not_die_of_it() {
    let mut bench = bench(OPTIONS);
    let host = bench.attach().await;
    bench.publish(0..1).await;
    host.next().await;
    host.die().await;
    for _ in 0..3 {
        let (channels, mut stream, instance, adopted) = bench.greeted().await;
        offer(&channels, instance, None).await;
        let mut bytes = Vec::new();
        let epoch = loop {
            assert_ne!(within("Open", stream.read_buf(&mut bytes)).await.unwrap(), 0);
            if let Some((Frame::Signal(Signal::Open { epoch, .. }), _)) = Frame::parse(&bytes).unwrap() {
                break epoch;
            }
        };
        // Opened, and gone before anything can come.
        let opened = Signal::Opened { module: MODULE, epoch, window: WINDOW, received: 0 };
        stream.write_all(&Frame::Signal(opened).encode().unwrap()).await.unwrap();
        drop((stream, adopted));
    }
    let host = bench.attach().await;
    host.handle(0..1, 2).await;
    until("the delivery", || bench.counters("source").delivered == 1).await;
}

#[tokio::test]
async fn a_dead_letter_takes_its_message_out_and_one_about_nothing_changes_nothing() {
    let mut bench = bench(OPTIONS);
    let host = bench.attach().await;
    bench.publish(0..2).await;
    let (sequence, ..) = host.next().await;
    for about in [0, 99, u64::MAX, sequence, sequence] {
        host.send(Parcel::dead_letter(about, r#"{"summary": "it trapped\u001b[2J", "frames": [1]}"#.into()));
    }
    host.lane.settle(sequence);
    host.handle(1..2, 1).await;
    let dead = within("a dead letter", bench.graves.recv()).await.unwrap().message;
    assert_eq!(number(&dead), 0);
    let reason = dead.properties().find(|(key, _)| *key == "sandgate.dead.reason").unwrap().1;
    assert_eq!(reason, "it trapped\\u{1b}[2J");
    until("the other", || bench.counters("source").delivered == 1).await;
    assert_eq!((bench.counters("source").dead, bench.counters("source").waiting), (1, 0));
}

#[tokio::test]
async fn what_waits_for_too_long_expires_and_the_rest_goes_on() {
    const SHORT: Duration = Duration::from_millis(20);
    let mut bench = bench(Options { window: 1, time_to_live: Some(SHORT), ..OPTIONS });
    let host = bench.attach().await;
    bench.patient.publish(message(0)).await;
    let (first, ..) = host.next().await;
    // They wait for room, wherever they are.
    bench.publish(1..4).await;
    bench.patient.publish(message(4)).await;
    sleep(2 * SHORT).await;
    host.lane.settle(first);
    host.handle(4..5, 1).await;
    until("the delivery", || bench.counters("patient").delivered == 2).await;
    assert_eq!((bench.counters("source").expired, bench.counters("source").waiting), (3, 0));
}

#[tokio::test]
async fn a_quarantined_module_makes_nobody_wait_and_its_revival_is_told() {
    let mut bench = bench(Options { queue: 4, ..OPTIONS });
    let mut host = bench.attach().await;
    host.say(HostState::Quarantined);
    until("the quarantine", || bench.status.state() == State::Quarantined).await;
    bench.publish(0..5000).await;
    assert!(bench.counters("source").dropped > 0);
    bench.status.revive().unwrap();
    let revive = Signal::Revive { module: MODULE, epoch: host.lane.epoch() };
    assert_eq!(within("Revive", host.signals.recv()).await, Some(revive));
    host.say(HostState::Running);
    until("a running module", || bench.status.state() == State::Running).await;
}

#[tokio::test]
async fn garbage_of_a_host_is_settled_and_changes_nothing() {
    let mut bench = bench(OPTIONS);
    let host = bench.attach().await;
    for round in 0..10 {
        host.send(Parcel::message("nonsense".into()));
        host.send(Parcel { kind: ParcelKind::Other(77), ..Parcel::message("what?".into()) });
        host.send(Parcel::verdict(u64::MAX, vec![b'['; 100_000].into()));
        host.send(Parcel::verdict(0, r#"{"summary": 1}"#.into()));
        host.send(Parcel {
            source: "somebody else".into(),
            ..Parcel::message(message(round).frame().clone())
        });
        host.say(HostState::Quarantined);
        host.say(HostState::Running);
        let (module, epoch, json) = (MODULE, host.lane.epoch(), "{\"a\": [}".into());
        host.lanes.signal(Signal::Statistics { module, epoch, json }).unwrap();
    }
    for expected in 0..10 {
        let delivery = within("a message", bench.sink.recv()).await.unwrap();
        assert_eq!((number(&delivery.message), delivery.route().source()), (expected, "remote"));
    }
    until("all settled", || host.lane.unsettled() == 0).await;
    bench.publish(3..4).await;
    host.handle(3..4, 1).await;
}

#[tokio::test]
async fn what_a_host_settles_while_its_output_waits_is_held_within_bounds() {
    let mut bench = bench(Options { queue: 4, sink: 1, window: 4, ..OPTIONS });
    let host = bench.attach().await;
    for index in 0..2 {
        host.send(Parcel::message(message(index).frame().clone()));
    }
    until("a full sink", || bench.sink.len() == 1).await;
    let source = bench.source.clone();
    let publishing = tokio::spawn(async move {
        for index in 0..1000 {
            source.publish(message(index)).await;
        }
    });
    // Twice the window, all settled by the host at once.
    host.handle(0..8, 1).await;
    for state in [HostState::Restarting, HostState::Running].repeat(5) {
        host.say(state);
        let shown = if state == HostState::Running { State::Running } else { State::Restarting };
        until("a turn", || bench.status.state() == shown).await;
        assert_eq!(host.lane.statistics().received, 8);
    }
    for _ in 0..2 {
        within("room in the sink", bench.sink.recv()).await.unwrap();
    }
    host.handle(8..1000, 1).await;
    within("the publisher", publishing).await.unwrap();
}

#[tokio::test]
async fn a_host_that_has_gone_is_not_waited_for_although_its_last_output_finds_no_room() {
    let mut bench = bench(Options { queue: 4, sink: 1, ..OPTIONS });
    let host = bench.attach().await;
    for index in 0..3 {
        host.send(Parcel::message(message(index).frame().clone()));
    }
    until("a full sink", || bench.sink.len() == 1).await;
    host.die().await;
    bench.publish(0..1000).await;
    assert!(bench.counters("source").dropped > 0);
    for expected in 0..3 {
        assert_eq!(number(&within("the output", bench.sink.recv()).await.unwrap().message), expected);
    }
}

#[tokio::test]
async fn a_host_that_does_not_answer_on_its_link_gets_nothing_by_another_way() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("link");
    // It was there, and died behind its Reply.
    drop(UnixListener::bind(&path).unwrap());
    let mut bench = bench(OPTIONS);
    bench.publish(0..3).await;
    for _ in 0..2 {
        let message = within("an attach", bench.hosts.recv()).await.unwrap();
        let channels = Host { message, control: bench.hosts.recv().await.unwrap() };
        offer(&channels, Instance::random(), Some(path.display().to_string())).await;
        until("its end", || !channels.control.peer().borrow().connected).await;
        let mut context = TaskContext::from_waker(Waker::noop());
        while let Poll::Ready(Ok(frame)) = channels.control.poll_recv(&mut context) {
            assert!(matches!(Control::decode(&frame), Ok(Control::Create(_))), "no Start");
        }
        assert!(channels.message.poll_recv(&mut context).is_pending());
    }
    let host = bench.attach().await;
    host.handle(0..3, 1).await;
}

#[tokio::test]
async fn a_host_on_another_machine_is_served_by_v1s_channels() {
    let mut bench = bench(OPTIONS);
    let message = within("an attach", bench.hosts.recv()).await.unwrap();
    let channels = Host { message, control: bench.hosts.recv().await.unwrap() };
    offer(&channels, Instance::random(), Some("/nowhere/link".into())).await;
    // A Create may have been repeated before the answer came.
    while let Control::Create(_) = within("Start", channels.control()).await {}
}

#[test]
fn of_proxies_that_come_at_once_one_makes_the_link() {
    for _ in 0..200 {
        let (links, instance, new) = (Links::default(), Instance::random(), Arc::new(AtomicUsize::new(0)));
        let join = |_| {
            let (links, new) = (links.clone(), new.clone());
            std::thread::spawn(move || {
                let (link, is_new) = links.find_or_register(instance);
                new.fetch_add(usize::from(is_new), Ordering::Relaxed);
                link
            })
        };
        let threads: Vec<_> = (0..4).map(join).collect();
        let kept: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(new.load(Ordering::Relaxed), 1);
        drop(kept);
    }
}
