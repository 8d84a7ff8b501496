//! One attach's lane, and the link that it is on: opened, spoken for, given back.

use sandgate_wire::link::{Lane, LaneStatistics, Lanes, Parcel, ParcelKind, Signal, State, Window};
use tokio::sync::watch;

/// A module's lane, and the link that it is on.
pub struct Linked {
    lanes: Lanes,
    lane: Lane,
    /// Whether a connection carries the lane. It knows no runtime.
    pub connected: watch::Receiver<bool>,
}

impl Linked {
    /// Makes the lane that a gateway has asked for. What earlier instances have left is the first to go. As much as
    /// the host keeps for the gateway, the gateway may send ahead of the module's work.
    #[must_use]
    pub fn open(
        lanes: Lanes,
        (module, epoch): (u32, u32),
        window: Window,
        leftovers: &mut Vec<Parcel>,
    ) -> Self {
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
        Self { connected: lane.connected(), lanes, lane }
    }

    /// Takes a lane away that nothing has come through yet, because the gateway has asked for another.
    pub fn withdraw(self, leftovers: &mut Vec<Parcel>) {
        let Self { lanes, lane, .. } = self;
        lanes.remove(lane.module(), lane.epoch());
        leftovers.extend(lane.close().into_iter().map(|unsettled| unsettled.parcel));
    }

    /// The link that the lane is on.
    #[must_use]
    pub fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// The lane.
    #[must_use]
    pub fn lane(&self) -> &Lane {
        &self.lane
    }

    /// Tells a Sandgate gateway how the module is.
    pub fn signal(&self, state: State, detail: &str) {
        let signal = self.state(state, detail);
        // A gateway that does not read sees it when it comes back.
        let _ = self.lanes.signal(signal);
    }

    /// What tells a Sandgate gateway how the module is, for when this is no more.
    #[must_use]
    pub fn state(&self, state: State, detail: &str) -> Signal {
        let (module, epoch) = (self.lane.module(), self.lane.epoch());
        Signal::State { module, epoch, state, detail: detail.to_owned() }
    }

    /// Whether a gateway that is there still has something to settle, or to be told of what is settled here.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        let LaneStatistics { unsettled, done, told, .. } = self.lane.statistics();
        *self.connected.borrow() && (unsettled > 0 || told < done)
    }

    /// Ends the lane; gives back what the gateway has not settled. A gateway that is there hears that the module has
    /// ended, and how.
    #[must_use = "what the gateway has not settled is lost with it"]
    pub fn close(self, detail: &str) -> Vec<Parcel> {
        if *self.connected.borrow() {
            // A gateway that does not read finds out in another way.
            self.signal(State::Ended, detail);
        }
        let Self { lanes, lane, .. } = self;
        lanes.remove(lane.module(), lane.epoch());
        lane.close().into_iter().map(|unsettled| unsettled.parcel).collect()
    }
}

/// What a lane that is over has left for the next one: messages. A verdict or a dead letter speaks of a message
/// by the number that it had in the old lane, which in the next one is another message's.
pub fn left_over(parcels: Vec<Parcel>) -> impl Iterator<Item = Parcel> {
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
