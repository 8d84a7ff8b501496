//! What became of a remote module's messages, over all its attaches.

use std::sync::atomic::Ordering;

use sandgate_wire::link::LaneStatistics;
use tracing::info;

use super::attach::Attach;
use super::{over_link, over_pair};

/// Sums over all attaches.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) attaches: u64,
    sent: u64,
    received: u64,
    malformed: u64,
    oversized: u64,
    /// Connections that the host ended, or that a frame far over the limit ended.
    lost_connections: u64,
    /// Messages that were taken from the inbox and that no host is known to have handled.
    pub(super) lost_to_host: u64,
    /// Messages that had arrived and could not be published before the end, or found no room.
    lost_from_host: u64,
    verdicts: u64,
    dead_letters: u64,
}

impl Tally {
    /// Adds what both nng channels of an attach have counted.
    pub(super) fn add(&mut self, attach: &Attach) {
        let (statistics, control) = (attach.message.statistics(), attach.control.statistics());
        self.sent += statistics.sent;
        self.received += statistics.received;
        self.malformed += attach.malformed();
        self.oversized += statistics.oversized + control.oversized;
        self.lost_connections += statistics.lost_connections + control.lost_connections;
        self.lost_to_host += statistics.waiting;
    }

    /// Adds what came through V1's message channel.
    pub(super) fn add_inbound(&mut self, attach: &Attach, inbound: &over_pair::Inbound) {
        let statistics = attach.message.statistics();
        self.malformed += inbound.malformed();
        self.lost_from_host += statistics.received.saturating_sub(inbound.handled()) + statistics.dropped;
    }

    /// Adds what went over a lane.
    pub(super) fn add_link(&mut self, counts: &over_link::Counts, lane: &LaneStatistics) {
        self.sent += lane.sent;
        self.received += lane.received;
        self.add_left(counts);
    }

    /// Adds what became of parcels from a lane.
    pub(super) fn add_left(&mut self, counts: &over_link::Counts) {
        self.malformed += counts.malformed.load(Ordering::Relaxed);
        self.verdicts += counts.verdicts.load(Ordering::Relaxed);
        self.dead_letters += counts.dead.load(Ordering::Relaxed);
    }

    pub(super) fn report(&self, module: &str) {
        let Self {
            attaches,
            sent,
            received,
            malformed,
            oversized,
            lost_connections,
            lost_to_host,
            lost_from_host,
            verdicts,
            dead_letters,
        } = self;
        info!(
            module,
            attaches,
            sent,
            received,
            malformed,
            oversized,
            lost_connections,
            lost_to_host,
            lost_from_host,
            verdicts,
            dead_letters,
            "channel statistics"
        );
    }
}
