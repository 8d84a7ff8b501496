//! Arbitrary bytes read as a script: small choices first, so that few bytes make a long story.

use std::sync::Arc;

use bytes::Bytes;
use sandgate_wire::link::{
    Features, Frame, Greeting, Instance, Parcel, ParcelKind, SegmentFrame, Signal, State, Versions, Window,
};
use sandgate_wire::segments::{SegmentError, Token};

/// Modules on a link, and epochs of each, that a script can name.
pub(crate) const MODULES: u32 = 3;
pub(crate) const EPOCHS: u32 = 4;

/// The bytes that are left.
pub(crate) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next thing to do; none at the end.
    pub(crate) fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A choice; 0 at the end.
    pub(crate) fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    /// Some bytes, with their number in front.
    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// A small number, or one near the end of the range.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            small @ ..=239 => small.into(),
            large => u64::MAX - u64::from(u8::MAX - large),
        }
    }

    /// A module's number on a link, and an epoch.
    pub(crate) fn lane(&mut self) -> (u32, u32) {
        let byte = u32::from(self.byte());
        (byte % MODULES, byte / MODULES % EPOCHS)
    }

    pub(crate) fn window(&mut self) -> Window {
        let [messages, bytes] = [self.number(), self.number()];
        Window { messages: messages as u32, bytes: bytes.saturating_mul(16) }
    }

    pub(crate) fn parcel(&mut self) -> Parcel {
        let kind = match self.byte() {
            0 => ParcelKind::Verdict,
            1 => ParcelKind::DeadLetter,
            2 => ParcelKind::Other(9),
            _ => ParcelKind::Message,
        };
        let [attempt, redelivery_max] = [self.byte(), self.byte()];
        let source = if attempt % 8 == 7 { self.text() } else { String::new() };
        let body = Bytes::copy_from_slice(self.bytes());
        Parcel { kind, attempt: attempt.into(), redelivery_max, about: 0, source: Arc::from(source), body }
    }

    /// What a peer might say about segments.
    fn segment(&mut self) -> SegmentFrame {
        let (kind, request) = (self.byte(), self.number());
        let token = Token([kind; 16]);
        match kind % 6 {
            0 => SegmentFrame::Create { request, size: self.number(), pool: self.text() },
            1 => SegmentFrame::Open { request, token },
            2 => SegmentFrame::Close { request },
            3 => SegmentFrame::Held { requests: vec![request; usize::from(self.byte())] },
            4 => SegmentFrame::Granted { request, token, size: self.number() },
            _ => SegmentFrame::Refused { request, reason: SegmentError::NoSuch },
        }
    }

    /// A frame that a peer might say, if not now.
    pub(crate) fn frame(&mut self) -> Frame {
        let kind = self.byte();
        let (module, epoch) = self.lane();
        Frame::Signal(match kind % 16 {
            0 | 1 => return Frame::Parcel { module, epoch, sequence: self.number(), parcel: self.parcel() },
            2 | 3 => return Frame::Settle { module, epoch, sequence: self.number() },
            4 => return Frame::Ping { sequence: self.number() },
            5 => return Frame::Pong { sequence: self.number() },
            6 => Signal::Open { module, epoch, window: self.window(), received: self.number() },
            7 => Signal::Opened { module, epoch, window: self.window(), received: self.number() },
            8 => Signal::Refused { module, epoch, reason: self.text() },
            9 => Signal::Start { module, epoch },
            10 => Signal::Close { module, epoch },
            11 => {
                let byte = self.byte();
                let states = [State::Running, State::Restarting, State::Quarantined, State::Ended];
                // Mostly one of these, for the corpus's sake by the same bytes as ever.
                let known = states[usize::from(byte % 4)];
                let state = if byte < 128 { known } else { State::Other(byte) };
                Signal::State { module, epoch, state, detail: self.text() }
            }
            12 => Signal::Statistics { module, epoch, json: self.text() },
            13 => Signal::Revive { module, epoch },
            14 => Signal::Bye { reason: self.text() },
            _ if kind > 230 => {
                Signal::Control { epoch, name: self.text(), frame: Bytes::from(self.text().into_bytes()) }
            }
            _ if kind > 200 => return Frame::Segment { module, epoch, frame: self.segment() },
            _ if kind > 127 => return Frame::Unknown { kind },
            _ => {
                let versions = Versions { oldest: self.byte().into(), newest: self.byte().into() };
                let instance = Instance([self.byte(); 16]);
                return Frame::Hello(Greeting { versions, features: Features(self.number()), instance });
            }
        })
    }
}
