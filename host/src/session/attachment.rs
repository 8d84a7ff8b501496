//! One attach as the session sees it: an instance, and the way by which its messages go.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_wire::link::{Lane, LaneStatistics, Lanes, Parcel, ParcelKind, Signal, State, Window};
use sandgate_wire::{Channel, Create};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::actor::{ActorHandle, Ending, Health, Refusal};
use crate::port::Port;

/// How long what was published or replied last may take to leave.
const FAREWELL: Duration = Duration::from_millis(500);
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

/// A lane, and the link that it is on.
pub(super) struct Linked {
    pub(super) lanes: Lanes,
    pub(super) lane: Lane,
    connected: watch::Receiver<bool>,
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
                let segments = self.link.as_ref().map(|link| link.lane.clone());
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

    /// Makes the lane that a gateway has asked for. What earlier instances have left is the first to go.
    /// As much as the host keeps for the gateway, the gateway may send ahead of the module's work.
    pub(super) fn open_lane(
        &mut self,
        lanes: Lanes,
        (module, epoch): (u32, u32),
        window: Window,
        leftovers: &mut Vec<Parcel>,
    ) {
        if let Some(Linked { lanes, lane, .. }) = self.link.take() {
            lanes.remove(lane.module(), lane.epoch());
            leftovers.extend(lane.close().into_iter().map(|unsettled| unsettled.parcel));
        }
        let lane = Lane::new(module, epoch, window);
        let mut rest = std::mem::take(leftovers).into_iter();
        for parcel in rest.by_ref() {
            if lane.try_send(parcel.clone()).is_err() {
                leftovers.push(parcel);
                break;
            }
        }
        leftovers.extend(rest);
        lanes.add(&lane);
        self.link = Some(Linked { connected: lane.connected(), lanes, lane });
    }

    /// Starts the module on its lane. Gives the link, and V1's channel, which is needed no more.
    pub(super) fn start_on_lane(&mut self, epoch: u32) -> Option<(Lanes, Option<Arc<dyn Channel>>)> {
        let Linked { lanes, lane, .. } = self.link.as_ref().filter(|link| link.lane.epoch() == epoch)?;
        if self.phase != Phase::Created {
            return None;
        }
        self.phase = Phase::Started;
        self.started = Some(Instant::now());
        self.actor.start(Port::Link(lane.clone()));
        Some((lanes.clone(), self.channel.take()))
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
        if let Some((lanes, signal)) = self.state_signal(state, detail) {
            // A gateway that does not read sees it when it comes back.
            let _ = lanes.signal(signal);
        }
    }

    /// What tells a Sandgate gateway that the module has ended, for when this attachment is no more.
    pub(super) fn farewell(&self, detail: &str) -> Option<(Lanes, Signal)> {
        self.state_signal(State::Ended, detail)
    }

    fn state_signal(&self, state: State, detail: &str) -> Option<(Lanes, Signal)> {
        let Linked { lanes, lane, .. } = self.link.as_ref()?;
        let (module, epoch) = (lane.module(), lane.epoch());
        Some((lanes.clone(), Signal::State { module, epoch, state, detail: detail.to_owned() }))
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

/// Waits until everything has left for a peer that is there, for a bounded time: one that does not read
/// keeps nobody here.
pub(super) async fn settle(channel: &dyn Channel) {
    let peer = channel.peer();
    let left = async {
        while peer.borrow().connected && channel.statistics().waiting > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let _ = timeout(FAREWELL, left).await;
}

impl Linked {
    /// Ends the lane; gives back what the gateway has not settled in the time that it gets for it. A gateway
    /// that has everything, and knows what was done with what it sent, hears that the module has ended.
    pub(super) async fn close(self) -> Vec<Parcel> {
        let Self { lanes, lane, connected } = self;
        let waits = || {
            let LaneStatistics { unsettled, done, told, .. } = lane.statistics();
            *connected.borrow() && (unsettled > 0 || told < done)
        };
        let settled = async {
            while waits() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = timeout(FAREWELL, settled).await;
        let (module, epoch) = (lane.module(), lane.epoch());
        if *connected.borrow() {
            let (state, detail) = (State::Ended, "the module has ended".to_owned());
            // A gateway that does not read finds out in another way.
            let _ = lanes.signal(Signal::State { module, epoch, state, detail });
        }
        lanes.remove(module, epoch);
        lane.close().into_iter().map(|unsettled| unsettled.parcel).collect()
    }
}

/// What a lane that is over has left for the next one: messages. A verdict or a dead letter speaks of a message
/// by the number that it had in the old lane, which in the next one is another message's.
pub(super) fn left_over(parcels: Vec<Parcel>) -> impl Iterator<Item = Parcel> {
    parcels.into_iter().filter(|parcel| parcel.kind == ParcelKind::Message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_letters_and_verdicts_are_not_left_for_the_next_lane() {
        let parcels = vec![
            Parcel::message("one".into()),
            Parcel::verdict(1, "{}".into()),
            Parcel::dead_letter(1, "{}".into()),
            Parcel::message("two".into()),
        ];
        let bodies: Vec<_> = left_over(parcels).map(|parcel| parcel.body).collect();
        assert_eq!(bodies, ["one", "two"]);
    }
}
