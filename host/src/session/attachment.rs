//! One attach as the session sees it: an instance, and the way by which its messages go.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_attach::{FAREWELL, LOOK, Linked, Port, REUNION, Reunion, has_last_words};
use sandgate_wire::link::{Lanes, Parcel, Signal, State, Window};
use sandgate_wire::{Channel, Create};
use tokio::time::{sleep, timeout};

use crate::actor::{ActorHandle, Ending, Health, Refusal};

/// How long after Start a Create that was sent before it may come.
const OVERTAKEN: Duration = Duration::from_secs(5);

/// An instance and its channels.
pub(super) struct Attachment {
    pub(super) create: Create,
    pub(super) actor: ActorHandle,
    /// V1's message channel; closed once the module is started on a lane.
    pub(super) channel: Option<Arc<dyn Channel>>,
    pub(super) link: Option<Linked>,
    pub(super) phase: Phase,
    /// Start came while the module was being made.
    pub(super) start_waits: bool,
    /// When the module was started on its lane.
    started: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Creating,
    Created,
    Started,
}

/// What an instance has to tell.
pub(super) enum News {
    Created(Result<(), Refusal>),
    Health(Health),
    Ended(Ending),
}

impl Attachment {
    pub(super) fn new(create: Create, actor: ActorHandle, channel: Arc<dyn Channel>) -> Self {
        Self {
            create,
            actor,
            channel: Some(channel),
            link: None,
            phase: Phase::Creating,
            start_waits: false,
            started: None,
        }
    }

    /// Starts the module on V1's channel. False if there is nothing to start, or not yet.
    pub(super) fn start_on_pair(&mut self) -> bool {
        match (self.phase, &self.channel) {
            (Phase::Created, Some(channel)) => {
                self.phase = Phase::Started;
                // A gateway that has opened a lane and starts the module here has it for segments.
                let segments = self.link.as_ref().map(|link| link.lane().clone());
                self.actor.start(Port::pair_with_segments(channel.clone(), segments));
                true
            }
            (Phase::Creating, _) => {
                self.start_waits = true;
                false
            }
            _ => false,
        }
    }

    /// Makes the lane that a gateway has asked for, in the place of an older one.
    pub(super) fn open_lane(
        &mut self,
        lanes: Lanes,
        lane: (u32, u32),
        window: Window,
        leftovers: &mut Vec<Parcel>,
    ) {
        if let Some(older) = self.link.take() {
            older.withdraw(leftovers);
        }
        self.link = Some(Linked::open(lanes, lane, window, leftovers));
    }

    /// Starts the module on its lane. Gives the link, and V1's channel, which is needed no more.
    pub(super) fn start_on_lane(&mut self, epoch: u32) -> Option<(Lanes, Option<Arc<dyn Channel>>)> {
        let link = self.link.as_ref().filter(|link| link.lane().epoch() == epoch)?;
        if self.phase != Phase::Created {
            return None;
        }
        self.phase = Phase::Started;
        self.started = Some(Instant::now());
        self.actor.start(Port::Link(link.lane().clone()));
        Some((link.lanes().clone(), self.channel.take()))
    }

    /// Whether a Create is only the repetition of the one that made this. Before Start an identical one is. Behind
    /// a Start that came over the link it may be, for it may have been overtaken by that: then the gateway is
    /// still there, and it comes soon.
    pub(super) fn is_repeated_by(&self, create: &Create) -> bool {
        let overtaken = || {
            let connected = self.link.as_ref().is_some_and(|link| *link.connected.borrow());
            connected && self.started.is_some_and(|started| started.elapsed() < OVERTAKEN)
        };
        self.create == *create && (self.phase != Phase::Started || overtaken())
    }

    /// Tells a Sandgate gateway how the module is.
    pub(super) fn signal(&self, state: State, detail: &str) {
        self.link.iter().for_each(|link| link.signal(state, detail));
    }

    /// What tells a Sandgate gateway that the module has ended, for when this attachment is no more.
    pub(super) fn farewell(&self, detail: &str) -> Option<(Lanes, Signal)> {
        let link = self.link.as_ref()?;
        Some((link.lanes().clone(), link.state(State::Ended, detail)))
    }
}

/// The next thing that the instance tells, or that its link has come back.
pub(super) async fn news(attached: &mut Option<Attachment>) -> News {
    let Some(attached) = attached else { return pending().await };
    if attached.phase == Phase::Creating {
        return News::Created(attached.actor.created().await);
    }
    let mut health = attached.actor.health.clone();
    tokio::select! {
        biased;
        ending = attached.actor.ended() => return News::Ended(ending),
        // An actor that has ended says nothing of its health any more.
        Ok(()) = health.changed() => attached.actor.health.mark_unchanged(),
        // A gateway that was away is told again.
        () = reconnected(&mut attached.link) => {}
    }
    News::Health(health.borrow_and_update().clone())
}

async fn reconnected(link: &mut Option<Linked>) {
    let Some(Linked { connected, .. }) = link else { return pending().await };
    // The sender is the lane, which lives as long.
    if connected.changed().await.is_err() {
        pending::<()>().await;
    }
}

/// Waits until a gateway that was cut off is on the new channel, for a bounded time.
pub(super) async fn reunite(reunion: &mut Reunion, attached: &Attachment) {
    let Some(channel) = attached.channel.as_deref() else { return };
    let met = async {
        while reunion.is_due(channel, &attached.create.uri) {
            sleep(LOOK).await;
        }
    };
    let _ = timeout(REUNION, met).await;
    reunion.end();
}

/// Waits until everything has left for a peer that is there, for a bounded time.
pub(super) async fn settle(channel: &dyn Channel) {
    let left = async {
        while has_last_words(channel) {
            sleep(LOOK).await;
        }
    };
    let _ = timeout(FAREWELL, left).await;
}

/// Ends the lane; gives back what the gateway has not settled in the time that it gets for it. A gateway
/// that has everything, and knows what was done with what it sent, hears that the module has ended.
pub(super) async fn close_lane(link: Linked) -> Vec<Parcel> {
    let settled = async {
        while link.is_awaited() {
            sleep(LOOK).await;
        }
    };
    let _ = timeout(FAREWELL, settled).await;
    link.close("the module has ended")
}
