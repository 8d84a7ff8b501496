//! What it costs to call a component that receives a message and publishes it, each way, on one thread and with all limits
//! and accounts; beside the same work in Rust without a component.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use rustix::time::{ClockId, clock_gettime};
use sandgate_attach::Port;
use sandgate_host::{Code, Direct, Engine, Limits, Module};
use sandgate_tests::programs::guest;
use sandgate_wire::Message;
use sandgate_wire::channel::{Channel, Closed, Peer, SendError, Statistics};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::GOAL_SIZE;
use crate::figures::median;
use crate::goal::Goal;
use crate::report::{Report, Row};

const CALLS: usize = 400_000;
/// As many as one call is given.
const BATCH: usize = 16;
/// Who is said to have published the messages.
const SOURCE: &str = "pump";

/// How messages go in and out.
#[derive(Clone, Copy, Debug)]
enum Way {
    Records,
    Encoded,
    Batches,
}

impl Way {
    /// With its name, the component, and what a message may cost, in nanoseconds.
    const ALL: [(Self, &'static str, &'static str, f64); 3] = [
        (Self::Records, "call by records", "modules/echo_by_records", 1000.0),
        (Self::Encoded, "call encoded", "modules/echo", 400.0),
        (Self::Batches, "call of 16, each", "modules/echo", 250.0),
    ];
}

pub(crate) fn measure(
    report: &mut Report,
    wanted: impl Fn(&str) -> bool,
    rounds: u32,
    scale: usize,
) -> Result<()> {
    let ways: Vec<_> = Way::ALL.into_iter().filter(|(_, name, ..)| wanted(name)).collect();
    if ways.is_empty() {
        return Ok(());
    }
    let runtime = Runtime::new()?;
    let engine = Engine::new(&Code::UserCache)?;
    let message = Message::new(&[("a", "1"), ("b", "2")], vec![0; GOAL_SIZE])?;
    let messages = vec![message; BATCH];
    let calls = (CALLS / scale).max(BATCH);
    for (way, name, component, goal) in ways {
        let mut component = Component::start(&engine, &guest(component), &runtime)?;
        let native = Native::default();
        component.run(way, &messages, calls / 10)?;
        let (mut ours, mut reference) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(component.run(way, &messages, calls)?);
            reference.push(native.run(way, &messages, calls)?);
        }
        let ratio = median(std::iter::zip(&ours, &reference).map(|(ours, reference)| ours / reference));
        let row = Row::new(format!("component {name}, {GOAL_SIZE} B"), median(ours), "ns");
        report.add(row.beside(median(reference), ratio).with_goals(&[Goal::AtMost(goal)]));
    }
    Ok(())
}

/// Where what is published goes: it is counted, and dropped.
#[derive(Debug)]
struct Sink {
    taken: AtomicU64,
    peer: watch::Sender<Peer>,
}

impl Default for Sink {
    fn default() -> Self {
        let peer = Peer { connected: true, connections: 1 };
        Self { taken: AtomicU64::new(0), peer: watch::Sender::new(peer) }
    }
}

impl Channel for Sink {
    fn try_send(&self, frame: Bytes) -> Result<(), SendError> {
        drop(black_box(frame));
        self.taken.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn poll_ready(&self, _: &mut TaskContext<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(Ok(()))
    }

    fn poll_recv(&self, _: &mut TaskContext<'_>) -> Poll<Result<Bytes, Closed>> {
        Poll::Pending
    }

    fn peer(&self) -> watch::Receiver<Peer> {
        self.peer.subscribe()
    }

    fn statistics(&self) -> Statistics {
        Statistics::default()
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async {})
    }
}

/// Nanoseconds of this thread's own time, in which nothing is that others do on the machine meanwhile, for each of so many
/// messages, all of which must have come out.
fn timed(sink: &Sink, count: usize, run: impl FnOnce() -> Result<()>) -> Result<f64> {
    let before = sink.taken.load(Ordering::Relaxed);
    let begun = own_time();
    run()?;
    let time = own_time().saturating_sub(begun);
    let taken = sink.taken.load(Ordering::Relaxed) - before;
    ensure!(taken == count as u64, "{taken} of {count} messages came out");
    Ok(time.as_secs_f64() * 1e9 / count as f64)
}

fn own_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

struct Component {
    instance: Direct,
    sink: Arc<Sink>,
}

impl Component {
    fn start(engine: &Engine, path: &std::path::Path, runtime: &Runtime) -> Result<Self> {
        // More than a million messages a second are more than a module may publish.
        let limits =
            Limits { max_publish_rate: 1 << 30, max_publish_byte_rate: 1 << 40, ..Limits::default() };
        let module = Module::load(engine, path, &limits)?;
        let sink = Arc::new(Sink::default());
        let started = Direct::start(&module, limits, Port::pair(sink.clone()), runtime.handle().clone())?;
        let instance = started.map_err(anyhow::Error::msg).context("the module refuses")?;
        Ok(Self { instance, sink })
    }

    fn run(&mut self, way: Way, messages: &[Message], calls: usize) -> Result<f64> {
        let Self { instance, sink } = self;
        let (message, calls) = (&messages[0], calls / BATCH);
        timed(sink, calls * BATCH, || {
            for _ in 0..calls {
                if let Way::Batches = way {
                    // A batch ends early when the system takes the processor away meanwhile.
                    let mut left = messages;
                    while !left.is_empty() {
                        let handled = instance.receive_batch(left, SOURCE)?;
                        ensure!(handled > 0, "the module takes no encoded messages");
                        left = &left[handled..];
                    }
                    continue;
                }
                for _ in 0..BATCH {
                    if let Err(reason) = instance.receive(message, SOURCE)? {
                        bail!("the module refuses a message: {reason}");
                    }
                }
            }
            Ok(())
        })
    }
}

/// What the component and its host do with a message, as functions of one program.
#[derive(Default)]
struct Native {
    sink: Sink,
}

impl Native {
    fn run(&self, way: Way, messages: &[Message], calls: usize) -> Result<f64> {
        let calls = calls / BATCH;
        timed(&self.sink, calls * BATCH, || {
            for message in std::iter::repeat_n(messages, calls).flatten() {
                let message = black_box(message);
                let frame = match way {
                    Way::Records => by_record(message)?,
                    Way::Encoded | Way::Batches => encoded(message)?,
                };
                self.sink.try_send(frame)?;
            }
            Ok(())
        })
    }
}

/// Taken apart, handed over, and put together again.
fn by_record(message: &Message) -> Result<Bytes> {
    let properties = message.properties().map(|(key, value)| (key.to_owned(), value.to_owned()));
    let parts = black_box((properties.collect::<Vec<_>>(), message.content().to_vec()));
    Ok(Message::new(&parts.0, &parts.1)?.into_frame())
}

/// Copied in and out, and checked.
fn encoded(message: &Message) -> Result<Bytes> {
    let copy = black_box(BytesMut::from(&message.frame()[..]));
    let frame = Bytes::copy_from_slice(&copy);
    Ok(Message::decode(frame)?.into_frame())
}
