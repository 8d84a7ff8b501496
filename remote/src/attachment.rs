//! One attach: an instance, and the way by which its messages go.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::sleep;
use std::time::{Duration, Instant};

use sandgate_attach::{FAREWELL, Incoming, LOOK, Linked, Port, Reunion, has_last_words, left_over};
use sandgate_wire::link::{Lanes, Parcel, State, Window};
use sandgate_wire::{Channel, Create, DecodeError, Message};
use tokio::sync::watch;

use crate::Broker;
use crate::broker::Outlet;
use crate::guarded::{Failure, Guarded};
use crate::module::ModuleClass;
use crate::park::block_on;
use crate::statistics::Ledger;

/// Data messages that each direction holds.
pub(crate) const WINDOW: Window = Window { messages: 1024, bytes: 64 << 20 };
/// How long messages that have arrived already are still handled once the module is to be destroyed.
const DRAIN: Duration = Duration::from_secs(1);

pub(crate) struct Attachment {
    create: Create,
    gateway: Gateway,
    instance: Guarded,
    outlet: Arc<Outlet>,
    /// V1's message channel; closed once the module is started on a lane.
    channel: Option<Arc<dyn Channel>>,
    link: Option<Linked>,
    ledger: Arc<Ledger>,
    /// Present from Start on.
    port: Option<Port>,
}

/// Which gateway it is, by its connection to which of the control channels that there were.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Gateway {
    pub(crate) bound: u64,
    pub(crate) connection: u64,
}

/// What became of a message.
pub(crate) enum Received {
    Handled,
    /// It is no message.
    Malformed(DecodeError),
    /// The module returned an error.
    Refused(String),
    /// The instance has panicked.
    Failed(Failure),
}

impl Attachment {
    /// Makes an instance. The channel is closed again if there is none to be had.
    pub(crate) fn create(
        class: &ModuleClass,
        create: Create,
        gateway: Gateway,
        channel: Arc<dyn Channel>,
        ledger: &Arc<Ledger>,
    ) -> Result<Self, Failure> {
        ledger.open(&channel);
        let outlet = Outlet::new(ledger.clone());
        let broker = Broker::new(outlet.clone());
        match Guarded::create(class, &create.arguments, broker) {
            Ok(instance) => {
                ledger.count(|counts| counts.created += 1);
                Ok(Self {
                    create,
                    gateway,
                    instance,
                    outlet,
                    channel: Some(channel),
                    link: None,
                    ledger: ledger.clone(),
                    port: None,
                })
            }
            Err(failure) => {
                outlet.end();
                close_message_channel(&channel, ledger);
                Err(failure)
            }
        }
    }

    /// Whether a Create is only the repetition of the one that made this: the same, of the same gateway, before its
    /// Start. One that has come over the link may have overtaken it; the next attach of that gateway is on another
    /// connection.
    pub(crate) fn is_repeated_by(&self, create: &Create, gateway: Gateway) -> bool {
        !matches!(self.port, Some(Port::Pair { .. })) && self.gateway == gateway && self.create == *create
    }

    pub(crate) fn is_started(&self) -> bool {
        self.port.is_some()
    }

    /// Lets messages flow on V1's channel.
    pub(crate) fn start_on_pair(&mut self) -> Result<(), Failure> {
        let Some(channel) = &self.channel else { return Ok(()) };
        // A gateway that has messages go this way may have joined the link for segments.
        let segments = self.link.as_ref().map(|link| link.lane().clone());
        self.start(Port::pair_with_segments(channel.clone(), segments))
    }

    /// Makes the lane that a gateway has asked for, in the place of an older one. What earlier instances have left is
    /// the first to go.
    pub(crate) fn open_lane(&mut self, lanes: Lanes, lane: (u32, u32), leftovers: &mut Vec<Parcel>) {
        if let Some(older) = self.link.take() {
            older.withdraw(leftovers);
        }
        self.link = Some(Linked::open(lanes, lane, WINDOW, leftovers));
    }

    /// Whether its lane is the one of this epoch.
    pub(crate) fn has_lane(&self, epoch: u32) -> bool {
        self.link.as_ref().is_some_and(|link| link.lane().epoch() == epoch)
    }

    /// Lets messages flow on the lane. V1's channel is needed no more.
    pub(crate) fn start_on_lane(&mut self) -> Result<(), Failure> {
        let Some(link) = &self.link else { return Ok(()) };
        let port = Port::Link(link.lane().clone());
        if let Some(channel) = self.channel.take() {
            close_message_channel(&channel, &self.ledger);
        }
        self.start(port)
    }

    fn start(&mut self, port: Port) -> Result<(), Failure> {
        self.outlet.open(port.clone());
        self.port = Some(port);
        self.instance.start()
    }

    /// The link that its lane is on.
    pub(crate) fn lanes(&self) -> Option<Lanes> {
        self.link.as_ref().map(|link| link.lanes().clone())
    }

    /// Tells a Sandgate gateway that the module works.
    pub(crate) fn tell_running(&self) {
        let link = self.link.as_ref().filter(|link| self.is_started() && *link.connected.borrow());
        link.into_iter().for_each(|link| link.signal(State::Running, ""));
    }

    /// Where messages come from, from Start on; and when its lane's connection comes or goes.
    pub(crate) fn sources(&mut self) -> (Option<&Port>, Option<&mut watch::Receiver<bool>>) {
        (self.port.as_ref(), self.link.as_mut().map(|link| &mut link.connected))
    }

    /// Gives the instance a message. It is done with unless the instance has failed in it.
    pub(crate) fn receive(&mut self, incoming: &Incoming) -> Received {
        let received = self.give(incoming);
        if let (Some(port), false) = (&self.port, matches!(received, Received::Failed(_))) {
            port.settle(incoming);
        }
        received
    }

    fn give(&mut self, incoming: &Incoming) -> Received {
        let message = match Message::decode(incoming.frame.clone()) {
            Ok(message) => message,
            Err(error) => {
                self.ledger.count(|counts| counts.malformed += 1);
                return Received::Malformed(error);
            }
        };
        self.ledger.count(|counts| counts.received += 1);
        match self.instance.receive(message) {
            Ok(()) => Received::Handled,
            Err(Failure::Refused(reason)) => {
                self.ledger.count(|counts| counts.failed += 1);
                Received::Refused(reason)
            }
            Err(failure) => Received::Failed(failure),
        }
    }

    /// Handles what has arrived already, for a bounded time, and makes the last call.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        let end = Instant::now() + DRAIN;
        let mut context = Context::from_waker(Waker::noop());
        while Instant::now() < end
            && let Some(port) = &self.port
            && let Poll::Ready(Ok(incoming)) = port.poll_recv(&mut context)
        {
            if let Received::Failed(failure) = self.receive(&incoming) {
                return Err(failure);
            }
        }
        self.instance.destroy()
    }

    /// Has a message given up in which the instance has failed. Not done when the gateway has no room for that: then
    /// the message comes again.
    pub(crate) fn bury(&self, incoming: &Incoming, verdict: String) -> bool {
        let (Some(Port::Link(lane)), Some(sequence)) = (&self.port, incoming.sequence) else { return false };
        if lane.try_send(Parcel::dead_letter(sequence, verdict.into())).is_err() {
            return false;
        }
        lane.settle(sequence);
        true
    }

    /// Drops the instance and frees the way of its messages. What was published gets its time to leave; what is left of
    /// it on a lane waits for the next gateway.
    pub(crate) fn release(self, detail: &str, leftovers: &mut Vec<Parcel>, reunion: &mut Reunion) {
        let Self { create, instance, outlet, channel, link, ledger, .. } = self;
        drop(instance);
        outlet.end();
        if let Some(link) = link {
            while_bounded(FAREWELL, || link.is_awaited());
            leftovers.extend(left_over(link.close(detail)));
        }
        if let Some(channel) = channel {
            settle(&*channel);
            reunion.part(&*channel, &create.uri);
            close_message_channel(&channel, &ledger);
        }
    }
}

/// Closes the channel, and counts what neither side has read.
fn close_message_channel(channel: &Arc<dyn Channel>, ledger: &Ledger) {
    let statistics = channel.statistics();
    ledger.close(channel);
    block_on(channel.close());
    let mut context = Context::from_waker(Waker::noop());
    let mut unread = statistics.dropped;
    while let Poll::Ready(Ok(_)) = channel.poll_recv(&mut context) {
        unread += 1;
    }
    ledger.count(|counts| {
        counts.dropped += statistics.waiting;
        counts.unread += unread;
    });
}

/// Waits until everything has left for a peer that is there, for a bounded time.
pub(crate) fn settle(channel: &dyn Channel) {
    while_bounded(FAREWELL, || has_last_words(channel));
}

/// Waits while something is to be waited for, for a bounded time: a gateway that does not read keeps nobody here.
pub(crate) fn while_bounded(longest: Duration, waits: impl Fn() -> bool) {
    let end = Instant::now() + longest;
    while waits() && Instant::now() < end {
        sleep(LOOK);
    }
}
