//! One direction of a lane, at its receiver: what has arrived, and what of it is done with.

use std::collections::VecDeque;

use super::Arrival;
use crate::link::{Parcel, Violation, Window};

pub(super) struct Incoming {
    /// What the peer may have unsettled.
    window: Window,
    /// Up to here parcels have arrived.
    received: u64,
    duplicates: u64,
    /// What waits for the consumer. At most the window's parcels, and one more settling than parcels.
    arrivals: VecDeque<Arrival>,
    /// Up to here the peer may know that its parcels are settled.
    told: u64,
    /// The sizes of the parcels `told + 1` to `received`, and their sum.
    sizes: VecDeque<u32>,
    bytes: u64,
    /// The newest settling.
    newest: Settling,
    /// An older one that waits for its turn too: under load the newest one's turn would never come, as it
    /// always has yet another parcel in front of it.
    oldest: Option<Settling>,
    /// Up to here this connection has told the peer.
    written: u64,
}

/// Everything up to `sequence` is done with, to be told behind the outgoing parcel `after`.
#[derive(Clone, Copy, Default)]
struct Settling {
    sequence: u64,
    after: u64,
}

impl Incoming {
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            received: 0,
            duplicates: 0,
            arrivals: VecDeque::new(),
            told: 0,
            sizes: VecDeque::new(),
            bytes: 0,
            newest: Settling::default(),
            oldest: None,
            written: 0,
        }
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Up to here the consumer is done with what arrived.
    pub(super) fn settled(&self) -> u64 {
        self.newest.sequence
    }

    /// A parcel arrives. Says whether it is new.
    pub(super) fn arrive(&mut self, sequence: u64, size: u32, parcel: Parcel) -> Result<bool, Violation> {
        if sequence <= self.received {
            self.duplicates += 1;
            return Ok(false);
        }
        if sequence != self.received + 1 {
            return Err(Violation::Gap { expected: self.received + 1, found: sequence });
        }
        // What the peer knows to be settled is at most what it was told, so an honest one stops before this.
        if self.window.is_used_up(self.sizes.len(), self.bytes) {
            return Err(Violation::Window(sequence));
        }
        self.received = sequence;
        self.sizes.push_back(size);
        self.bytes += u64::from(size);
        self.arrivals.push_back(Arrival::Parcel { sequence, parcel });
        Ok(true)
    }

    /// The peer has settled some of ours.
    pub(super) fn arrive_settled(&mut self, sequence: u64) {
        match self.arrivals.back_mut() {
            Some(Arrival::Settled(newest)) => *newest = sequence,
            _ => self.arrivals.push_back(Arrival::Settled(sequence)),
        }
    }

    /// Up to here this connection has told the peer what is settled.
    pub(super) fn told_here(&self) -> u64 {
        self.written
    }

    /// How many parcels the peer may have unsettled.
    pub(super) fn most(&self) -> u32 {
        self.window.messages
    }

    /// Whether nothing waits for the consumer.
    pub(super) fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
    }

    pub(super) fn next(&mut self) -> Option<Arrival> {
        self.arrivals.pop_front()
    }

    /// The consumer is done with everything up to `sequence`, and `after` is the newest outgoing parcel.
    pub(super) fn settle(&mut self, sequence: u64, after: u64) {
        let sequence = sequence.min(self.received);
        if sequence <= self.newest.sequence {
            return;
        }
        if self.newest.after != after && self.newest.sequence > self.written && self.oldest.is_none() {
            self.oldest = Some(self.newest);
        }
        self.newest = Settling { sequence, after };
    }

    /// A new connection begins: the newest settling is told again, as it may have been lost.
    pub(super) fn resume(&mut self) {
        self.oldest = None;
        self.written = 0;
    }

    /// What can be told once the outgoing parcels up to `written` are in front of it.
    fn due(&self, written: u64) -> Option<u64> {
        let due = |settling: &Settling| settling.sequence > self.written && settling.after <= written;
        [Some(self.newest), self.oldest].into_iter().flatten().find(due).map(|settling| settling.sequence)
    }

    pub(super) fn is_due(&self, written: u64) -> bool {
        self.due(written).is_some()
    }

    /// Takes what can be told.
    pub(super) fn take_due(&mut self, written: u64) -> Option<u64> {
        let sequence = self.due(written)?;
        self.written = sequence;
        self.oldest = None;
        if let Some(count @ 1..) = sequence.checked_sub(self.told) {
            self.bytes -= self.sizes.drain(..count as usize).map(u64::from).sum::<u64>();
            self.told = sequence;
        }
        Some(sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::Incoming;
    use crate::link::lane::Arrival;
    use crate::link::{Parcel, ParcelKind, Violation, Window};

    fn incoming(messages: u32, bytes: u64) -> Incoming {
        Incoming::new(Window { messages, bytes })
    }

    fn arrive(incoming: &mut Incoming, sequence: u64) -> Result<bool, Violation> {
        let parcel = Parcel {
            kind: ParcelKind::Message,
            attempt: 0,
            redelivery_max: 0,
            about: 0,
            source: "".into(),
            body: bytes::Bytes::new(),
        };
        incoming.arrive(sequence, 100, parcel)
    }

    #[test]
    fn gaps_and_too_much_are_refused_and_duplicates_dropped() {
        let mut incoming = incoming(3, 1 << 20);
        assert_eq!(arrive(&mut incoming, 2), Err(Violation::Gap { expected: 1, found: 2 }));
        for sequence in 1..=3 {
            assert_eq!(arrive(&mut incoming, sequence), Ok(true));
        }
        assert_eq!(arrive(&mut incoming, 3), Ok(false));
        assert_eq!(arrive(&mut incoming, 4), Err(Violation::Window(4)));
        // What is settled and not yet told leaves no room, for the peer cannot know.
        incoming.settle(1, 0);
        assert_eq!(arrive(&mut incoming, 4), Err(Violation::Window(4)));
        assert_eq!(incoming.take_due(0), Some(1));
        assert_eq!(arrive(&mut incoming, 4), Ok(true));
        assert_eq!(incoming.duplicates(), 1);
    }

    #[test]
    fn bytes_are_bounded_but_for_the_last_parcel() {
        let mut incoming = incoming(100, 150);
        assert_eq!(arrive(&mut incoming, 1), Ok(true));
        assert_eq!(arrive(&mut incoming, 2), Ok(true));
        assert_eq!(arrive(&mut incoming, 3), Err(Violation::Window(3)));
    }

    #[test]
    fn consecutive_settlings_of_the_peer_are_one() {
        let mut incoming = incoming(3, 1 << 20);
        incoming.arrive_settled(1);
        incoming.arrive_settled(2);
        arrive(&mut incoming, 1).unwrap();
        incoming.arrive_settled(3);
        assert!(matches!(incoming.next(), Some(Arrival::Settled(2))));
        assert!(matches!(incoming.next(), Some(Arrival::Parcel { sequence: 1, .. })));
        assert!(matches!(incoming.next(), Some(Arrival::Settled(3))));
        assert!(incoming.next().is_none());
    }

    #[test]
    fn a_settling_waits_for_what_was_sent_before_it() {
        let mut incoming = incoming(8, 1 << 20);
        for sequence in 1..=4 {
            arrive(&mut incoming, sequence).unwrap();
        }
        incoming.settle(1, 5);
        assert_eq!(incoming.take_due(4), None);
        // The first keeps its turn, however many come behind it.
        incoming.settle(2, 6);
        incoming.settle(3, 7);
        assert_eq!(incoming.take_due(5), Some(1));
        assert_eq!(incoming.take_due(6), None);
        incoming.settle(4, 8);
        assert_eq!(incoming.take_due(7), Some(3));
        assert_eq!(incoming.take_due(8), Some(4));
        assert_eq!(incoming.take_due(8), None);
        // Nothing is settled that has not come, and nothing twice.
        incoming.settle(9, 8);
        incoming.settle(2, 8);
        assert_eq!((incoming.settled(), incoming.take_due(8)), (4, None));
    }

    #[test]
    fn the_newest_settling_is_told_again_on_a_new_connection_behind_the_same_parcels() {
        let mut incoming = incoming(8, 1 << 20);
        for sequence in 1..=4 {
            arrive(&mut incoming, sequence).unwrap();
        }
        incoming.settle(3, 2);
        assert_eq!(incoming.take_due(2), Some(3));
        incoming.settle(4, 5);
        incoming.resume();
        assert_eq!(incoming.take_due(4), None);
        assert_eq!(incoming.take_due(5), Some(4));
        incoming.resume();
        // The peer has everything, so nothing needs to go in front.
        assert_eq!(incoming.take_due(5), Some(4));
        assert_eq!(incoming.take_due(5), None);
    }
}
