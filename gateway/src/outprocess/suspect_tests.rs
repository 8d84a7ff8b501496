//! Two modules in one host, which dies of a message of one of them.

use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use sandgate_wire::link::{
    Agreed, Arrival, Closed, Features, Greeting, Instance, Lane, Lanes, LinkError, Parcel, Side, Signal,
    Window, carry, greet,
};
use sandgate_wire::{Channel, Message};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::link_tests::{BEATS, offer_module, within};
use super::links::HostLink;
use super::suspects::Suspects;
use super::tests::{Host, Memory, config, message, number};
use super::*;
use crate::broker::{Broker, Counters, Inbox, Link, Publisher, Source, Terms};
use crate::dead_letters::DeadLetters;
use crate::module::{Context, Module};
use crate::segments::ModuleSegments;
use crate::status::ModuleStatus;

const NAMES: [&str; 2] = ["fragile", "innocent"];
const WINDOW: Window = Window { messages: 64, bytes: 1 << 20 };
/// The message that ends its host.
const POISON: u64 = 666;
/// What each other message takes, for the innocent module.
const WORK: Duration = Duration::from_millis(20);

struct Bench {
    broker: Broker,
    sources: Vec<Publisher>,
    graves: Inbox,
    hosts: Vec<mpsc::UnboundedReceiver<Box<dyn Channel>>>,
    links: Links,
    _lives: Vec<JoinHandle<()>>,
}

fn bench() -> Bench {
    let (broker, links) = (Broker::new(), Links::default());
    let (_, graves) = broker.add_module("graves", 64).unwrap();
    let (mut sources, mut hosts, mut lives) = (Vec::new(), Vec::new(), Vec::new());
    for name in NAMES {
        let (sender, receiver) = mpsc::unbounded_channel();
        let proxy = Proxy::new(config(None), Memory { hosts: sender, capacity: 64 }, links.clone());
        let source = format!("source of {name}");
        sources.push(broker.add_module(&source, 1).unwrap().0);
        let (publisher, inbox) = broker.add_module(name, 1024).unwrap();
        let terms = Terms { dead_letter: Some("graves".into()), ..Terms::default() };
        broker.add_link(Link { source: Source::Module(source), sink: name.into(), terms }).unwrap();
        let context = Context {
            name: name.into(),
            publisher,
            inbox,
            dead_letters: DeadLetters::new(broker.clone(), "/nowhere/letters".into()),
            segments: ModuleSegments::none(),
            status: ModuleStatus::new(name, "test"),
            stop: CancellationToken::new(),
        };
        lives.push(tokio::spawn(async move { Box::new(proxy).run(context).await.unwrap() }));
        hosts.push(receiver);
    }
    Bench { broker, sources, graves, hosts, links, _lives: lives }
}

/// A host process with both modules.
struct Process {
    lanes: Vec<Lane>,
    carrying: JoinHandle<LinkError>,
    _held: (Vec<Host>, HostLink),
}

impl Bench {
    /// The next host. The second module's attach may begin later than the first one's.
    async fn process(&mut self, late: Option<usize>) -> Process {
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let (mut stream, instance) = (UnixStream::from_std(theirs).unwrap(), Instance::random());
        let hello = Greeting::ours(instance);
        let (adopted, agreed) = tokio::join!(self.links.adopt(ours, BEATS), greet(&mut stream, &hello));
        agreed.unwrap();
        let (lanes, (sender, mut signals)) = (Lanes::new(), mpsc::channel(64));
        let carried = lanes.clone();
        let carrying = tokio::spawn(async move {
            let agreed = Agreed { version: 1, features: Features::OURS, peer: instance };
            carry(stream, &agreed, Side::Host, &carried, &sender, BEATS).await
        });
        let mut channels = Vec::new();
        let mut opened: Vec<Option<Lane>> = vec![None, None];
        let mut order = vec![0, 1];
        if late == Some(0) {
            order.reverse();
        }
        for index in order {
            let hosts = &mut self.hosts[index];
            let message = within("an attach", hosts.recv()).await.unwrap();
            let host = Host { message, control: hosts.recv().await.unwrap() };
            offer_module(&host, instance, index as u32, None).await;
            channels.push(host);
            let epoch = loop {
                match within("Open", signals.recv()).await.unwrap() {
                    Signal::Open { module, epoch, .. } if module == index as u32 => break epoch,
                    _ => {}
                }
            };
            let lane = Lane::new(index as u32, epoch, WINDOW);
            lanes.add(&lane);
            opened[index] = Some(lane);
            if late.is_some() {
                sleep(WORK).await;
            }
        }
        tokio::spawn(async move { while signals.recv().await.is_some() {} });
        let lanes = opened.into_iter().map(Option::unwrap).collect();
        Process { lanes, carrying, _held: (channels, adopted.unwrap()) }
    }

    fn counters(&self, index: usize) -> Counters {
        let routes = self.broker.routes();
        routes.iter().find(|route| route.sink() == NAMES[index]).unwrap().counters()
    }

    async fn publish(&self, index: usize, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            within("room", self.sources[index].publish(message(number))).await;
        }
    }
}

async fn next(lane: &Lane) -> Result<(u64, u64), Closed> {
    loop {
        if let Arrival::Parcel { sequence, parcel } = lane.recv().await? {
            return Ok((sequence, number(&Message::decode(parcel.body).unwrap())));
        }
    }
}

impl Process {
    /// Runs both modules until the process dies of the poison. Gives what the innocent one has handled.
    async fn run(self) -> (Vec<u64>, bool) {
        let mut handled = Vec::new();
        let fragile = async {
            while let Ok((sequence, number)) = next(&self.lanes[0]).await {
                if number == POISON {
                    // It takes a while to bring the host down.
                    sleep(WORK / 4).await;
                    return;
                }
                self.lanes[0].settle(sequence);
            }
        };
        let innocent = async {
            while let Ok((sequence, number)) = next(&self.lanes[1]).await {
                sleep(WORK).await;
                self.lanes[1].settle(sequence);
                handled.push(number);
            }
        };
        let died = tokio::select! {
            () = fragile => true,
            () = innocent => false,
            // Nothing comes any more.
            () = sleep(50 * WORK) => false,
        };
        self.carrying.abort();
        let _ = self.carrying.await;
        (handled, died)
    }
}

/// The innocent module has a message in hand at every death, and is slower than the host dies.
#[tokio::test]
async fn a_message_that_kills_its_host_takes_no_message_of_a_neighbour_with_it() {
    for late in [None, Some(0), Some(1)] {
        let mut bench = bench();
        bench.publish(1, 0..8).await;
        bench.publish(0, [POISON, 1]).await;
        let mut deaths = 0;
        let mut handled = Vec::new();
        loop {
            let process = bench.process(late).await;
            let (more, died) = process.run().await;
            handled.extend(more);
            if !died {
                break;
            }
            deaths += 1;
            assert!(deaths < 10, "the poison is never given up");
        }
        assert_eq!(deaths, 3, "{late:?}");
        assert_eq!(number(&within("a dead letter", bench.graves.recv()).await.unwrap().message), POISON);
        assert!(bench.graves.is_empty());
        assert_eq!((bench.counters(0).dead, bench.counters(1).dead), (1, 0));
        handled.dedup();
        assert_eq!(handled, (0..8).collect::<Vec<_>>(), "{late:?}: in order, and all of them");
    }
}

fn parcel() -> Parcel {
    Parcel::message(message(0).frame().clone())
}

/// A lane with a message out that nobody settles.
fn busy() -> Lane {
    let lane = Lane::new(1, 1, WINDOW);
    lane.try_send(parcel()).unwrap();
    lane
}

#[tokio::test(start_paused = true)]
async fn a_suspect_that_takes_too_long_goes_on_among_the_others() {
    let suspects = Suspects::new();
    let (mut suspect, mut other) = (suspects.turn(), suspects.turn());
    let (lane, idle) = (busy(), Lane::new(2, 1, WINDOW));
    suspect.isolate().await;
    assert!(suspect.is_alone());
    let held_back = timeout(Duration::from_secs(1), other.share(&idle)).await;
    assert!(held_back.is_err());
    let acquitting = tokio::spawn(async move {
        let _ = suspect.acquit(&lane).await;
    });
    other.share(&idle).await.unwrap();
    assert!(!acquitting.is_finished(), "its own lane sends nothing more until it is settled");
    acquitting.abort();
}

#[tokio::test(start_paused = true)]
async fn a_suspect_whose_neighbours_are_not_done_goes_among_them_and_is_not_blamed() {
    let suspects = Suspects::new();
    let (mut suspect, mut other) = (suspects.turn(), suspects.turn());
    let lane = busy();
    other.share(&lane).await.unwrap();
    let waiting = tokio::spawn(async move {
        suspect.isolate().await;
        suspect
    });
    // It holds the other back, but not for ever.
    sleep(Duration::from_secs(1)).await;
    other.share(&lane).await.unwrap();
    assert!(!waiting.await.unwrap().is_alone());
}

#[tokio::test(start_paused = true)]
async fn between_two_suspects_the_others_have_their_turn() {
    let suspects = Suspects::new();
    let mut turns: Vec<_> = (0..3).map(|_| suspects.turn()).collect();
    let (mut last, mut other, mut first) = (turns.remove(0), turns.remove(0), turns.remove(0));
    let idle = Lane::new(1, 1, WINDOW);
    first.isolate().await;
    let (told, mut order) = mpsc::unbounded_channel();
    let lane = idle.clone();
    let told_by_other = told.clone();
    let sharing = tokio::spawn(async move {
        other.share(&lane).await.unwrap();
        told_by_other.send("other").unwrap();
        // It goes when it is idle and a suspect asks.
        other.lend(&lane, std::future::pending::<()>()).await;
    });
    tokio::task::yield_now().await;
    let isolating = tokio::spawn(async move {
        last.isolate().await;
        assert!(last.is_alone());
        told.send("last").unwrap();
    });
    tokio::task::yield_now().await;
    first.acquit(&idle).await.unwrap();
    first.leave();
    assert_eq!((order.recv().await, order.recv().await), (Some("other"), Some("last")));
    isolating.await.unwrap();
    sharing.abort();
}

#[tokio::test(start_paused = true)]
async fn a_suspect_that_has_its_host_for_itself_is_given_all_the_time_it_takes() {
    let suspects = Suspects::new();
    let mut suspect = suspects.turn();
    let lane = busy();
    suspect.isolate().await;
    let _ = timeout(Duration::from_secs(3600), suspect.acquit(&lane)).await;
    assert!(suspect.is_alone());
}
