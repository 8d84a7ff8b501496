//! A lane's parcels on their way through rings.
//!
//! A record is what stands in a Parcel frame: the sequence number, 64 bit, and the payload. One that is too long for a
//! ring comes in pieces. Settling is the ring's own acknowledgement. A host's goes behind what it has published, as on
//! the socket: so a gateway takes note of one only when it has read what was there before it.

use std::ops::Range;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use sandgate_ring::{End, Push, Record};

use crate::discard::room;
use crate::limits::MESSAGE_MAX;
use crate::link::frame::{PAYLOAD_MAX, Payload};
use crate::link::rings::{RING_BYTES, Rings};
use crate::link::{Parcel, ParcelKind, Side, Violation};
use crate::reader::Reader;
use crate::{DecodeError, Message};

/// The record ends a parcel.
const LAST: u8 = 1;
/// The record is a piece of one; more of it follows.
const PIECE: u8 = 2;

/// Bytes of a piece.
const PIECE_BYTES: usize = 16 << 10;

/// Bytes that are written in one go: what a ring holds.
const TURN: usize = RING_BYTES as usize;

/// The sequence number in front of a parcel's payload.
const SEQUENCE: usize = size_of::<u64>();

/// One end of the rings of a lane. Dropping it leaves them.
pub(super) struct Ringed {
    end: End,
    rings: Arc<Rings>,
    side: Side,
    /// What goes in front of a body.
    head: BytesMut,
    /// Bytes of the parcel in hand that are written already.
    written: usize,
    /// Bytes that are written in this turn.
    turn: usize,
    /// Pieces of the parcel that is being read.
    pieces: Vec<u8>,
    /// The newest of them; its memory is there for the next one.
    piece: Vec<u8>,
    /// The source of the newest parcel.
    source: Arc<str>,
    /// What the peer had acknowledged before that was loaded which is being read.
    acknowledged: u64,
    /// Of this, what was taken note of.
    settled: u64,
    /// Nothing was unsettled when the last look found nothing, so that nobody waits for what is settled.
    at_rest: bool,
    /// Parcels that came once more.
    duplicates: u32,
    /// The peer sleeps and has to be woken.
    due: bool,
}

/// What comes out of a ring.
pub(super) enum Taken {
    Parcel {
        sequence: u64,
        size: u32,
        parcel: Parcel,
        /// The bytes of the record that it came in, or that it ended with.
        copied: usize,
    },
    /// The peer has settled everything up to this.
    Settled(u64),
    /// So many bytes of a parcel, of which there is more to come.
    Piece(usize),
}

/// What became of a parcel.
pub(super) enum Written {
    All,
    /// There is no room for the rest. The lane is told when there is.
    AllThatFits,
    /// There is room, and it is others' turn. The lane is not told of it.
    Turn,
}

impl Taken {
    /// The bytes that were taken out of the ring.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Parcel { copied, .. } => *copied,
            Self::Settled(_) => 0,
            Self::Piece(bytes) => *bytes,
        }
    }
}

impl Ringed {
    pub(super) fn new(rings: Arc<Rings>, end: End, side: Side) -> Self {
        Self {
            end,
            rings,
            side,
            head: BytesMut::new(),
            written: 0,
            turn: 0,
            pieces: Vec::new(),
            piece: Vec::new(),
            source: "".into(),
            acknowledged: 0,
            settled: 0,
            at_rest: true,
            duplicates: 0,
            due: false,
        }
    }

    pub(super) fn side(&self) -> Side {
        self.side
    }

    /// Others have had their turn.
    pub(super) fn begin_turn(&mut self) {
        self.turn = 0;
    }

    /// Writes a parcel, or as much of it as there is room for; once more with the same, it goes on. A gateway writes a turn's
    /// worth, also if its host makes room meanwhile: whoever writes keeps others waiting for this lane, and for what its
    /// thread does else. A host trusts its gateway not to say so for ever.
    pub(super) fn write(&mut self, sequence: u64, parcel: &Parcel) -> Result<Written, Violation> {
        self.head.clear();
        self.head.put_u64(sequence);
        parcel.encode_head(&mut self.head);
        let size = self.head.len() + parcel.body.len();
        loop {
            if self.turn >= TURN {
                self.publish();
                if self.end.want_reading()? {
                    return Ok(Written::AllThatFits);
                }
                // A peer can say so all the time.
                if self.side == Side::Gateway {
                    return Ok(Written::Turn);
                }
            }
            let left = size - self.written;
            // The rest of one that comes in pieces is no longer than they are.
            let longest = if self.written == 0 { self.end.longest() } else { self.piece_bytes() };
            let (length, kind) = if left <= longest { (left, LAST) } else { (self.piece_bytes(), PIECE) };
            let (head, body) = cut(&self.head, &parcel.body, self.written..self.written + length);
            match self.end.push(&[head, body], kind)? {
                Push::Done if kind == LAST => {
                    self.turn += length;
                    self.written = 0;
                    return Ok(Written::All);
                }
                Push::Done => {
                    self.written += length;
                    self.turn += length;
                }
                Push::Full | Push::TooLong => {
                    self.publish();
                    if !self.end.want_room(length)? {
                        return Ok(Written::AllThatFits);
                    }
                }
            }
        }
    }

    /// The length of a piece, which takes some microseconds: whoever has others to serve does that between two.
    fn piece_bytes(&self) -> usize {
        PIECE_BYTES.min(self.end.longest())
    }

    /// A parcel came that had come before. How many did so in these rings.
    pub(super) fn count_duplicate(&mut self) -> u32 {
        self.duplicates = self.duplicates.saturating_add(1);
        self.duplicates
    }

    /// What was written and acknowledged is there for the peer.
    pub(super) fn publish(&mut self) {
        self.due |= self.end.publish().rings();
    }

    /// Tells the peer that everything up to this parcel is settled, behind what was written.
    pub(super) fn acknowledge(&mut self, sequence: u64) {
        self.end.acknowledge(sequence);
        self.publish();
    }

    /// Reads on by one record. `sent` is the newest parcel that the peer can settle. When there is nothing, the lane is told when
    /// there is, and a gateway's lane also when more is settled.
    pub(super) fn take(&mut self, sent: u64) -> Result<Option<Taken>, Violation> {
        loop {
            if !self.end.is_loaded() {
                if let Some(settled) = self.settled() {
                    return Ok(Some(settled));
                }
                // In this order: what the peer has published before it acknowledged is among what is loaded.
                self.acknowledged = self.end.acknowledged(sent)?;
                let nothing = !self.end.load()?;
                if (nothing || self.side == Side::Host)
                    && let Some(settled) = self.settled()
                {
                    return Ok(Some(settled));
                }
                if nothing {
                    self.publish();
                    self.at_rest = true;
                    if !self.await_settled(sent) {
                        return Ok(None);
                    }
                    continue;
                }
            }
            let taken = if self.pieces.is_empty() {
                self.end.pop()?.map(|record| self.begin(record))
            } else {
                self.end.pop_into(&mut self.piece)?.map(|kind| self.go_on(kind))
            };
            if let Some(taken) = taken.transpose()? {
                if matches!(taken, Taken::Piece(_)) {
                    // The peer writes on while others have their turn here.
                    self.publish();
                }
                return Ok(Some(taken));
            }
        }
    }

    /// At a gateway: sees to it that the lane is told when something is settled, if anything is not. Whether something
    /// is already.
    pub(super) fn await_settled(&mut self, sent: u64) -> bool {
        let waits = self.side == Side::Gateway && self.at_rest && self.settled < sent;
        self.at_rest &= !waits;
        waits && self.end.want_acknowledgements()
    }

    /// At a host: what the gateway has settled, whatever else is there to be read. If it waited for that, and the module
    /// for room before it reads on, neither would go on. When there is nothing new, the lane is told when there is.
    pub(super) fn take_settled(&mut self, sent: u64) -> Result<Option<Taken>, Violation> {
        loop {
            self.acknowledged = self.end.acknowledged(sent)?;
            let settled = self.settled();
            if settled.is_some() || !self.end.want_acknowledgements() {
                return Ok(settled);
            }
        }
    }

    /// What was acknowledged, if that is new.
    fn settled(&mut self) -> Option<Taken> {
        let is_new = self.acknowledged > self.settled;
        self.settled = self.acknowledged;
        is_new.then_some(Taken::Settled(self.settled))
    }

    /// Whether there is something to be read.
    pub(super) fn has_more(&mut self) -> Result<bool, Violation> {
        Ok(self.end.load()?)
    }

    /// Which rings they are, and which slot.
    pub(super) fn place(&self) -> (Arc<Rings>, u32) {
        (self.rings.clone(), self.end.slot().number)
    }

    /// Whoever is to be woken once no lock is held.
    pub(super) fn take_due(&mut self) -> Option<Arc<Rings>> {
        std::mem::take(&mut self.due).then(|| self.rings.clone())
    }

    /// A record at the start of a parcel.
    fn begin(&mut self, Record { kind, bytes: record }: Record) -> Result<Taken, Violation> {
        match kind {
            LAST => {
                let copied = record.len();
                self.read(record, copied)
            }
            PIECE if record.len() == self.piece_bytes() => {
                self.pieces = room(self.expected(&record));
                self.pieces.extend_from_slice(&record);
                Ok(Taken::Piece(record.len()))
            }
            other => Err(Violation::OutOfPlace(other)),
        }
    }

    /// The size of the whole parcel that begins so, if it tells: growing would copy all of it again and again. Else the
    /// largest; the system gives memory only for what is used.
    fn expected(&mut self, beginning: &Bytes) -> usize {
        let payload = beginning.slice(SEQUENCE.min(beginning.len())..);
        let claimed = match Parcel::decode(Payload::Owned(payload), &mut self.source) {
            Ok(Parcel { kind: ParcelKind::Message, body, .. }) => {
                let before = beginning.len() - body.len();
                Message::claimed_size(&body).map(|size| before + size.min(MESSAGE_MAX))
            }
            // Whatever it is, it is found out when all of it is there.
            _ => None,
        };
        claimed.unwrap_or(SEQUENCE + PAYLOAD_MAX)
    }

    /// One that is the next piece of the parcel in hand.
    fn go_on(&mut self, kind: u8) -> Result<Taken, Violation> {
        let actual = self.pieces.len() + self.piece.len();
        let limit = SEQUENCE + PAYLOAD_MAX;
        if actual > limit {
            return Err(Violation::Malformed(DecodeError::TooLarge { actual, limit }));
        }
        // Shorter ones could be as many as a peer likes, for nothing.
        if kind != LAST && (kind != PIECE || self.piece.len() != self.piece_bytes()) {
            return Err(Violation::OutOfPlace(kind));
        }
        self.pieces.extend_from_slice(&self.piece);
        if kind == PIECE {
            return Ok(Taken::Piece(self.piece.len()));
        }
        let copied = std::mem::take(&mut self.piece).len();
        let mut whole = std::mem::take(&mut self.pieces);
        // Of one that has told its size there is nothing to speak of.
        whole.shrink_to(whole.len() + whole.len() / 4);
        self.read(whole.into(), copied)
    }

    /// A whole one.
    fn read(&mut self, whole: Bytes, copied: usize) -> Result<Taken, Violation> {
        let sequence = Reader::new(&whole).u64("sequence").map_err(Violation::from)?;
        let parcel = Parcel::decode(Payload::Owned(whole.slice(SEQUENCE..)), &mut self.source)?;
        // What was decoded from a payload of checked length is no larger than it.
        let size = parcel.size().map_err(|_| Violation::OutOfPlace(LAST))?;
        Ok(Taken::Parcel { sequence, size, parcel, copied })
    }
}

/// A range of what two pieces are together, in each of them.
fn cut<'a>(head: &'a [u8], body: &'a [u8], range: Range<usize>) -> (&'a [u8], &'a [u8]) {
    let at = |place: usize, piece: &[u8]| place.min(piece.len());
    let behind = |place: usize| at(place.saturating_sub(head.len()), body);
    (&head[at(range.start, head)..at(range.end, head)], &body[behind(range.start)..behind(range.end)])
}

impl Drop for Ringed {
    fn drop(&mut self) {
        // The peer is awake for everybody else from the moment that somebody was told to wake it.
        if self.due {
            self.rings.ring();
        }
        self.rings.leave(self.end.slot().number);
    }
}
