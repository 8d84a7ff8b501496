//! Frames on their way into one write.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::link::frame::{Header, Kind, bare};
use crate::link::{Parcel, Signal};

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
    bytes: usize,
    frames: u64,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self { buffer: BytesMut::with_capacity(FULL), pieces: VecDeque::new(), bytes: 0, frames: 0 }
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

    /// The sealed pieces, as far as one write takes them. Says how many they are.
    pub(super) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; PIECES]) -> usize {
        let pieces = self.pieces.iter().zip(slices.iter_mut());
        pieces.map(|(piece, slice)| *slice = IoSlice::new(piece)).count()
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
    use crate::link::{Frame, Parcel, ParcelKind, Signal};

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
}
