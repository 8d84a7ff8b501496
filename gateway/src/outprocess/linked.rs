//! One attach over the host link, from Start to its end.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sandgate_wire::link::{Lane, LinkStatistics, Signal, State as HostState};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::attach::{Attach, Ended};
use super::backlog::{Backlog, Entry, InHand};
use super::connector::Connector;
use super::host_death;
use super::hosted;
use super::links::{LinkState, Place};
use super::over_link::{Counts, Inbound, outbound};
use super::presence::Presence;
use super::proxy::{DRAIN, LAST_WORDS, Running};
use super::suspects::Turn;
use crate::broker::Inbox;
use crate::burst::Burst;
use crate::status::{ModuleStatus, State};

/// How long a host may take to open a lane.
const OPEN: Duration = Duration::from_secs(2);
/// How long a host that was told Destroy may take to say that the module has ended. What it publishes until
/// then still comes through.
const PARTING: Duration = Duration::from_secs(1);
/// Figures of a host that are shown at most.
const FIGURES: usize = 64;

impl<C: Connector> Running<C> {
    /// Serves a module on its place of a link.
    pub(super) async fn serve_on_link(
        &mut self,
        attach: &Attach,
        mut place: Place,
        attaching: Option<hosted::Turn>,
        inbox: &mut Inbox,
    ) -> Ended {
        let mut state = place.state();
        let opened = tokio::select! {
            // What the host has said before it went stands.
            biased;
            opened = opened(&mut place.signals) => opened,
            ended = gone(&mut state) => Err(ended),
        };
        if let Err(ended) = opened {
            return ended;
        }
        let (module, epoch) = (place.lane.module(), place.lane.epoch());
        place.signal(Signal::Start { module, epoch });
        // V1's message channel is of no use from here on.
        drop(attach.message.close());
        info!(module = self.module, "started");
        drop(attaching);
        self.status.set(State::Running, "");
        self.presence.come();

        let lane = place.lane.clone();
        let mut turn = place.turn();
        let in_hand = InHand::new(self.config.link.window(), self.bereaved);
        let counts = Counts::default();
        let (publisher, dead_letters) = (self.publisher.clone(), self.dead_letters.clone());
        let inbound = Inbound {
            lane: &lane,
            publisher: &publisher,
            in_hand: &in_hand,
            dead_letters: &dead_letters,
            counts: &counts,
            last: AtomicBool::new(false),
        };
        let receiving = inbound.run();
        tokio::pin!(receiving);
        let ended = {
            let Self { module, presence, status, backlog, stop, .. } = self;
            let mut watch = Watch { module, presence, status, quarantines: Burst::default() };
            tokio::select! {
                ended = watch.follow(&mut place) => ended,
                ended = attach.detached(module) => ended,
                () = &mut receiving => Ended::Closed,
                () = send_over_link(inbox, backlog, &lane, &in_hand, &mut turn, stop) => Ended::Stopped,
            }
        };
        // Before what it sent last is published, which may take as long as the sinks like.
        self.presence.go();
        if ended == Ended::Stopped {
            tokio::select! {
                () = self.part(attach, &mut place) => {}
                () = &mut receiving => {}
            }
        }
        // What is left to do may take as long as the sinks like.
        turn.leave();
        inbound.finish();
        let stop = self.stop.clone();
        let too_late = async {
            stop.cancelled().await;
            sleep(LAST_WORDS).await;
        };
        tokio::select! {
            () = &mut receiving => {}
            // What could not be published in this time is not acknowledged.
            () = too_late => {}
        }
        self.take_back(&lane, &in_hand, &turn, ended).await;
        self.tally.add_link(&counts, &lane.statistics());
        ended
    }

    /// Takes leave of the host, and hears it out.
    async fn part(&self, attach: &Attach, place: &mut Place) {
        self.farewell(attach, Some(place)).await;
        let mut state = place.state();
        let ended = async {
            while let Some(signal) = place.signals.recv().await {
                if let Signal::State { state: HostState::Ended, .. } = signal {
                    return;
                }
            }
        };
        let gone = async {
            tokio::select! {
                () = ended => {}
                _ = gone(&mut state) => {}
            }
        };
        // Either way it is over: the host is done, or has had its time.
        let _ = timeout(PARTING, gone).await;
    }

    /// Gets back what the host has not settled, for the next one. When the host has died, the oldest of it
    /// is suspected. What the host had alone is blamed, and given up when it has been blamed often enough.
    async fn take_back(&mut self, lane: &Lane, in_hand: &InHand, turn: &Turn, ended: Ended) {
        let unsent = lane.close().into_iter().find(|unsettled| !unsettled.sent).map(|first| first.sequence);
        let was_sent = |sequence: u64| unsent.is_none_or(|unsent| sequence < unsent);
        let mut entries = in_hand.take_all();
        for (sequence, entry) in &mut entries {
            if was_sent(*sequence) {
                entry.delivery.count_attempt();
            }
        }
        // A host that never got a message did not die of it.
        self.bereaved = matches!(ended, Ended::HostGone | Ended::Silent);
        let suspected = self.bereaved && entries.front().is_some_and(|(sequence, _)| was_sent(*sequence));
        let mut entries: VecDeque<Entry> = entries.into_iter().map(|(_, entry)| entry).collect();
        if suspected && let Some(suspect) = entries.front_mut() {
            suspect.deaths = if turn.is_alone() { suspect.deaths + 1 } else { suspect.deaths.max(1) };
            if turn.is_alone()
                && suspect.deaths >= u32::from(suspect.delivery.route().redelivery_max())
                && let Some(entry) = entries.pop_front()
            {
                self.give_up(entry).await;
            }
        }
        self.backlog.put_back(entries);
    }

    async fn give_up(&self, entry: Entry) {
        let Entry { delivery, deaths, .. } = entry;
        let reason = format!("the host died {deaths} times while it handled this message");
        error!(module = self.module, source = delivery.route().source(), reason, "dead letter");
        let verdict = host_death::verdict(&self.module, &self.config.arguments, &delivery, deaths, &reason);
        self.dead_letters.bury(delivery, verdict.to_string().into(), &reason).await;
    }
}

/// Hands everything to the host until the module is to stop, and waits until the host is done with it, or
/// it takes too long.
async fn send_over_link(
    inbox: &mut Inbox,
    backlog: &mut Backlog,
    lane: &Lane,
    in_hand: &InHand,
    turn: &mut Turn,
    stop: &CancellationToken,
) {
    let too_late = async {
        stop.cancelled().await;
        sleep(DRAIN).await;
    };
    tokio::select! {
        // A closed lane is noticed by the receiving side.
        _ = outbound(inbox, backlog, lane, in_hand, turn) => {}
        () = too_late => {}
    }
    stop.cancelled().await;
}

/// Waits until the link has no host any more.
pub(super) async fn gone(state: &mut watch::Receiver<LinkState>) -> Ended {
    let state = state.wait_for(|state| matches!(state, LinkState::Gone | LinkState::Silent)).await;
    let is_silent = state.is_ok_and(|state| *state == LinkState::Silent);
    if is_silent { Ended::Silent } else { Ended::HostGone }
}

/// Waits until the host has opened the lane.
pub(super) async fn opened(signals: &mut mpsc::Receiver<Signal>) -> Result<(), Ended> {
    let answer = async {
        while let Some(signal) = signals.recv().await {
            match signal {
                Signal::Opened { .. } => return Ok(()),
                Signal::Refused { reason, .. } => {
                    warn!(reason, "the host refuses the lane");
                    return Err(Ended::Closed);
                }
                _ => {}
            }
        }
        Err(Ended::Closed)
    };
    timeout(OPEN, answer).await.unwrap_or(Err(Ended::Closed))
}

/// What is told of a module that is attached over a link.
struct Watch<'a> {
    module: &'a str,
    presence: &'a mut Presence,
    status: &'a ModuleStatus,
    quarantines: Burst,
}

impl Watch<'_> {
    /// Follows the link and what the host says of the module, until the attach is over.
    async fn follow(&mut self, place: &mut Place) -> Ended {
        let mut state = place.state();
        let mut revivals = self.status.revivals();
        let mut statistics = place.statistics();
        statistics.mark_changed();
        loop {
            tokio::select! {
                biased;
                signal = place.signals.recv() => match signal {
                    Some(Signal::State { state, detail, .. }) => {
                        if let Some(ended) = self.note(state, &detail) {
                            return ended;
                        }
                    }
                    Some(Signal::Statistics { json, .. }) => self.note_statistics(&json),
                    // A new connection carries the lane, and Start may have been lost with the old one.
                    Some(Signal::Opened { module, epoch, .. }) => {
                        place.signal(Signal::Start { module, epoch });
                    }
                    Some(Signal::Refused { .. }) | None => return Ended::Closed,
                    Some(_) => {}
                },
                Ok(()) = statistics.changed() => {
                    let LinkStatistics { connections, unknown, strays, .. } = *statistics.borrow_and_update();
                    let link = json!({"connections": connections, "unknown": unknown, "strays": strays});
                    self.status.set_figure("link", link);
                }
                Ok(()) = revivals.changed() => {
                    let (module, epoch) = (place.lane.module(), place.lane.epoch());
                    info!(module = self.module, "revival asked for");
                    place.signal(Signal::Revive { module, epoch });
                }
                // Behind what the host has said before.
                ended = gone(&mut state) => return ended,
            }
        }
    }

    /// What the host counts, beside what this gateway does. It comes from a host, so it may be anything.
    fn note_statistics(&self, json: &str) {
        if let Ok(counts) = serde_json::from_str::<Map<String, Value>>(json) {
            let counts: Map<_, _> =
                counts.into_iter().filter(|(_, count)| count.is_u64()).take(FIGURES).collect();
            self.status.set_figure("host", counts);
        }
    }

    /// A module that is quarantined makes nobody wait.
    fn note(&mut self, state: HostState, detail: &str) -> Option<Ended> {
        let module = self.module;
        match state {
            HostState::Running => {
                self.presence.come();
                self.status.set(State::Running, "");
            }
            HostState::Restarting => self.status.set(State::Restarting, detail),
            HostState::Quarantined => {
                if let Some(suppressed) = self.quarantines.event() {
                    let says = "the module is quarantined; `gateway revive` brings it back";
                    error!(module, reason = detail, suppressed, "{says}");
                }
                self.presence.leave();
                self.status.set(State::Quarantined, detail);
            }
            HostState::Ended => return Some(Ended::Failed),
            // A newer host says it, and can do without being understood.
            HostState::Other(_) => {}
        }
        None
    }
}
