//! One direction of a lane, at its sender: what is kept until the peer has settled it.

use std::collections::VecDeque;

use super::Unsettled;
use crate::discard::discard;
use crate::link::{Parcel, Violation, Window};

pub(super) struct Outgoing {
    /// What the peer has not settled: the parcels `settled + 1` to `taken`.
    kept: VecDeque<Kept>,
    kept_bytes: u64,
    /// Up to here the peer has settled.
    settled: u64,
    /// Up to here this connection has parcels, or the peer has said that it has them.
    written: u64,
    /// Bytes of the parcels `settled + 1` to `written`.
    written_bytes: u64,
    /// Up to here any connection was given parcels.
    sent: u64,
    resent: u64,
    /// What the peer allows, up to our own bound: a peer must not make this end keep without limit.
    window: Window,
    bound: Window,
}

struct Kept {
    parcel: Parcel,
    size: u32,
}

impl Outgoing {
    pub(super) fn new(window: Window) -> Self {
        Self {
            kept: VecDeque::new(),
            kept_bytes: 0,
            settled: 0,
            written: 0,
            written_bytes: 0,
            sent: 0,
            resent: 0,
            window,
            bound: window,
        }
    }

    /// The newest parcel that was taken.
    pub(super) fn taken(&self) -> u64 {
        self.settled + self.kept.len() as u64
    }

    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn settled(&self) -> u64 {
        self.settled
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) fn resent(&self) -> u64 {
        self.resent
    }

    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    pub(super) fn is_full(&self) -> bool {
        self.window.is_used_up(self.kept.len(), self.kept_bytes)
    }

    pub(super) fn is_half_free(&self) -> bool {
        self.window.is_half_free(self.kept.len(), self.kept_bytes)
    }

    pub(super) fn push(&mut self, parcel: Parcel, size: u32) -> u64 {
        self.kept.push_back(Kept { parcel, size });
        self.kept_bytes += u64::from(size);
        self.taken()
    }

    /// A new connection begins, and the peer says what it has. What lies behind that is sent again.
    pub(super) fn resume(&mut self, received: u64, window: Window) -> Result<(), Violation> {
        if received < self.settled || received > self.sent {
            let (settled, sent) = (self.settled, self.sent);
            return Err(Violation::Resumed { found: received, settled, sent });
        }
        self.window = window.at_least_one().within(self.bound);
        self.written = received;
        let written = (received - self.settled) as usize;
        self.written_bytes = self.kept.iter().take(written).map(|kept| u64::from(kept.size)).sum();
        Ok(())
    }

    /// Whether a parcel waits that the peer has room for. What was taken before the peer told its window may
    /// be more than that.
    pub(super) fn has_next(&self) -> bool {
        let written = (self.written - self.settled) as usize;
        written < self.kept.len() && !self.window.is_used_up(written, self.written_bytes)
    }

    /// Whether something waits that the peer's window has no room for.
    pub(super) fn is_held_by_window(&self) -> bool {
        self.taken() > self.written && !self.has_next()
    }

    /// The next parcel for this connection, with its number.
    pub(super) fn peek(&self) -> Option<(u64, &Parcel)> {
        self.next_kept().map(|kept| (self.written + 1, &kept.parcel))
    }

    /// The connection has the next parcel.
    pub(super) fn advance(&mut self) {
        let _ = self.next();
    }

    /// The next parcel for this connection, with its number and size.
    pub(super) fn next(&mut self) -> Option<(u64, u32, &Parcel)> {
        let size = self.next_kept()?.size;
        self.written += 1;
        self.written_bytes += u64::from(size);
        if self.written <= self.sent {
            self.resent += 1;
        } else {
            self.sent = self.written;
        }
        let kept = self.kept.get((self.written - self.settled - 1) as usize)?;
        Some((self.written, size, &kept.parcel))
    }

    fn next_kept(&self) -> Option<&Kept> {
        if !self.has_next() {
            return None;
        }
        self.kept.get((self.written - self.settled) as usize)
    }

    /// The peer has settled everything up to this parcel. Says whether that was new.
    pub(super) fn settle(&mut self, sequence: u64) -> Result<bool, Violation> {
        if sequence > self.written {
            return Err(Violation::SettledUnsent { found: sequence, sent: self.written });
        }
        let Some(count @ 1..) = sequence.checked_sub(self.settled) else { return Ok(false) };
        let settled = self.kept.drain(..count as usize).map(|Kept { parcel, size }| {
            discard(parcel.body);
            u64::from(size)
        });
        let bytes: u64 = settled.sum();
        self.settled = sequence;
        self.kept_bytes -= bytes;
        self.written_bytes -= bytes;
        Ok(true)
    }

    /// Gives everything back.
    pub(super) fn drain(&mut self) -> Vec<Unsettled> {
        let first = self.settled + 1;
        let sent = self.sent;
        self.kept_bytes = 0;
        let numbered = (first..).zip(self.kept.drain(..));
        numbered
            .map(|(sequence, kept)| Unsettled { sequence, parcel: kept.parcel, sent: sequence <= sent })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Outgoing;
    use crate::link::{Parcel, ParcelKind, Violation, Window};

    fn outgoing(messages: u32, bytes: u64) -> Outgoing {
        Outgoing::new(Window { messages, bytes })
    }

    fn push(outgoing: &mut Outgoing, length: usize) -> u64 {
        let body = vec![0; length].into();
        let parcel = Parcel {
            kind: ParcelKind::Message,
            attempt: 1,
            redelivery_max: 3,
            about: 0,
            source: "".into(),
            body,
        };
        let size = parcel.size().unwrap();
        outgoing.push(parcel, size)
    }

    fn sequences(outgoing: &mut Outgoing) -> Vec<u64> {
        std::iter::from_fn(|| outgoing.next().map(|(sequence, ..)| sequence)).collect()
    }

    #[test]
    fn what_the_peer_has_not_received_is_sent_again_and_counted() {
        let mut outgoing = outgoing(8, 1 << 20);
        for sequence in 1..=4 {
            assert_eq!(push(&mut outgoing, 1), sequence);
        }
        assert_eq!(sequences(&mut outgoing), [1, 2, 3, 4]);
        assert_eq!(outgoing.settle(1), Ok(true));
        outgoing.resume(2, Window { messages: 8, bytes: 1 << 20 }).unwrap();
        push(&mut outgoing, 1);
        assert_eq!(sequences(&mut outgoing), [3, 4, 5]);
        assert_eq!((outgoing.sent(), outgoing.resent(), outgoing.kept()), (5, 2, 4));
    }

    #[test]
    fn a_smaller_window_of_the_peer_holds_back_what_was_taken_before_it_was_told() {
        let mut outgoing = outgoing(7, 1 << 20);
        for _ in 0..6 {
            push(&mut outgoing, 84);
        }
        outgoing.resume(0, Window { messages: 2, bytes: 1 << 20 }).unwrap();
        assert_eq!(sequences(&mut outgoing), [1, 2]);
        assert!(outgoing.is_full());
        assert_eq!(outgoing.settle(1), Ok(true));
        assert_eq!(sequences(&mut outgoing), [3]);
        // Bytes count as well: the last parcel may go beyond them.
        outgoing.resume(3, Window { messages: 8, bytes: 301 }).unwrap();
        assert_eq!(sequences(&mut outgoing), [4, 5]);
        assert_eq!(outgoing.settle(5), Ok(true));
        assert_eq!(sequences(&mut outgoing), [6]);
        // A larger window than our own does not make us keep more.
        outgoing.resume(6, Window { messages: u32::MAX, bytes: u64::MAX }).unwrap();
        assert!(!outgoing.is_full());
        while !outgoing.is_full() {
            push(&mut outgoing, 84);
        }
        assert_eq!(outgoing.kept(), 7);
    }

    #[test]
    fn what_was_not_sent_is_neither_settled_nor_received() {
        let mut outgoing = outgoing(8, 1 << 20);
        for _ in 0..3 {
            push(&mut outgoing, 1);
        }
        outgoing.next();
        outgoing.next();
        assert_eq!(outgoing.settle(3), Err(Violation::SettledUnsent { found: 3, sent: 2 }));
        assert_eq!(outgoing.settle(1), Ok(true));
        assert_eq!(outgoing.settle(1), Ok(false));
        assert_eq!(outgoing.settle(0), Ok(false));
        let window = Window { messages: 8, bytes: 1 };
        let resumed = |found| Err(Violation::Resumed { found, settled: 1, sent: 2 });
        assert_eq!(outgoing.resume(0, window), resumed(0));
        assert_eq!(outgoing.resume(3, window), resumed(3));
        // On the new connection nothing behind 1 has been sent yet.
        assert_eq!(outgoing.resume(1, window), Ok(()));
        assert_eq!(outgoing.settle(2), Err(Violation::SettledUnsent { found: 2, sent: 1 }));
    }

    #[test]
    fn what_is_given_back_says_whether_it_was_sent() {
        let mut outgoing = outgoing(8, 1 << 20);
        for _ in 0..3 {
            push(&mut outgoing, 1);
        }
        outgoing.next();
        outgoing.next();
        outgoing.settle(1).unwrap();
        let back: Vec<_> = outgoing.drain().iter().map(|one| (one.sequence, one.sent)).collect();
        assert_eq!(back, [(2, true), (3, false)]);
    }
}
