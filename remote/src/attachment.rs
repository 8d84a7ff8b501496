//! One attach: an instance, and the channel by which its messages go.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::sleep;
use std::time::{Duration, Instant};

use sandgate_attach::{FAREWELL, Incoming, LOOK, Port, has_last_words};
use sandgate_wire::link::Window;
use sandgate_wire::{Channel, Create, DecodeError, Message};

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
    channel: Arc<dyn Channel>,
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
                Ok(Self { create, gateway, instance, outlet, channel, ledger: ledger.clone(), port: None })
            }
            Err(failure) => {
                outlet.end();
                close_message_channel(&channel, ledger);
                Err(failure)
            }
        }
    }

    /// Whether a Create is only the repetition of the one that made this: the same, of the same gateway, before its
    /// Start.
    pub(crate) fn is_repeated_by(&self, create: &Create, gateway: Gateway) -> bool {
        self.port.is_none() && self.gateway == gateway && self.create == *create
    }

    pub(crate) fn is_started(&self) -> bool {
        self.port.is_some()
    }

    /// Lets messages flow.
    pub(crate) fn start(&mut self) -> Result<(), Failure> {
        let port = Port::pair(self.channel.clone());
        self.outlet.open(port.clone());
        self.port = Some(port);
        self.instance.start()
    }

    /// The next message. Before Start they stay where they are, which is bounded.
    pub(crate) fn poll_message(&self, context: &mut Context<'_>) -> Poll<Incoming> {
        let Some(port) = &self.port else { return Poll::Pending };
        match port.poll_recv(context) {
            Poll::Ready(Ok(incoming)) => Poll::Ready(incoming),
            // A closed channel has nothing more to say; the session will.
            _ => Poll::Pending,
        }
    }

    /// Gives the instance a message.
    pub(crate) fn receive(&mut self, incoming: Incoming) -> Received {
        let message = match Message::decode(incoming.frame) {
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
            && let Poll::Ready(incoming) = self.poll_message(&mut context)
        {
            if let Received::Failed(failure) = self.receive(incoming) {
                return Err(failure);
            }
        }
        self.instance.destroy()
    }

    /// Drops the instance and frees the channel. What was published gets its time to leave.
    pub(crate) fn release(self) {
        let Self { instance, outlet, channel, ledger, .. } = self;
        drop(instance);
        outlet.end();
        settle(&*channel);
        close_message_channel(&channel, &ledger);
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

/// Waits until everything has left for a peer that is there, for a bounded time: one that does not read keeps
/// nobody here.
pub(crate) fn settle(channel: &dyn Channel) {
    let end = Instant::now() + FAREWELL;
    while has_last_words(channel) && Instant::now() < end {
        sleep(LOOK);
    }
}
