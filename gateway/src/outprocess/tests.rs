use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sandgate_wire::channel::{PairError, PairOptions};
use sandgate_wire::{Address, Channel, Control, Create, MemoryChannel, Message, PairChannel, Status};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::broker::{Broker, Inbox, Link, OnFull, Publisher, Source};
use crate::config::{HostLinkConfig, LaunchConfig, OutprocessConfig, RestartConfig};
use crate::dead_letters::DeadLetters;
use crate::module::{Context, Module};
use crate::segments::ModuleSegments;
use crate::status::ModuleStatus;

/// Hands out channels in memory and their other ends to the test, two for each attach.
pub(super) struct Memory {
    pub(super) hosts: mpsc::UnboundedSender<Box<dyn Channel>>,
    pub(super) capacity: usize,
}

impl Connector for Memory {
    fn dial(&self, _: &Address, _: usize, capacity: usize) -> Result<Box<dyn Channel>, PairError> {
        let (ours, theirs) = MemoryChannel::pair(capacity.min(self.capacity));
        self.hosts.send(Box::new(theirs)).unwrap();
        Ok(Box::new(ours))
    }
}

/// A module host as the test plays it.
pub(super) struct Host {
    pub(super) message: Box<dyn Channel>,
    pub(super) control: Box<dyn Channel>,
}

impl Host {
    pub(super) async fn control(&self) -> Control {
        Control::decode(&self.control.recv().await.unwrap()).unwrap()
    }

    pub(super) async fn create(&self) -> Create {
        match self.control().await {
            Control::Create(create) => create,
            other => panic!("{other:?} where Create was expected"),
        }
    }

    fn reply(&self, status: Status) {
        self.control.try_send(Control::Reply(status.into()).encode().unwrap()).unwrap();
    }

    /// Create, Reply, Start.
    async fn serve(&self) {
        self.create().await;
        self.reply(Status::SUCCESS);
        assert_eq!(self.control().await, Control::Start);
    }

    async fn number(&self) -> u64 {
        number(&Message::decode(self.message.recv().await.unwrap()).unwrap())
    }
}

/// A gateway around one proxy: `source` -> `remote` -> `sink`, and `source` -> `other`.
struct Bench {
    broker: Broker,
    source: Publisher,
    sink: Inbox,
    other: Inbox,
    stop: CancellationToken,
    life: JoinHandle<()>,
    hosts: mpsc::UnboundedReceiver<Box<dyn Channel>>,
}

pub(super) fn config(launch: Option<LaunchConfig>) -> OutprocessConfig {
    OutprocessConfig {
        control: "/tmp/test.control".parse().unwrap(),
        hosted: None,
        message: Some("/tmp/test.message".parse().unwrap()),
        timeout: Duration::from_secs(1),
        arguments: "\"X\"".into(),
        launch,
        link: HostLinkConfig::default(),
    }
}

fn bench(queue: usize, channel: usize) -> Bench {
    let (sender, hosts) = mpsc::unbounded_channel();
    bench_with(
        queue,
        Proxy::new(config(None), Memory { hosts: sender, capacity: channel }, Links::default()),
        hosts,
    )
}

fn bench_with<C: Connector>(
    queue: usize,
    proxy: Proxy<C>,
    hosts: mpsc::UnboundedReceiver<Box<dyn Channel>>,
) -> Bench {
    let broker = Broker::new();
    let (source, _) = broker.add_module("source", 1).unwrap();
    let (publisher, inbox) = broker.add_module("remote", queue).unwrap();
    let (_, sink) = broker.add_module("sink", 1024).unwrap();
    let (_, other) = broker.add_module("other", 1024).unwrap();
    for (source, sink) in [("source", "remote"), ("source", "other"), ("remote", "sink")] {
        let source = Source::Module(source.into());
        broker.add_link(Link { source, sink: sink.into(), terms: OnFull::Block.into() }).unwrap();
    }
    let stop = CancellationToken::new();
    let context = Context {
        name: "remote".into(),
        publisher,
        inbox,
        dead_letters: DeadLetters::new(broker.clone(), "/nowhere/letters".into()),
        segments: ModuleSegments::none(),
        status: ModuleStatus::new("remote", "test"),
        stop: stop.clone(),
    };
    let life = tokio::spawn(async move { Box::new(proxy).run(context).await.unwrap() });
    Bench { broker, source, sink, other, stop, life, hosts }
}

impl Bench {
    /// The host's ends of the next attach.
    async fn host(&mut self) -> Host {
        let message = self.hosts.recv().await.unwrap();
        Host { message, control: self.hosts.recv().await.unwrap() }
    }

    fn begin_stop(&self) {
        self.stop.cancel();
        self.broker.close_inbox("remote").unwrap();
    }

    async fn publish(&self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.source.publish(message(number)).await;
        }
    }
}

pub(super) fn message(number: u64) -> Message {
    Message::new(&[("k", "v")], number.to_be_bytes()).unwrap()
}

pub(super) fn number(message: &Message) -> u64 {
    u64::from_be_bytes(message.content().try_into().unwrap())
}

#[tokio::test(start_paused = true)]
async fn create_goes_out_at_once_and_again_after_the_timeout() {
    let mut bench = bench(8, 64);
    let host = bench.host().await;
    let begun = Instant::now();
    let create = host.create().await;
    assert_eq!((create.uri.as_str(), create.arguments.as_str()), ("ipc:///tmp/test.message", "\"X\""));
    assert_eq!(begun.elapsed(), Duration::ZERO);
    for second in 1..=3 {
        assert_eq!(host.create().await, create);
        assert_eq!(begun.elapsed(), Duration::from_secs(second));
    }
    host.reply(Status::SUCCESS);
    assert_eq!(host.control().await, Control::Start);
}

#[tokio::test(start_paused = true)]
async fn creates_do_not_pile_up_before_a_host_that_is_away() {
    let mut bench = bench(8, 64);
    let host = bench.host().await;
    sleep(Duration::from_secs(60)).await;
    host.serve().await;
    assert_eq!(host.control.statistics().received, 2);
}

#[tokio::test(start_paused = true)]
async fn messages_flow_both_ways_in_order() {
    let mut bench = bench(1024, 16);
    let host = bench.host().await;
    host.serve().await;
    bench.publish(0..500).await;
    for expected in 0..500 {
        assert_eq!(host.number().await, expected);
    }
    for index in 0..500 {
        host.message.send(message(index).frame().clone()).await.unwrap();
        let delivery = bench.sink.recv().await.unwrap();
        assert_eq!((number(&delivery.message), delivery.route().source()), (index, "remote"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_detach_brings_create_and_start_again() {
    for status in [Status::DETACH, Status::CREATION_ERROR, Status(77)] {
        let mut bench = bench(8, 64);
        let host = bench.host().await;
        host.serve().await;
        host.reply(status);
        let next = bench.host().await;
        next.serve().await;
        bench.publish(1..2).await;
        assert_eq!(next.number().await, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_creation_is_tried_again_without_start() {
    let mut bench = bench(8, 64);
    for _ in 0..20 {
        let host = bench.host().await;
        host.create().await;
        host.reply(Status::CREATION_ERROR);
    }
    // Twenty refusals are answered with patience.
    assert!(!bench.life.is_finished());
    bench.host().await.serve().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_goes_is_replaced_and_later_messages_reach_the_next() {
    let mut bench = bench(64, 64);
    let host = bench.host().await;
    host.serve().await;
    bench.publish(0..1).await;
    assert_eq!(host.number().await, 0);
    drop(host);
    let next = bench.host().await;
    bench.publish(1..10).await;
    next.serve().await;
    for expected in 1..10 {
        assert_eq!(next.number().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_host_sent_before_it_went_is_published() {
    let mut bench = bench(8, 64);
    let host = bench.host().await;
    host.serve().await;
    for index in 0..50 {
        host.message.try_send(message(index).frame().clone()).unwrap();
    }
    drop(host);
    for expected in 0..50 {
        assert_eq!(number(&bench.sink.recv().await.unwrap().message), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn malformed_frames_change_nothing() {
    let mut bench = bench(8, 64);
    let host = bench.host().await;
    host.control.try_send(Bytes::from_static(b"nonsense")).unwrap();
    host.control.try_send(Control::Start.encode().unwrap()).unwrap();
    host.serve().await;
    host.control.try_send(Bytes::new()).unwrap();
    for index in 0..40 {
        let frame = if index % 2 == 0 {
            Bytes::from_static(&[0xA1, 0x60, 0, 0])
        } else {
            message(index).frame().clone()
        };
        host.message.try_send(frame).unwrap();
    }
    for expected in (1..40).step_by(2) {
        assert_eq!(number(&bench.sink.recv().await.unwrap().message), expected);
    }
    bench.publish(3..4).await;
    assert_eq!(host.number().await, 3);
}

#[tokio::test(start_paused = true)]
async fn an_absent_host_stops_nobody_and_the_newest_messages_wait_for_it() {
    let mut bench = bench(4, 64);
    let host = bench.host().await;
    bench.publish(0..1000).await;
    assert_eq!(bench.other.len(), 1000);
    host.serve().await;
    for expected in 996..1000 {
        assert_eq!(host.number().await, expected);
    }
    let routes = bench.broker.routes();
    let counters = routes.iter().find(|route| route.sink() == "remote").unwrap().counters();
    assert_eq!((counters.offered, counters.delivered, counters.dropped), (1000, 4, 996));
}

#[tokio::test(start_paused = true)]
async fn a_present_host_that_does_not_read_makes_block_links_wait_until_it_goes() {
    let mut bench = bench(4, 4);
    let host = bench.host().await;
    host.serve().await;
    let publishing = {
        let source = bench.source.clone();
        tokio::spawn(async move {
            for index in 0..500 {
                source.publish(message(index)).await;
            }
        })
    };
    sleep(Duration::from_secs(3600)).await;
    assert!(!publishing.is_finished());
    drop(host);
    publishing.await.unwrap();
    assert_eq!(bench.other.len(), 500);
}

#[tokio::test(start_paused = true)]
async fn a_stop_drains_and_then_sends_destroy() {
    let mut bench = bench(64, 16);
    let host = bench.host().await;
    host.serve().await;
    bench.publish(0..60).await;
    bench.begin_stop();
    for expected in 0..60 {
        assert_eq!(host.number().await, expected);
    }
    assert_eq!(host.control().await, Control::Destroy);
    // What the module says with its last breath is published.
    host.message.try_send(message(7).frame().clone()).unwrap();
    drop(host);
    bench.life.await.unwrap();
    assert_eq!(number(&bench.sink.recv().await.unwrap().message), 7);
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_bounded_when_the_host_never_reads() {
    let mut bench = bench(64, 4);
    let host = bench.host().await;
    host.serve().await;
    bench.publish(0..60).await;
    let begun = Instant::now();
    bench.begin_stop();
    bench.life.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(host.control().await, Control::Destroy);
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_nobody_answers_is_prompt() {
    let mut bench = bench(64, 4);
    let host = bench.host().await;
    sleep(Duration::from_secs(5)).await;
    bench.publish(0..60).await;
    bench.begin_stop();
    bench.life.await.unwrap();
    host.create().await;
    assert_eq!(host.control().await, Control::Destroy);
    for route in bench.broker.routes() {
        let counters = route.counters();
        assert_eq!(counters.offered, counters.delivered + counters.dropped + counters.waiting);
    }
}

/// Cannot dial at first.
struct Reluctant {
    failures: Arc<Mutex<u32>>,
    memory: Memory,
}

impl Connector for Reluctant {
    fn dial(
        &self,
        address: &Address,
        frame_max: usize,
        capacity: usize,
    ) -> Result<Box<dyn Channel>, PairError> {
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(PairError::InUse(address.clone()));
        }
        self.memory.dial(address, frame_max, capacity)
    }
}

#[tokio::test(start_paused = true)]
async fn an_attach_that_cannot_begin_is_tried_again() {
    let (sender, hosts) = mpsc::unbounded_channel();
    let memory = Memory { hosts: sender, capacity: 8 };
    let connector = Reluctant { failures: Arc::new(Mutex::new(5)), memory };
    let mut bench = bench_with(8, Proxy::new(config(None), connector, Links::default()), hosts);
    bench.host().await.serve().await;
}

#[tokio::test]
async fn a_launched_host_is_ended_although_it_never_attached() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark");
    let script = format!("echo > {}; exec sleep 600", mark.display());
    let launch = LaunchConfig {
        path: "sh".into(),
        args: vec!["-c".into(), script],
        grace: Duration::from_secs(3600),
        start_timeout: LaunchConfig::START_TIMEOUT,
        restart: RestartConfig::default(),
    };
    let mut config = config(Some(launch));
    config.control = Address::from_path(&directory.path().join("control")).unwrap();
    let bench =
        bench_with(8, Proxy::new(config, PairConnector, Links::default()), mpsc::unbounded_channel().1);
    while !mark.exists() {
        sleep(Duration::from_millis(5)).await;
    }
    bench.begin_stop();
    bench.life.await.unwrap();
}

/// The same over nng, with a made-up message channel, a host that comes late, goes, and comes back.
#[tokio::test]
async fn over_nng_a_host_may_come_late_and_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(None);
    config.control = Address::from_path(&directory.path().join("control")).unwrap();
    config.message = None;
    let control = config.control.clone();
    let mut bench =
        bench_with(64, Proxy::new(config, PairConnector, Links::default()), mpsc::unbounded_channel().1);
    let options = PairOptions { frame_max: 1 << 20, capacity: 64 };
    let mut uris = Vec::new();
    for round in 0..2 {
        let control: Box<dyn Channel> = Box::new(PairChannel::listen(&control, options).unwrap());
        let Control::Create(create) = Control::decode(&control.recv().await.unwrap()).unwrap() else {
            panic!("no Create")
        };
        let address: Address = create.uri.parse().unwrap();
        let host = Host { message: Box::new(PairChannel::listen(&address, options).unwrap()), control };
        host.reply(Status::SUCCESS);
        // A Create may have been repeated before the answer came.
        while let Control::Create(repeated) = host.control().await {
            assert_eq!(repeated, create);
        }
        bench.publish(10 * round..10 * round + 10).await;
        for index in 0..10 {
            assert_eq!(host.number().await, 10 * round + index);
            host.message.send(message(index).frame().clone()).await.unwrap();
            assert_eq!(number(&bench.sink.recv().await.unwrap().message), index);
        }
        host.control.close().await;
        host.message.close().await;
        uris.push(address);
    }
    assert_ne!(uris[0], uris[1], "every attach has its own message channel");
    bench.begin_stop();
    bench.life.await.unwrap();
    assert!(uris.iter().all(|uri| !uri.path().unwrap().exists()), "sockets are left behind");
}

#[tokio::test]
async fn malformed_frames_are_counted() {
    let broker = Broker::new();
    let (publisher, _inbox) = broker.add_module("remote", 1).unwrap();
    let (host, ours) = MemoryChannel::pair(64);
    for index in 0..10 {
        let good = message(index).frame().clone();
        let frame = if index < 7 { Bytes::from_static(b"nonsense") } else { good };
        host.try_send(frame).unwrap();
    }
    let inbound = over_pair::Inbound::default();
    inbound.finish();
    inbound.run(&ours, &publisher).await;
    assert_eq!((inbound.handled(), inbound.malformed()), (10, 7));

    let attach = attach::Attach::open(&Nobody, &config(None)).unwrap();
    drop(host);
    assert_eq!(attach.end("remote").await, attach::Ended::HostGone);
    assert_eq!(attach.malformed(), 2);
}

/// A host that says two things that make no sense, and goes.
struct Nobody;

impl Connector for Nobody {
    fn dial(&self, _: &Address, _: usize, capacity: usize) -> Result<Box<dyn Channel>, PairError> {
        let (ours, theirs) = MemoryChannel::pair(capacity);
        theirs.try_send(Bytes::from_static(b"nonsense")).unwrap();
        theirs.try_send(Control::Destroy.encode().unwrap()).unwrap();
        Ok(Box::new(ours))
    }
}
