//! The control protocol, as a module's side speaks it: Create, Reply, Start, Destroy. With a Sandgate gateway
//! everything behind the Reply goes over the host link.
//!
//! `next` waits and changes nothing, so it may be given up at any time; `handle` does what is to be done and waits
//! for nobody but the module.

use std::fmt::Display;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::sleep;
use std::time::Duration;

use bytes::Bytes;
use sandgate_attach::{
    Burst, Incoming, LinkEvent, Port, REUNION, Reunion, Seat, Transport, TransportError, refuse,
};
use sandgate_wire::channel::{Closed, Peer, SendError};
use sandgate_wire::link::Parcel;
use sandgate_wire::{Channel, Control, Create, DecodeError, Reply, Status};
use tokio::sync::watch;

use crate::Ended;
use crate::attachment::{Attachment, Gateway, Received, WINDOW, settle, while_bounded};
use crate::guarded::Failure;
use crate::host_link::HostLink;
use crate::module::ModuleClass;
use crate::park::block_on;
use crate::statistics::Ledger;
use crate::suspect::{Suspect, verdict};

/// How soon a control address that could not be bound anew is tried again.
const REBIND: Duration = Duration::from_millis(100);
/// Creates that one Reply answers at most: one who sends nothing else keeps nobody here.
const REPETITIONS_MAX: usize = 256;

/// What a session is made of.
#[derive(Clone)]
pub(crate) struct Setup {
    /// How the log calls the module.
    pub(crate) label: Arc<str>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) class: ModuleClass,
    pub(crate) ledger: Arc<Ledger>,
    /// A Destroy ends the session. Otherwise it waits for the next gateway.
    pub(crate) ends_with_destroy: bool,
    /// What is offered to Sandgate gateways.
    pub(crate) link: Option<Arc<HostLink>>,
}

/// One control id: attaches a module to whichever gateway comes, one at a time.
pub(crate) struct Session {
    setup: Setup,
    control: Arc<dyn Channel>,
    peer: watch::Receiver<Peer>,
    /// How often the control channel was made.
    bound: u64,
    attached: Option<Attachment>,
    reunion: Reunion,
    /// Present when the link is offered.
    seat: Option<Seat>,
    /// What earlier instances have published and no gateway has settled yet.
    leftovers: Vec<Parcel>,
    suspect: Suspect,
    /// A control message that was taken while others were looked for.
    ahead: Option<Bytes>,
    /// Whose turn it is when both channels have something: neither starves the other.
    message_first: bool,
    malformed: Burst,
    refused: Burst,
    unbound: Burst,
}

/// What is to be handled.
#[derive(Debug)]
pub(crate) enum Event {
    Control(Bytes),
    Message(Incoming),
    Link(LinkEvent),
    /// The lane's connection has come or gone.
    Connection,
    /// A gateway has come or gone.
    Peer,
    /// The control channel is of no use any more.
    Unbound,
}

impl Session {
    /// Binds the control channel.
    pub(crate) fn bind(setup: Setup) -> Result<Self, TransportError> {
        let control = setup.transport.control()?;
        setup.ledger.open(&control);
        Ok(Self {
            seat: setup.link.as_ref().map(|link| link.register()),
            setup,
            peer: control.peer(),
            control,
            bound: 1,
            attached: None,
            reunion: Reunion::default(),
            leftovers: Vec::new(),
            suspect: Suspect::default(),
            ahead: None,
            message_first: true,
            malformed: Burst::default(),
            refused: Burst::default(),
            unbound: Burst::default(),
        })
    }

    fn label(&self) -> &str {
        &self.setup.label
    }

    /// The next thing to handle: what has come over either channel in turn, what a Sandgate gateway wants, or news of
    /// the gateway itself.
    pub(crate) async fn next(&mut self) -> Event {
        if let Some(frame) = self.ahead.take() {
            return Event::Control(frame);
        }
        let Self { control, peer, attached, seat, message_first, .. } = self;
        let (port, connected) = attached.as_mut().map_or((None, None), Attachment::sources);
        let frame = poll_fn(|context| poll_channels(&**control, port, *message_first, context));
        let event = tokio::select! {
            biased;
            changed = peer.changed() => if changed.is_ok() { Event::Peer } else { Event::Unbound },
            Some(event) = link_event(seat) => Event::Link(event),
            Ok(()) = change(connected) => Event::Connection,
            event = frame => event,
        };
        match event {
            Event::Control(_) => *message_first = true,
            Event::Message(_) => *message_first = false,
            Event::Link(_) | Event::Connection | Event::Peer | Event::Unbound => {}
        }
        event
    }

    /// Handles an event. Gives the session's end, if this is it.
    pub(crate) fn handle(&mut self, event: Event) -> Option<Ended> {
        match event {
            Event::Control(frame) => return self.on_control(&frame),
            Event::Message(incoming) => self.on_message(&incoming),
            Event::Link(event) => return self.on_link(event),
            // A gateway that was away is told again.
            Event::Connection => self.attached.iter().for_each(Attachment::tell_running),
            Event::Peer if self.has_stale_replies() => self.rebind(),
            Event::Peer => {}
            Event::Unbound => self.rebind(),
        }
        None
    }

    fn on_control(&mut self, frame: &[u8]) -> Option<Ended> {
        match Control::decode(frame) {
            Ok(Control::Create(create)) => self.on_create(create),
            Ok(Control::Start) => self.on_start(),
            Ok(Control::Destroy) => return self.on_destroy(),
            // Only modules reply.
            Ok(Control::Reply(_)) => self.on_malformed_control(&"a Reply from a gateway"),
            Err(error) => {
                self.on_malformed_control(&error);
                // V1's hosts answer what they cannot understand in this way, and work on.
                if let DecodeError::Version(_) | DecodeError::CreateVersion(_) | DecodeError::ChannelType(_) =
                    error
                {
                    self.reply(Status::CONNECTION_ERROR);
                }
            }
        }
        None
    }

    fn on_malformed_control(&mut self, reason: &dyn Display) {
        self.setup.ledger.count(|counts| counts.malformed += 1);
        self.complain_of_malformed(reason);
    }

    fn complain_of_malformed(&mut self, reason: &dyn Display) {
        if let Some(count) = self.malformed.note() {
            tracing::warn!(module = self.label(), count, %reason, "dropped malformed messages of the gateway");
        }
    }

    /// A gateway repeats its Create until it is answered. Repetitions are answered by one instance. Once Start has
    /// come, or another gateway, a Create is a new attach and gets a new instance.
    fn on_create(&mut self, create: Create) {
        let gateway = self.gateway();
        if self.attached.as_ref().is_some_and(|attached| attached.is_repeated_by(&create, gateway)) {
            return self.reply(Status::SUCCESS);
        }
        self.detach();
        let channel = match self.setup.transport.message(&create.uri, WINDOW) {
            Ok(channel) => channel,
            Err(error) => {
                tracing::error!(module = self.label(), %error, "cannot bind the message channel");
                return self.reply(Status::CONNECTION_ERROR);
            }
        };
        let Setup { class, ledger, .. } = &self.setup;
        let created = Attachment::create(class, create.clone(), gateway, channel.clone(), ledger);
        match created {
            Ok(attached) => {
                while_bounded(REUNION, || self.reunion.is_due(&*channel, &create.uri));
                self.reunion.end();
                self.skip_repetitions(&create);
                tracing::info!(module = self.label(), channel = create.uri, "created");
                self.attached = Some(attached);
                self.reply(Status::SUCCESS);
            }
            Err(failure) => {
                self.skip_repetitions(&create);
                self.on_failure(&failure);
            }
        }
    }

    fn gateway(&self) -> Gateway {
        Gateway { bound: self.bound, connection: self.peer.borrow().connections }
    }

    /// Creates that piled up while the instance was being made are answered by the Reply that follows.
    fn skip_repetitions(&mut self, create: &Create) {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..REPETITIONS_MAX {
            let Poll::Ready(Ok(frame)) = self.control.poll_recv(&mut context) else { return };
            let repeats = matches!(Control::decode(&frame), Ok(Control::Create(again)) if again == *create);
            if !repeats {
                self.ahead = Some(frame);
                return;
            }
        }
    }

    fn on_start(&mut self) {
        let Some(attached) = &mut self.attached else { return };
        if attached.is_started() {
            return;
        }
        // V1 cannot tell old messages from new ones.
        let dropped = std::mem::take(&mut self.leftovers).len();
        self.setup.ledger.count(|counts| counts.dropped += dropped as u64);
        match attached.start_on_pair() {
            Ok(()) => tracing::info!(module = &*self.setup.label, "started"),
            Err(failure) => self.on_failure(&failure),
        }
    }

    fn on_link(&mut self, event: LinkEvent) -> Option<Ended> {
        let has_lane = |epoch| self.attached.as_ref().is_some_and(|attached| attached.has_lane(epoch));
        match event {
            LinkEvent::Open { lanes, epoch } => {
                let Some(seat) = &self.seat else { return None };
                match &mut self.attached {
                    Some(attached) if !attached.is_started() => {
                        attached.open_lane(lanes, (seat.module(), epoch), &mut self.leftovers);
                    }
                    _ => {
                        refuse(&lanes, seat.module(), epoch, "the module is not created, or started already");
                    }
                }
            }
            LinkEvent::Start { epoch } if has_lane(epoch) => self.on_link_start(epoch),
            LinkEvent::Close { epoch } if has_lane(epoch) => return self.on_destroy(),
            // Nothing is ever quarantined here: the gateway creates anew what has failed.
            LinkEvent::Start { .. } | LinkEvent::Close { .. } | LinkEvent::Revive { .. } => {}
        }
        None
    }

    fn on_link_start(&mut self, epoch: u32) {
        let Some(attached) = self.attached.as_mut().filter(|attached| !attached.is_started()) else { return };
        if let (Some(seat), Some(lanes)) = (&self.seat, attached.lanes()) {
            seat.open_account(self.setup.ledger.clone(), lanes, epoch);
        }
        match attached.start_on_lane() {
            Ok(()) => tracing::info!(module = &*self.setup.label, "started, on the host link"),
            Err(failure) => self.on_failure(&failure),
        }
    }

    fn on_message(&mut self, incoming: &Incoming) {
        let Some(attached) = &mut self.attached else { return };
        match attached.receive(incoming) {
            Received::Handled => self.suspect.acquit(),
            Received::Malformed(error) => self.complain_of_malformed(&error),
            Received::Refused(reason) => {
                self.suspect.acquit();
                if let Some(count) = self.refused.note() {
                    tracing::warn!(
                        module = self.label(),
                        count,
                        "the module failed to handle messages: {reason}"
                    );
                }
            }
            Received::Failed(failure) => {
                self.blame(incoming, &failure);
                self.on_failure(&failure);
            }
        }
    }

    /// A message that has ended too many instances is given up.
    fn blame(&mut self, incoming: &Incoming, failure: &Failure) {
        let Some(kills) = self.suspect.blame(incoming) else { return };
        let verdict = verdict(self.label(), incoming, &failure.to_string(), kills);
        if self.attached.as_ref().is_some_and(|attached| attached.bury(incoming, verdict)) {
            tracing::error!(module = self.label(), kills, "a message is given up");
            self.suspect.acquit();
            self.setup.ledger.count(|counts| counts.dead += 1);
        }
    }

    /// The gateway is told, and attaches anew.
    fn on_failure(&mut self, failure: &Failure) {
        tracing::error!(module = self.label(), "the module has failed: {failure}");
        self.setup.ledger.count(|counts| counts.failures += 1);
        if let Some(attached) = self.attached.take() {
            self.release(attached, &failure.to_string());
        }
        self.reply(Status::CREATION_ERROR);
    }

    fn on_destroy(&mut self) -> Option<Ended> {
        if self.attached.is_some() {
            tracing::info!(module = self.label(), "destroyed by the gateway");
        }
        self.detach();
        self.setup.ends_with_destroy.then_some(Ended::Destroyed)
    }

    fn release(&mut self, attached: Attachment, detail: &str) {
        if let Some(seat) = &self.seat {
            seat.close_account();
        }
        attached.release(detail, &mut self.leftovers, &mut self.reunion);
    }

    /// Ends the instance in good order, if there is one.
    fn detach(&mut self) {
        let Some(mut attached) = self.attached.take() else { return };
        if let Err(failure) = attached.finish() {
            tracing::error!(module = self.label(), "the module has failed at its end: {failure}");
            self.setup.ledger.count(|counts| counts.failures += 1);
        }
        self.release(attached, "the module has ended");
    }

    fn reply(&self, status: Status) {
        let module = self.label();
        // A Reply that waits in a socket would be read by the next gateway as an answer to its Create.
        if !self.peer.borrow().connected {
            return tracing::debug!(module, %status, "no gateway to reply to");
        }
        let extension = match self.seat.as_ref().and_then(Seat::offer) {
            Some(offer) if status.is_success() => offer.encode().unwrap_or_else(|error| {
                tracing::warn!(module, %error, "the host link cannot be offered");
                Bytes::new()
            }),
            _ => Bytes::new(),
        };
        let sent = match Control::Reply(Reply { status, extension }).encode() {
            Ok(frame) => self.control.try_send(frame),
            Err(error) => return tracing::error!(module, %error, "cannot encode a Reply"),
        };
        match sent {
            Ok(()) => tracing::debug!(module, %status, "replied"),
            Err(SendError::Full(_)) => tracing::debug!(module, "the gateway does not read its Replies"),
            Err(SendError::Closed) => tracing::debug!(module, "the control channel is closed"),
        }
    }

    /// The gateway has gone, and something that was meant for it is still in the socket.
    fn has_stale_replies(&self) -> bool {
        !self.peer.borrow().connected && self.control.statistics().waiting > 0
    }

    /// Makes a fresh control channel. One that cannot be had leaves the closed one in its place, which ends its
    /// next receive at once, and so brings this about again.
    fn rebind(&mut self) {
        self.close_control();
        match self.setup.transport.control() {
            Ok(control) => {
                self.setup.ledger.open(&control);
                self.peer = control.peer();
                self.control = control;
                self.bound += 1;
            }
            Err(error) => {
                if self.unbound.note().is_some() {
                    tracing::error!(module = self.label(), %error, "cannot bind the control channel anew");
                }
                sleep(REBIND);
            }
        }
    }

    fn close_control(&self) {
        self.setup.ledger.close(&self.control);
        block_on(self.control.close());
    }

    /// Ends the session: the instance first, so that what it still publishes finds the gateway, then the gateway
    /// is told that the module is gone, unless it has destroyed it.
    pub(crate) fn end(mut self) {
        let attached = self.attached.is_some();
        self.detach();
        if attached {
            self.reply(Status::DETACH);
        }
        // Closing a socket drops what it has not sent.
        settle(&*self.control);
        self.close_control();
        let lost = self.leftovers.len() as u64;
        self.setup.ledger.count(|counts| counts.dropped += lost);
        let counts = self.setup.ledger.statistics();
        tracing::info!(module = self.label(), "stopped {counts}");
    }
}

/// What a Sandgate gateway wants, if there is a link.
async fn link_event(seat: &mut Option<Seat>) -> Option<LinkEvent> {
    match seat {
        Some(seat) => seat.events.recv().await,
        None => pending().await,
    }
}

async fn change(connected: Option<&mut watch::Receiver<bool>>) -> Result<(), watch::error::RecvError> {
    match connected {
        Some(connected) => connected.changed().await,
        None => pending().await,
    }
}

fn poll_channels(
    control: &dyn Channel,
    port: Option<&Port>,
    message_first: bool,
    context: &mut Context<'_>,
) -> Poll<Event> {
    for message in [message_first, !message_first] {
        if message {
            // A closed channel has nothing more to say; the session will.
            if let Some(Poll::Ready(Ok(incoming))) = port.map(|port| port.poll_recv(context)) {
                return Poll::Ready(Event::Message(incoming));
            }
        } else {
            match control.poll_recv(context) {
                Poll::Ready(Ok(frame)) => return Poll::Ready(Event::Control(frame)),
                Poll::Ready(Err(Closed)) => return Poll::Ready(Event::Unbound),
                Poll::Pending => {}
            }
        }
    }
    Poll::Pending
}
