//! The control protocol, as a module host speaks it: Create, Reply, Start, Destroy. With a Sandgate gateway
//! everything behind the Reply goes over the host link.

mod attachment;

use std::sync::Arc;
use std::time::Duration;

use sandgate_attach::{
    Burst, LinkEvent, LinkServer, Reunion, Seat, Transport, TransportError, left_over, refuse,
};
use sandgate_wire::channel::{Peer, SendError};
use sandgate_wire::link::{Parcel, State};
use sandgate_wire::{Channel, Control, Create, DecodeError, Reply, Status};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::actor::{Ending, Health, Phase as HealthPhase, Refusal};
use crate::blueprint::{Blueprint, Setup, Sharing};
use crate::naming::Naming;
use crate::residents::Residents;
use crate::tenant::Tenant;
use crate::verdict::{Archive, Reporter};
use attachment::{Attachment, News, Phase, close_lane, news, reunite, settle};

/// How long an instance may take to end beyond the deadline of the call that is going on.
const STOP_MARGIN: Duration = Duration::from_secs(2);
/// How soon a control address that could not be bound anew is tried again.
const REBIND: Duration = Duration::from_millis(100);

/// One control id: attaches a module to whichever gateway comes, one at a time.
pub struct Session {
    transport: Arc<dyn Transport>,
    tenant: Tenant,
    control: Arc<dyn Channel>,
    peer: watch::Receiver<Peer>,
    attached: Option<Attachment>,
    reunion: Reunion,
    /// Present when the host offers its link.
    seat: Option<Seat>,
    /// What earlier instances have published and no gateway has settled yet.
    leftovers: Vec<Parcel>,
    residents: Option<Residents>,
    setups: watch::Receiver<Option<Setup>>,
    renewals: watch::Sender<Option<Setup>>,
    malformed: Burst,
    unbound: Burst,
}

/// What the host has for its sessions.
#[derive(Clone)]
pub struct Surroundings {
    /// Works out verdicts.
    pub reporter: Reporter,
    /// Where verdicts are kept, if anywhere.
    pub archive: Option<Archive>,
    /// The host link; without it a Sandgate gateway is served as V1's.
    pub link: Option<LinkServer>,
    /// Present in a host that a gateway has launched: it ends with the Destroy of its last module.
    pub residents: Option<Residents>,
}

impl Surroundings {
    fn sharing(&self) -> Sharing {
        Sharing::new(self.reporter.clone(), self.archive.clone())
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The host was asked to stop.
    Shutdown,
    /// The gateway that launched the host has destroyed its last module.
    Destroyed,
}

impl Session {
    /// Binds the control channel. The module must be loaded before: a gateway repeats its Create every
    /// second from the moment that somebody listens.
    ///
    /// # Errors
    /// The control address cannot be bound.
    pub fn bind(
        setup: Setup,
        transport: Arc<dyn Transport>,
        surroundings: &Surroundings,
    ) -> Result<Self, TransportError> {
        let blueprint = Blueprint::sharing(setup, surroundings.sharing());
        Self::bind_tenant(Tenant::Given(Box::new(blueprint)), transport, surroundings)
    }

    /// Binds the control channel for modules that gateways name. `label` is what the log calls the session.
    ///
    /// # Errors
    /// The control address cannot be bound.
    pub fn bind_named(
        naming: Naming,
        label: &str,
        transport: Arc<dyn Transport>,
        surroundings: &Surroundings,
    ) -> Result<Self, TransportError> {
        let tenant = Tenant::Named { naming, label: label.into(), sharing: surroundings.sharing() };
        Self::bind_tenant(tenant, transport, surroundings)
    }

    fn bind_tenant(
        tenant: Tenant,
        transport: Arc<dyn Transport>,
        surroundings: &Surroundings,
    ) -> Result<Self, TransportError> {
        let control = transport.control()?;
        let (renewals, setups) = watch::channel(None);
        Ok(Self {
            transport,
            tenant,
            peer: control.peer(),
            control,
            attached: None,
            reunion: Reunion::default(),
            seat: surroundings.link.as_ref().map(LinkServer::register),
            leftovers: Vec::new(),
            residents: surroundings.residents.clone(),
            setups,
            renewals,
            malformed: Burst::default(),
            unbound: Burst::default(),
        })
    }

    /// With which the module's setup is changed while it runs; a quarantined module is revived by it.
    #[must_use]
    pub fn renewals(&self) -> watch::Sender<Option<Setup>> {
        self.renewals.clone()
    }

    /// Serves gateways until `shutdown` completes, or a Destroy ends a launched host.
    pub async fn serve(mut self, shutdown: impl Future<Output = ()>) -> End {
        let mut shutdown = std::pin::pin!(shutdown);
        let end = loop {
            tokio::select! {
                biased;
                () = &mut shutdown => {
                    let attached = self.attached.is_some();
                    // First, so that what the module still publishes finds the gateway.
                    self.detach().await;
                    if attached {
                        self.reply(Status::DETACH);
                    }
                    break End::Shutdown;
                }
                news = news(&mut self.attached) => self.on_news(news).await,
                Some(event) = link_event(&mut self.seat) => {
                    if let Some(end) = self.on_link(event).await {
                        break end;
                    }
                }
                Ok(()) = self.setups.changed() => self.renew(),
                frame = self.control.recv() => match frame {
                    Ok(frame) => {
                        if let Some(end) = self.on_frame(&frame).await {
                            break end;
                        }
                    }
                    Err(_) => self.rebind().await,
                },
                changed = self.peer.changed() => {
                    if changed.is_err() || self.has_stale_replies() {
                        self.rebind().await;
                    }
                }
            }
        };
        self.say_farewell().await;
        self.report();
        end
    }

    fn label(&self) -> &str {
        self.tenant.label()
    }

    async fn on_frame(&mut self, frame: &[u8]) -> Option<End> {
        match Control::decode(frame) {
            Ok(Control::Create(create)) => self.on_create(create).await,
            Ok(Control::Start) => self.on_start(),
            Ok(Control::Destroy) => return self.on_destroy().await,
            // Only hosts reply.
            Ok(Control::Reply(_)) => self.on_malformed(&"a Reply from a gateway"),
            Err(error) => {
                self.on_malformed(&error);
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

    async fn on_link(&mut self, event: LinkEvent) -> Option<End> {
        match event {
            LinkEvent::Open { lanes, epoch } => {
                let Some(seat) = &self.seat else { return None };
                let module = seat.module();
                match &mut self.attached {
                    Some(attached) if attached.phase == Phase::Created => {
                        let window = self.tenant.limits().outbound();
                        attached.open_lane(lanes, (module, epoch), window, &mut self.leftovers);
                    }
                    _ => refuse(&lanes, module, epoch, "the module is not created, or started already"),
                }
            }
            LinkEvent::Start { epoch } => self.on_link_start(epoch),
            LinkEvent::Close { epoch } if self.has_lane(epoch) => return self.on_destroy().await,
            LinkEvent::Revive { epoch } if self.has_lane(epoch) => {
                self.attached.iter().for_each(|attached| attached.actor.revive());
            }
            LinkEvent::Close { .. } | LinkEvent::Revive { .. } => {}
        }
        None
    }

    fn has_lane(&self, epoch: u32) -> bool {
        let link = self.attached.as_ref().and_then(|attached| attached.link.as_ref());
        link.is_some_and(|link| link.lane().epoch() == epoch)
    }

    fn on_malformed(&mut self, reason: &dyn std::fmt::Display) {
        self.tenant.flow().malformed.add();
        if let Some(count) = self.malformed.note() {
            let module = self.label();
            tracing::warn!(module, count, %reason, "dropped malformed control messages");
        }
    }

    /// A gateway repeats its Create until it is answered. Repetitions are answered by one module: those
    /// that come while it is being made by the Reply that follows, those that crossed the Reply by
    /// another. Once Start has come, a Create is a new attach and gets a new module.
    async fn on_create(&mut self, create: Create) {
        if let Some(attached) = &self.attached
            && attached.is_repeated_by(&create)
        {
            if attached.phase != Phase::Creating {
                self.reply(Status::SUCCESS);
            }
            return;
        }
        self.detach().await;
        match self.transport.message(&create.uri, self.tenant.limits().outbound()) {
            Ok(channel) => {
                let actor = self.tenant.create(&create.arguments);
                self.attached = Some(Attachment::new(create, actor, channel));
                self.residents.iter().for_each(Residents::enter);
            }
            Err(error) => {
                tracing::error!(module = self.label(), %error, "cannot bind the message channel");
                self.reply(Status::CONNECTION_ERROR);
            }
        }
    }

    /// V1's Start: messages go through the message channel.
    fn on_start(&mut self) {
        let Some(attached) = &mut self.attached else { return };
        if attached.start_on_pair() {
            tracing::info!(module = self.tenant.label(), "started");
            // V1 cannot tell old messages from new ones, nor would it be told twice.
            let dropped = std::mem::take(&mut self.leftovers).len();
            self.tenant.flow().dropped.add_all(dropped as u64);
        }
    }

    fn on_link_start(&mut self, epoch: u32) {
        let Some(attached) = self.attached.as_mut() else { return };
        let Some((lanes, channel)) = attached.start_on_lane(epoch) else { return };
        tracing::info!(module = self.tenant.label(), "started, on the host link");
        if let Some(seat) = &self.seat {
            seat.open_account(self.tenant.flow().clone(), lanes, epoch);
        }
        // The gateway has closed its end, or will.
        if let Some(channel) = channel {
            tokio::spawn(async move { channel.close().await });
        }
    }

    async fn on_destroy(&mut self) -> Option<End> {
        if self.attached.is_some() {
            tracing::info!(module = self.label(), "destroyed by the gateway");
        }
        let farewell = self.attached.as_ref().and_then(|attached| attached.farewell("destroyed"));
        self.detach().await;
        // Behind all that the module has published: the gateway has heard it out, and waits for this.
        if let Some((lanes, ended)) = farewell {
            let _ = lanes.signal(ended);
        }
        self.residents.as_ref().is_some_and(Residents::is_empty).then_some(End::Destroyed)
    }

    /// Lives on by the newest setup: at once, if there is an instance.
    fn renew(&mut self) {
        let Some(setup) = self.setups.borrow_and_update().clone() else { return };
        let blueprint = self.tenant.renew(setup);
        tracing::info!(module = self.label(), "configured anew");
        if let Some(attached) = &self.attached {
            attached.actor.renew(blueprint);
        }
    }

    async fn on_news(&mut self, news: News) {
        let module = self.tenant.label();
        let status = match news {
            News::Created(Ok(())) => {
                let mut start_waits = false;
                if let Some(attached) = &mut self.attached {
                    reunite(&mut self.reunion, attached).await;
                    attached.phase = Phase::Created;
                    start_waits = attached.start_waits;
                    tracing::info!(module, channel = attached.create.uri, "created");
                }
                self.reply(Status::SUCCESS);
                if start_waits {
                    self.on_start();
                }
                return;
            }
            News::Health(health) => {
                if let Some(attached) = &self.attached {
                    attached.signal(state_of(&health), &health.reason);
                }
                return;
            }
            News::Created(Err(refusal)) => {
                match refusal {
                    Refusal::Module(reason) => tracing::error!(module, "refused its arguments: {reason}"),
                    Refusal::NoModule(reason) => {
                        tracing::error!(
                            module,
                            "the gateway's args name no module that can be used: {reason}"
                        );
                    }
                    // The reporter tells how.
                    Refusal::Fault => {}
                    Refusal::Host => tracing::error!(module, "the host failed while it created the module"),
                }
                Status::CREATION_ERROR
            }
            News::Ended(ending) => {
                match ending {
                    Ending::Failed => {}
                    // It was not asked to end.
                    Ending::Destroyed | Ending::Host => tracing::error!(module, "the host lost the module"),
                }
                Status::DETACH
            }
        };
        if let Some(attached) = self.attached.take() {
            self.release(attached).await;
        }
        self.reply(status);
    }

    /// Ends the instance, if there is one, and frees its channel.
    async fn detach(&mut self) {
        let Some(mut attached) = self.attached.take() else { return };
        attached.actor.destroy();
        let module = self.label();
        if attached.phase != Phase::Creating {
            // The call that is going on, one more while the rest is drained, and `destroy`.
            let patience = 3 * self.tenant.limits().longest_timeout() + STOP_MARGIN;
            match timeout(patience, attached.actor.ended()).await {
                Ok(Ending::Destroyed | Ending::Failed) => {}
                Ok(Ending::Host) => tracing::error!(module, "the host lost the module"),
                Err(_) => tracing::error!(module, "the module does not end; its thread is left to it"),
            }
        }
        self.release(attached).await;
    }

    /// Gives back what an attachment had. What the module has published gets its time to leave; what is
    /// left of it on a lane waits for the next gateway.
    async fn release(&mut self, attached: Attachment) {
        if let Some(seat) = &self.seat {
            seat.close_account();
        }
        self.residents.iter().for_each(Residents::leave);
        let Attachment { create, channel, link, .. } = attached;
        if let Some(link) = link {
            let unsettled = close_lane(link).await;
            let (before, all) = (self.leftovers.len(), unsettled.len());
            self.leftovers.extend(left_over(unsettled));
            let verdicts = all - (self.leftovers.len() - before);
            self.tenant.flow().verdicts_dropped.add_all(verdicts as u64);
        }
        if let Some(channel) = channel {
            settle(&*channel).await;
            self.reunion.part(&*channel, &create.uri);
            self.tenant.flow().dropped.add_all(channel.statistics().waiting);
            self.close(&*channel).await;
        }
    }

    /// Closes a channel, and keeps its account.
    async fn close(&self, channel: &dyn Channel) {
        let statistics = channel.statistics();
        let flow = self.tenant.flow();
        flow.oversized.add_all(statistics.oversized);
        flow.lost_connections.add_all(statistics.lost_connections);
        flow.unread.add_all(statistics.dropped);
        channel.close().await;
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
                bytes::Bytes::new()
            }),
            _ => bytes::Bytes::new(),
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

    /// Makes a fresh control channel. One that cannot be had leaves the closed one in its place, which
    /// ends its next receive at once, and so brings this about again.
    async fn rebind(&mut self) {
        self.close(&*self.control).await;
        match self.transport.control() {
            Ok(control) => {
                self.peer = control.peer();
                self.control = control;
            }
            Err(error) => {
                if self.unbound.note().is_some() {
                    tracing::error!(module = self.label(), %error, "cannot bind the control channel anew");
                }
                sleep(REBIND).await;
            }
        }
    }

    /// Closing a socket drops what it has not sent: gives the last Reply its time.
    async fn say_farewell(&mut self) {
        settle(&*self.control).await;
        self.close(&*self.control).await;
    }

    fn report(&self) {
        let unsettled = self.leftovers.len();
        let counts: Vec<_> =
            self.tenant.flow().counts().map(|(name, count)| format!("{name}={count}")).collect();
        tracing::info!(module = self.label(), "stopped {} unsettled={unsettled}", counts.join(" "));
    }
}

fn state_of(health: &Health) -> State {
    match health.phase {
        HealthPhase::Running => State::Running,
        HealthPhase::Restarting => State::Restarting,
        HealthPhase::Quarantined => State::Quarantined,
    }
}

async fn link_event(seat: &mut Option<Seat>) -> Option<LinkEvent> {
    match seat {
        Some(seat) => seat.events.recv().await,
        None => std::future::pending().await,
    }
}
