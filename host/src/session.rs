//! The control protocol, as a module host speaks it: Create, Reply, Start, Destroy.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use sandgate_wire::channel::{Peer, SendError};
use sandgate_wire::{Channel, Control, Create, DecodeError, Status};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::actor::{ActorHandle, Blueprint, Ending, Refusal};
use crate::flow::{Burst, Flow};
use crate::module::Module;
use crate::sandbox::Limits;
use crate::transport::{Transport, TransportError};

/// How long an instance may take to end beyond the deadline of the call that is going on.
const STOP_MARGIN: Duration = Duration::from_secs(2);
/// How long what was published or replied last may take to leave.
const FAREWELL: Duration = Duration::from_millis(500);
/// How soon a control address that could not be bound anew is tried again.
const REBIND: Duration = Duration::from_millis(100);

/// One control id: attaches a module to whichever gateway comes, one at a time.
pub struct Session {
    transport: Arc<dyn Transport>,
    blueprint: Blueprint,
    exit_on_destroy: bool,
    control: Arc<dyn Channel>,
    peer: watch::Receiver<Peer>,
    attached: Option<Attached>,
    malformed: Burst,
    unbound: Burst,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The host was asked to stop.
    Shutdown,
    /// The gateway that launched the host has destroyed its module.
    Destroyed,
}

/// An instance and the message channel it has.
struct Attached {
    create: Create,
    actor: ActorHandle,
    channel: Arc<dyn Channel>,
    phase: Phase,
    /// Start came while the module was being made.
    start_waits: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Creating,
    Created,
    Started,
}

/// What an instance has to tell.
enum News {
    Created(Result<(), Refusal>),
    Ended(Ending),
}

impl Session {
    /// Binds the control channel. The module must be loaded before: a gateway repeats its Create every
    /// second from the moment that somebody listens.
    ///
    /// `label` names the module in the log. With `exit_on_destroy` the session ends with a Destroy, as
    /// a launched host should; otherwise it waits for the next gateway.
    ///
    /// # Errors
    /// The control address cannot be bound.
    pub fn bind(
        module: Module,
        label: &str,
        limits: Limits,
        transport: Arc<dyn Transport>,
        exit_on_destroy: bool,
    ) -> Result<Self, TransportError> {
        let control = transport.control()?;
        let blueprint = Blueprint {
            module,
            label: label.into(),
            limits,
            flow: Arc::new(Flow::default()),
            runtime: Handle::current(),
        };
        Ok(Self {
            transport,
            blueprint,
            exit_on_destroy,
            peer: control.peer(),
            control,
            attached: None,
            malformed: Burst::default(),
            unbound: Burst::default(),
        })
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
        &self.blueprint.label
    }

    async fn on_frame(&mut self, frame: &[u8]) -> Option<End> {
        match Control::decode(frame) {
            Ok(Control::Create(create)) => self.on_create(create).await,
            Ok(Control::Start) => self.on_start(),
            Ok(Control::Destroy) => {
                if self.attached.is_some() {
                    tracing::info!(module = self.label(), "destroyed by the gateway");
                }
                self.detach().await;
                return self.exit_on_destroy.then_some(End::Destroyed);
            }
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

    fn on_malformed(&mut self, reason: &dyn std::fmt::Display) {
        self.blueprint.flow.malformed.add();
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
            && attached.create == create
            && attached.phase != Phase::Started
        {
            if attached.phase == Phase::Created {
                self.reply(Status::SUCCESS);
            }
            return;
        }
        self.detach().await;
        match self.transport.message(&create.uri) {
            Ok(channel) => {
                let actor = self.blueprint.create(create.arguments.clone(), channel.clone());
                self.attached =
                    Some(Attached { create, actor, channel, phase: Phase::Creating, start_waits: false });
            }
            Err(error) => {
                tracing::error!(module = self.label(), %error, "cannot bind the message channel");
                self.reply(Status::CONNECTION_ERROR);
            }
        }
    }

    fn on_start(&mut self) {
        if let Some(attached) = &mut self.attached {
            match attached.phase {
                Phase::Creating => return attached.start_waits = true,
                Phase::Created => {}
                Phase::Started => return,
            }
            attached.phase = Phase::Started;
            attached.actor.start();
            tracing::info!(module = self.label(), "started");
        }
    }

    async fn on_news(&mut self, news: News) {
        let module = &*self.blueprint.label;
        let status = match news {
            News::Created(Ok(())) => {
                if let Some(attached) = &mut self.attached {
                    attached.phase = Phase::Created;
                    tracing::info!(module, channel = attached.create.uri, "created");
                }
                self.reply(Status::SUCCESS);
                if self.attached.as_ref().is_some_and(|attached| attached.start_waits) {
                    self.on_start();
                }
                return;
            }
            News::Created(Err(refusal)) => {
                match refusal {
                    Refusal::Module(reason) => tracing::error!(module, "refused its arguments: {reason}"),
                    Refusal::Fault(fault) => {
                        self.blueprint.flow.faults.add();
                        tracing::error!(module, "{fault}");
                    }
                    Refusal::Host => tracing::error!(module, "the host failed while it created the module"),
                }
                Status::CREATION_ERROR
            }
            News::Ended(ending) => {
                self.blueprint.flow.faults.add();
                match ending {
                    Ending::Fault(fault) => tracing::error!(module, "{fault}"),
                    // It was not asked to end.
                    Ending::Destroyed | Ending::Host => tracing::error!(module, "the host lost the module"),
                }
                Status::DETACH
            }
        };
        if let Some(attached) = self.attached.take() {
            self.close_messages(&*attached.channel).await;
        }
        self.reply(status);
    }

    /// Ends the instance, if there is one, and frees its message channel.
    async fn detach(&mut self) {
        let Some(mut attached) = self.attached.take() else { return };
        attached.actor.destroy();
        let module = self.label();
        if attached.phase != Phase::Creating {
            // The call that is going on, one more while the rest is drained, and `destroy`.
            let patience = 3 * self.blueprint.limits.deadline + STOP_MARGIN;
            match timeout(patience, attached.actor.ended()).await {
                Ok(Ending::Destroyed) => {}
                Ok(Ending::Fault(fault)) => {
                    self.blueprint.flow.faults.add();
                    tracing::error!(module, "{fault}");
                }
                Ok(Ending::Host) => tracing::error!(module, "the host lost the module"),
                Err(_) => tracing::error!(module, "the module does not end; its thread is left to it"),
            }
        }
        self.close_messages(&*attached.channel).await;
    }

    /// Closes a message channel; what the module has published gets its time to leave.
    async fn close_messages(&self, channel: &dyn Channel) {
        settle(channel).await;
        self.blueprint.flow.dropped.add_all(channel.statistics().waiting);
        self.close(channel).await;
    }

    /// Closes a channel, and keeps its account.
    async fn close(&self, channel: &dyn Channel) {
        let statistics = channel.statistics();
        let flow = &self.blueprint.flow;
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
        let sent = match Control::Reply(status).encode() {
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
        let flow = &self.blueprint.flow;
        tracing::info!(
            module = self.label(),
            received = flow.received.get(),
            malformed = flow.malformed.get(),
            oversized = flow.oversized.get(),
            lost_connections = flow.lost_connections.get(),
            unread = flow.unread.get(),
            failed = flow.failed.get(),
            published = flow.published.get(),
            refused = flow.refused.get(),
            dropped = flow.dropped.get(),
            faults = flow.faults.get(),
            "stopped"
        );
    }
}

/// Waits until everything has left for a peer that is there, for a bounded time: one that does not read
/// keeps nobody here.
async fn settle(channel: &dyn Channel) {
    let peer = channel.peer();
    let left = async {
        while peer.borrow().connected && channel.statistics().waiting > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let _ = timeout(FAREWELL, left).await;
}

async fn news(attached: &mut Option<Attached>) -> News {
    match attached {
        Some(attached) if attached.phase == Phase::Creating => News::Created(attached.actor.created().await),
        Some(attached) => News::Ended(attached.actor.ended().await),
        None => pending().await,
    }
}
