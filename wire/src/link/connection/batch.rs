//! Frames on their way into one write.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::link::frame::{Header, Kind, Slot, bare};
use crate::link::{Parcel, SegmentFrame, Signal};
use crate::segments::{Memory, SegmentError};

/// Bytes after which a batch takes no more frames.
const FULL: usize = 64 << 10;

/// Bodies from this size on are written from where they are; smaller ones are copied next to each other.
const LARGE: usize = 16 << 10;

/// Pieces that one write takes.
const PIECES: usize = 32;

/// Encoded frames, in order: small ones in one buffer, large bodies on their own.
pub(in crate::link) struct Batch {
    buffer: BytesMut,
    pieces: VecDeque<Bytes>,
    /// The frames with a descriptor, each a piece of its own: how many pieces are in front of it and behind the
    /// one before, and what takes the frame's place if no descriptor can be sent.
    descriptors: VecDeque<Beside>,
    bytes: usize,
    frames: u64,
}

struct Beside {
    pieces_before: usize,
    memory: Memory,
    instead: Bytes,
}

impl Batch {
    pub(super) fn new() -> Self {
        let (pieces, descriptors) = (VecDeque::new(), VecDeque::new());
        Self { buffer: BytesMut::with_capacity(FULL), pieces, descriptors, bytes: 0, frames: 0 }
    }

    pub(in crate::link) fn is_full(&self) -> bool {
        self.bytes + self.buffer.len() >= FULL
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes + self.buffer.len() == 0
    }

    /// `size` is the parcel's, checked when it was taken.
    pub(in crate::link) fn parcel(
        &mut self,
        module: u32,
        epoch: u32,
        sequence: u64,
        size: u32,
        parcel: &Parcel,
    ) {
        let header = Header { length: size, kind: Kind::Parcel as u8, flags: 0, module, epoch, sequence };
        self.put(&header.encode());
        parcel.encode_head(&mut self.buffer);
        if parcel.body.len() < LARGE {
            self.buffer.put_slice(&parcel.body);
        } else {
            self.seal();
            self.bytes += parcel.body.len();
            self.pieces.push_back(parcel.body.clone());
        }
    }

    pub(in crate::link) fn settle(&mut self, module: u32, epoch: u32, sequence: u64) {
        self.put(&bare(Kind::Settle, module, epoch, sequence));
    }

    pub(super) fn ping(&mut self, sequence: u64) {
        self.put(&bare(Kind::Ping, 0, 0, sequence));
    }

    pub(super) fn pong(&mut self, sequence: u64) {
        self.put(&bare(Kind::Pong, 0, 0, sequence));
    }

    pub(in crate::link) fn signal(&mut self, signal: &Signal) {
        self.frames += 1;
        signal.encode(&mut self.buffer);
    }

    /// A frame about segments, with the memory whose descriptor goes beside it.
    pub(in crate::link) fn segment(
        &mut self,
        module: u32,
        epoch: u32,
        frame: &SegmentFrame,
        memory: Option<Memory>,
    ) {
        self.frames += 1;
        let Some(memory) = memory else { return frame.encode(module, epoch, &mut self.buffer) };
        self.seal();
        let request = frame.request();
        let refused = SegmentFrame::Refused { request, reason: SegmentError::Unavailable };
        let mut instead = BytesMut::new();
        refused.encode(module, epoch, &mut instead);
        let known: usize = self.descriptors.iter().map(|beside| beside.pieces_before + 1).sum();
        let pieces_before = self.pieces.len() - known;
        self.descriptors.push_back(Beside { pieces_before, memory, instead: instead.freeze() });
        frame.encode(module, epoch, &mut self.buffer);
        self.seal();
    }

    pub(in crate::link) fn slot(&mut self, module: u32, epoch: u32, slot: Slot) {
        self.put(&slot.encode(module, epoch));
    }

    fn put(&mut self, header: &[u8]) {
        self.frames += 1;
        self.buffer.put_slice(header);
    }

    /// Makes a piece of what the buffer holds.
    pub(super) fn seal(&mut self) {
        if !self.buffer.is_empty() {
            self.bytes += self.buffer.len();
            self.pieces.push_back(self.buffer.split().freeze());
        }
    }

    /// How many frames were put in since the last time.
    pub(super) fn take_frames(&mut self) -> u64 {
        std::mem::take(&mut self.frames)
    }

    /// The sealed pieces, as far as one write takes them. Says how many they are. A write ends in front of a
    /// frame with a descriptor, unless it begins with that.
    pub(super) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; PIECES]) -> usize {
        let most = match (self.descriptors.front(), self.descriptors.get(1)) {
            (Some(Beside { pieces_before: 0, .. }), next) => {
                next.map_or(PIECES, |next| next.pieces_before + 1)
            }
            (Some(next), _) => next.pieces_before,
            (None, _) => PIECES,
        };
        let pieces = self.pieces.iter().take(most).zip(slices.iter_mut());
        pieces.map(|(piece, slice)| *slice = IoSlice::new(piece)).count()
    }

    /// The memory whose descriptor goes beside the first byte of the next write.
    pub(super) fn memory(&self) -> Option<&Memory> {
        self.descriptors.front().filter(|beside| beside.pieces_before == 0).map(|beside| &beside.memory)
    }

    /// The descriptor of the next write was sent, with some of its bytes.
    pub(super) fn advance_with_descriptor(&mut self, written: usize) {
        self.descriptors.pop_front();
        if let Some(next) = self.descriptors.front_mut() {
            // The frame that had it is a piece in front of the next one now.
            next.pieces_before += 1;
        }
        self.advance(written);
    }

    /// The descriptor of the next write cannot be sent: the frame says that there is no segment.
    pub(super) fn refuse_descriptor(&mut self) {
        let Some(beside) = self.descriptors.pop_front() else { return };
        if let Some(piece) = self.pieces.front_mut() {
            self.bytes = self.bytes - piece.len() + beside.instead.len();
            *piece = beside.instead;
        }
        if let Some(next) = self.descriptors.front_mut() {
            next.pieces_before += 1;
        }
    }

    /// So many bytes of the pieces have been written.
    pub(super) fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(piece) = self.pieces.front_mut() {
            if written < piece.len() {
                return piece.advance(written);
            }
            written -= piece.len();
            self.pieces.pop_front();
            if let Some(next) = self.descriptors.front_mut() {
                next.pieces_before -= 1;
            }
        }
    }

    /// Gives the buffer its room back, once everything has been written.
    pub(super) fn reuse(&mut self) {
        self.buffer.reserve(FULL);
    }
}

pub(super) fn no_slices<'a>() -> [IoSlice<'a>; PIECES] {
    [IoSlice::new(&[]); PIECES]
}

#[cfg(test)]
mod tests {
    use super::{Batch, LARGE, no_slices};
    use crate::link::{Frame, Parcel, ParcelKind, SegmentFrame, Signal};
    use crate::segments::{Memory, SegmentError, Token};

    fn parcel(length: usize) -> Parcel {
        Parcel {
            kind: ParcelKind::Message,
            attempt: 1,
            redelivery_max: 3,
            about: 0,
            source: "source".into(),
            body: vec![7; length].into(),
        }
    }

    /// Takes the batch's bytes, so many at a time.
    fn written(batch: &mut Batch, step: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        batch.seal();
        while !batch.is_empty() {
            let mut slices = no_slices();
            let count = batch.slices(&mut slices);
            let some: Vec<u8> =
                slices[..count].iter().flat_map(|slice| slice.iter().copied()).take(step).collect();
            bytes.extend_from_slice(&some);
            batch.advance(some.len());
        }
        bytes
    }

    #[test]
    fn pieces_are_the_frames_in_order_however_they_are_written() {
        for step in [1, 7, 4096, usize::MAX] {
            let mut batch = Batch::new();
            let mut frames = Vec::new();
            for (sequence, length) in (1..).zip([0, 10, LARGE, LARGE - 1, LARGE + 5]) {
                let parcel = parcel(length);
                batch.parcel(1, 2, sequence, parcel.size().unwrap(), &parcel);
                frames.push(Frame::Parcel { module: 1, epoch: 2, sequence, parcel });
                batch.settle(1, 2, sequence);
                frames.push(Frame::Settle { module: 1, epoch: 2, sequence });
            }
            batch.signal(&Signal::Bye { reason: "done".into() });
            frames.push(Frame::Signal(Signal::Bye { reason: "done".into() }));
            assert_eq!(batch.take_frames(), frames.len() as u64);

            let bytes = written(&mut batch, step);
            let mut rest = &bytes[..];
            for frame in frames {
                let (parsed, length) = Frame::parse(rest).unwrap().unwrap();
                assert_eq!(parsed, frame);
                rest = &rest[length..];
            }
            assert!(rest.is_empty());
        }
    }

    /// Each write begins with the frame whose descriptor it has, and has no other's.
    #[test]
    fn a_descriptor_goes_with_the_first_byte_of_its_frame() {
        let granted = |request| SegmentFrame::Granted { request, token: Token([7; 16]), size: 1 };
        for step in [1, 7, usize::MAX] {
            let mut batch = Batch::new();
            let mut wanted = Vec::new();
            for request in 1..6 {
                if request % 2 == 0 {
                    batch.settle(1, 2, request);
                    wanted.push(Frame::Settle { module: 1, epoch: 2, sequence: request });
                }
                if request == 5 {
                    let parcel = parcel(LARGE);
                    batch.parcel(1, 2, 1, parcel.size().unwrap(), &parcel);
                    wanted.push(Frame::Parcel { module: 1, epoch: 2, sequence: 1, parcel });
                }
                batch.segment(1, 2, &granted(request), Some(Memory::create(request).unwrap()));
                wanted.push(Frame::Segment { module: 1, epoch: 2, frame: granted(request) });
            }
            batch.segment(1, 2, &SegmentFrame::Close { request: 9 }, None);
            wanted.push(Frame::Segment { module: 1, epoch: 2, frame: SegmentFrame::Close { request: 9 } });
            batch.seal();
            let (mut bytes, mut beside) = (Vec::new(), Vec::new());
            while !batch.is_empty() {
                let memory = batch.memory().map(Memory::size);
                let mut slices = no_slices();
                let count = batch.slices(&mut slices);
                let some: Vec<u8> =
                    slices[..count].iter().flat_map(|slice| slice.iter().copied()).take(step).collect();
                beside.extend(memory.map(|size| (bytes.len(), size)));
                bytes.extend_from_slice(&some);
                match memory {
                    Some(_) => batch.advance_with_descriptor(some.len()),
                    None => batch.advance(some.len()),
                }
            }
            let (mut at, mut expected) = (0, Vec::new());
            for frame in wanted {
                let (parsed, length) = Frame::parse(&bytes[at..]).unwrap().unwrap();
                assert_eq!(parsed, frame);
                if let Frame::Segment { frame: SegmentFrame::Granted { request, .. }, .. } = frame {
                    expected.push((at, request));
                }
                at += length;
            }
            assert_eq!(at, bytes.len());
            assert_eq!(beside, expected);
        }
    }

    #[test]
    fn a_descriptor_that_cannot_be_sent_makes_its_frame_a_refusal() {
        let mut batch = Batch::new();
        for request in [1, 2] {
            let frame = SegmentFrame::Granted { request, token: Token([7; 16]), size: 1 };
            batch.segment(1, 2, &frame, Some(Memory::create(request).unwrap()));
        }
        batch.refuse_descriptor();
        assert!(batch.memory().is_none());
        let mut slices = no_slices();
        let count = batch.slices(&mut slices);
        assert_eq!(count, 1);
        let (frame, length) = Frame::parse(&slices[0]).unwrap().unwrap();
        let refused = SegmentFrame::Refused { request: 1, reason: SegmentError::Unavailable };
        assert_eq!(frame, Frame::Segment { module: 1, epoch: 2, frame: refused });
        batch.advance(length);
        assert_eq!(batch.memory().map(Memory::size), Some(2));
    }
}
