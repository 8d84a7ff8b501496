//! A lane that rings carry: what the connection's reader and writer do for others, its own callers do here.

use std::sync::Arc;
use std::task::Waker;

use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::ringed::{Ringed, Taken, Written};
use super::{Lane, State, wake};
use crate::link::lanes::Connection;
use crate::link::rings::{RING_BYTES, Rings};
use crate::link::{Side, Violation};

/// Records that are taken from a ring at a time, for a consumer that waits for one.
const BATCH: usize = 16;

/// Bytes that are taken from a ring at a time: a peer that writes on would have that go on, too.
const TURN: usize = RING_BYTES as usize / 2;

/// What is to be done when no lock is held.
#[must_use]
#[derive(Default)]
pub(super) struct After {
    /// Whose other end sleeps.
    rings: Option<Arc<Rings>>,
    /// Who is to look at this slot once more.
    again: Option<(Arc<Rings>, u32)>,
    producer: Option<Waker>,
    consumer: Option<Waker>,
    /// Everything that was held back is in the rings now.
    all_sent: Option<Connection>,
    /// The peer breaks the rules.
    broken: Option<(Connection, Violation)>,
}

impl After {
    pub(super) fn run(self) {
        let Self { rings, again, producer, consumer, all_sent, broken } = self;
        rings.iter().for_each(|rings| rings.ring());
        again.iter().for_each(|(rings, slot)| rings.look_again(*slot));
        wake(producer);
        wake(consumer);
        all_sent.iter().for_each(Connection::wake_writer);
        if let Some((connection, violation)) = broken {
            connection.break_off(violation);
        }
    }
}

impl Lane {
    /// There is something in the lane's rings: a record, an acknowledgement, or room. Or there may be, and nobody else looks.
    pub(in crate::link) fn on_ready(&self) {
        let mut state = self.lock();
        let after = state.on_ready();
        drop(state);
        after.run();
    }
}

impl State {
    /// See [`Lane::on_ready`].
    pub(super) fn on_ready(&mut self) -> After {
        let mut consumer = None;
        match self.ring.as_mut().map(|ring| (ring.side(), ring.has_more())) {
            None => {}
            Some((_, Err(violation))) => self.break_off(violation),
            Some((Side::Host, Ok(has_more))) => {
                if self.producer.is_some() || self.outgoing.is_held_by_window() {
                    self.note_settled();
                }
                if has_more {
                    consumer = self.consumer.take();
                }
            }
            // If nobody waits, whoever takes arrivals may be waiting for room that comes with what is settled.
            Some((Side::Gateway, Ok(_))) => match self.consumer.take() {
                None => self.take_in(usize::MAX),
                waiting => consumer = waiting,
            },
        }
        self.send_through_rings();
        let after = self.after();
        After { consumer: consumer.or(after.consumer), ..after }
    }

    /// Takes in some of what there is, if nothing waits for the consumer yet.
    pub(super) fn take_some_in(&mut self) {
        if self.ring.is_some() && self.incoming.is_empty() {
            self.take_in(BATCH);
            // Who has got something comes back for more.
            self.stopped_short &= self.incoming.is_empty();
            self.ask_for_room();
        }
    }

    /// Takes in what there is, up to so many parcels and settlings, a turn's bytes, and a piece of a parcel: more would keep
    /// everybody waiting whom this thread serves.
    fn take_in(&mut self, most: usize) {
        let mut left = TURN;
        for _ in 0..most {
            let Some(ring) = &mut self.ring else { return };
            let taken = match ring.take(self.outgoing.written()) {
                Ok(Some(taken)) => taken,
                Ok(None) => return,
                Err(violation) => return self.break_off(violation),
            };
            left = left.saturating_sub(taken.bytes());
            let is_piece = matches!(taken, Taken::Piece(_));
            self.note(taken);
            if is_piece || left == 0 {
                self.stopped_short = true;
                return;
            }
        }
    }

    /// Takes note of what a gateway has settled, whatever else is there to be read, until the lane is told when there
    /// is more.
    pub(super) fn note_settled(&mut self) {
        while let Some(ring) = self.ring.as_mut().filter(|ring| ring.side() == Side::Host) {
            match ring.take_settled(self.outgoing.written()) {
                Ok(Some(settled)) => self.note(settled),
                Ok(None) => return,
                Err(violation) => return self.break_off(violation),
            }
        }
    }

    fn note(&mut self, taken: Taken) {
        let noted = match taken {
            Taken::Piece(_) => Ok(()),
            Taken::Parcel { sequence, size, parcel, .. } => {
                match self.incoming.arrive(sequence, size, parcel) {
                    Ok(false) => self.note_duplicate(sequence),
                    arrived => arrived.map(drop),
                }
            }
            Taken::Settled(sequence) => self.outgoing.settle(sequence).map(|is_new| {
                if is_new {
                    self.incoming.arrive_settled(sequence);
                    // There may be room now for what was held back.
                    self.put_into_rings();
                }
            }),
        };
        if let Err(violation) = noted {
            self.break_off(violation);
        }
    }

    /// A parcel that has come before costs no window. In rings, which end with their connection, none comes from an
    /// honest peer.
    fn note_duplicate(&mut self, sequence: u64) -> Result<(), Violation> {
        let count = self.ring.as_mut().map_or(0, Ringed::count_duplicate);
        if count > self.incoming.most() { Err(Violation::Window(sequence)) } else { Ok(()) }
    }

    /// Looks for room before somebody waits for it, and sees to it that the lane is told of it.
    pub(super) fn look_for_room(&mut self) {
        self.note_settled();
        // At a gateway what is settled comes behind arrivals, and who takes these may be waiting for something else.
        if self.consumer.is_none() {
            self.take_in(usize::MAX);
        }
    }

    /// Sends what there is room for, and tells what is settled.
    pub(super) fn send_through_rings(&mut self) {
        self.put_into_rings();
        self.ask_for_room();
    }

    /// Has the peer tell of room, if its window holds something back.
    fn ask_for_room(&mut self) {
        if self.outgoing.is_held_by_window() {
            self.note_settled();
        }
    }

    /// Without taking note of more: a peer that settles one by one would have that go as deep as its window.
    fn put_into_rings(&mut self) {
        let Some(ring) = &mut self.ring else { return };
        let was_held_back = self.held_back;
        match send(ring, &mut self.outgoing, &mut self.incoming) {
            Ok(true) => self.writes_on = true,
            Ok(false) if ring.await_settled(self.outgoing.written()) => self.take_in(usize::MAX),
            Ok(false) => {}
            Err(violation) => self.break_off(violation),
        }
        self.held_back = self.outgoing.has_next();
        self.all_sent |= was_held_back && !self.held_back;
    }

    /// The rings carry nothing any more. What the peer has put into them before is taken in.
    pub(super) fn leave_rings(&mut self) {
        // Out of the way first: what is settled there makes room, and nobody sees any more what would be sent into it.
        let Some(mut ring) = self.ring.take() else { return };
        // A peer may write on for as long as this reads. What an honest one has written, a ring holds.
        let (mut records, mut bytes) = (2 * u64::from(self.incoming.most()) + 2, RING_BYTES as usize);
        while records > 0
            && bytes > 0
            && let Ok(Some(taken)) = ring.take(self.outgoing.written())
            && self.broken.is_none()
        {
            // Of pieces there are no more than bytes.
            records -= u64::from(!matches!(taken, Taken::Piece(_)));
            bytes = bytes.saturating_sub(taken.bytes());
            self.note(taken);
        }
    }

    fn break_off(&mut self, violation: Violation) {
        self.ring = None;
        self.broken = self.connection.take().map(|connection| (connection, violation));
    }

    /// The same, for who waits for room and sees by itself whether there is some: it would wake itself for ever.
    pub(super) fn after_for_the_producer(&mut self) -> After {
        self.producer = None;
        self.after()
    }

    /// Taking in has stopped before everything was looked for: who waits goes on with it, or who looks after the rings,
    /// once everybody else has had a turn. Nobody is told that there is more.
    pub(super) fn goes_on(&mut self) -> bool {
        std::mem::take(&mut self.stopped_short)
    }

    /// What is to be done once the lock is not held any more.
    pub(super) fn after(&mut self) -> After {
        let goes_on = self.goes_on();
        let producer = if goes_on { self.producer.take() } else { self.producer_to_wake() };
        let consumer = if goes_on || !self.incoming.is_empty() { self.consumer.take() } else { None };
        let nobody_goes_on = goes_on && producer.is_none() && consumer.is_none();
        let again = std::mem::take(&mut self.writes_on) || nobody_goes_on;
        After {
            rings: self.ring.as_mut().and_then(Ringed::take_due),
            again: self.ring.as_ref().filter(|_| again).map(Ringed::place),
            producer,
            consumer,
            all_sent: std::mem::take(&mut self.all_sent).then(|| self.connection.clone()).flatten(),
            broken: self.broken.take(),
        }
    }
}

/// Whether there is more to be written, and room for it.
fn send(ring: &mut Ringed, outgoing: &mut Outgoing, incoming: &mut Incoming) -> Result<bool, Violation> {
    let (mut wrote, mut goes_on) = (false, false);
    ring.begin_turn();
    while let Some((sequence, parcel)) = outgoing.peek() {
        wrote = true;
        match ring.write(sequence, parcel)? {
            Written::All => outgoing.advance(),
            Written::Turn => {
                goes_on = true;
                break;
            }
            Written::AllThatFits => break,
        }
    }
    if wrote {
        ring.publish();
    }
    if let Some(sequence) = incoming.take_due(ring.side().vouched_for(outgoing.written())) {
        ring.acknowledge(sequence);
    }
    Ok(goes_on)
}
