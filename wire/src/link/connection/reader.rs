//! The reading half of a connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{BufMut, BytesMut};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::yield_now;

use super::Side;
use super::descriptors::Source;
use super::pulse::Pulse;
use crate::link::frame::{Frame, HEADER_SIZE, Header, Kind, Payload};
use crate::link::lanes::{Answer, Begun, Key, Shared};
use crate::link::{Lane, LinkError, SegmentFrame, Signal, Violation};

/// The read buffer. Frames are parsed where they lie, so what is kept of them is copied out of it.
const BUFFER: usize = 64 << 10;

/// Frames from this payload on are read into memory of their own, which is not copied again.
const LARGE: usize = 16 << 10;

/// Bytes, and frames, after which others get a turn: the writer, and other connections.
const TURN: usize = 64 << 10;
const TURN_FRAMES: u32 = 16;

pub(super) struct Reader<'a> {
    from: Source<'a>,
    side: Side,
    lanes: Arc<Shared>,
    connection: u64,
    signals: &'a mpsc::Sender<Signal>,
    pulse: &'a Pulse,
    buffer: Box<[u8]>,
    /// What has been read and not parsed: `buffer[start..end]`.
    start: usize,
    end: usize,
    /// Bytes read, and frames handled, since others had a turn.
    read: usize,
    frames: u32,
    /// The lane of the newest parcel or settling: mostly the next one is for the same.
    lane: Option<Lane>,
    /// The source of the newest parcel.
    source: Arc<str>,
    over: Vec<Key>,
    is_pinged: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        from: Source<'a>,
        side: Side,
        lanes: Arc<Shared>,
        begun: Begun,
        signals: &'a mpsc::Sender<Signal>,
        pulse: &'a Pulse,
    ) -> Self {
        Self {
            from,
            side,
            lanes,
            connection: begun.number,
            signals,
            pulse,
            buffer: vec![0; BUFFER].into(),
            start: 0,
            end: 0,
            read: 0,
            frames: 0,
            lane: None,
            source: Arc::from(""),
            over: begun.over,
            is_pinged: false,
        }
    }

    /// Reads until the connection ends.
    pub(super) async fn run(&mut self) -> LinkError {
        match self.read_frames().await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn read_frames(&mut self) -> Result<std::convert::Infallible, LinkError> {
        for (module, epoch) in std::mem::take(&mut self.over) {
            self.pass(Signal::Close { module, epoch }).await?;
        }
        loop {
            let Some(header) = self.buffer[self.start..self.end].first_chunk() else {
                self.read().await?;
                continue;
            };
            let header = Header::decode(header).map_err(Violation::from)?;
            let length = header.length as usize;
            if Kind::from_byte(header.kind).is_none() {
                self.start += HEADER_SIZE;
                self.skip(length).await?;
                self.lanes.counters().unknown.fetch_add(1, Ordering::Relaxed);
            } else if length >= LARGE {
                self.start += HEADER_SIZE;
                let frame = self.read_large(&header).await?;
                self.handle(frame).await?;
            } else if self.end - self.start >= HEADER_SIZE + length {
                let payload = &self.buffer[self.start + HEADER_SIZE..][..length];
                let frame = Frame::decode(&header, Payload::Borrowed(payload), &mut self.source);
                self.start += HEADER_SIZE + length;
                self.handle(frame.map_err(Violation::from)?).await?;
                self.frames += 1;
                if self.frames >= TURN_FRAMES {
                    self.give_way().await;
                }
            } else {
                self.read().await?;
            }
        }
    }

    /// Reads some more into the buffer.
    async fn read(&mut self) -> Result<(), LinkError> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.start < HEADER_SIZE + LARGE {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let count = self.from.read(&mut self.buffer[self.end..]).await?;
        self.end += count;
        self.heard(count).await
    }

    /// Takes note of what was read. Nothing means that the peer has gone.
    async fn heard(&mut self, count: usize) -> Result<(), LinkError> {
        if count == 0 {
            return Err(LinkError::Closed);
        }
        self.pulse.hear();
        self.read += count;
        if self.read >= TURN {
            self.give_way().await;
        }
        Ok(())
    }

    /// Lets others have a turn.
    async fn give_way(&mut self) {
        (self.read, self.frames) = (0, 0);
        yield_now().await;
    }

    /// Reads a payload into memory of its own. Its length was checked.
    async fn read_large(&mut self, header: &Header) -> Result<Frame, LinkError> {
        let length = header.length as usize;
        let mut payload = BytesMut::with_capacity(length);
        let here = length.min(self.end - self.start);
        payload.put_slice(&self.buffer[self.start..self.start + here]);
        self.start += here;
        while payload.len() < length {
            let left = length - payload.len();
            let count = self.from.read_payload(&mut (&mut payload).limit(left)).await?;
            self.heard(count).await?;
        }
        let frame = Frame::decode(header, Payload::Owned(payload.freeze()), &mut self.source);
        Ok(frame.map_err(Violation::from)?)
    }

    /// Reads over so many bytes.
    async fn skip(&mut self, mut length: usize) -> Result<(), LinkError> {
        loop {
            let here = length.min(self.end - self.start);
            self.start += here;
            length -= here;
            if length == 0 {
                return Ok(());
            }
            self.read().await?;
        }
    }

    async fn handle(&mut self, frame: Frame) -> Result<(), LinkError> {
        self.lanes.counters().frames_received.fetch_add(1, Ordering::Relaxed);
        match (self.side, frame) {
            (_, Frame::Parcel { module, epoch, sequence, parcel }) => {
                // What was decoded from a payload of checked length is no larger than it.
                let size = parcel.size().map_err(|_| Violation::OutOfPlace(Kind::Parcel as u8))?;
                let arrive = |lane: &Lane, parcel| lane.arrive(self.connection, sequence, size, parcel);
                let back = match &self.lane {
                    Some(lane) if is(lane, module, epoch) => arrive(lane, parcel)?,
                    _ => Some(parcel),
                };
                if let Some(parcel) = back {
                    let lane = self.lanes.find(self.connection, (module, epoch))?;
                    let is_stray = match &lane {
                        Some(lane) => arrive(lane, parcel)?.is_some(),
                        None => true,
                    };
                    self.found(lane, is_stray);
                }
                Ok(())
            }
            (_, Frame::Settle { module, epoch, sequence }) => {
                let arrive = |lane: &Lane| lane.arrive_settled(self.connection, sequence);
                let is_known = match &self.lane {
                    Some(lane) if is(lane, module, epoch) => arrive(lane)?,
                    _ => false,
                };
                if !is_known {
                    let lane = self.lanes.find(self.connection, (module, epoch))?;
                    let is_stray = match &lane {
                        Some(lane) => !arrive(lane)?,
                        None => true,
                    };
                    self.found(lane, is_stray);
                }
                Ok(())
            }
            (side, Frame::Segment { module, epoch, frame })
                if frame.is_for_gateways() == (side == Side::Gateway) =>
            {
                self.on_segment((module, epoch), frame)
            }
            (Side::Host, Frame::Slot { module, epoch, slot }) => {
                Ok(self.lanes.on_slot(self.connection, (module, epoch), slot)?)
            }
            (_, Frame::Signal(Signal::Bye { reason })) => Err(LinkError::Left(reason)),
            (Side::Host, Frame::Ping { sequence }) => self.on_ping(sequence).await,
            (Side::Gateway, Frame::Pong { .. }) => Ok(()),
            (Side::Host, Frame::Signal(signal)) if signal.is_for_hosts() => self.on_host(signal).await,
            (Side::Gateway, Frame::Signal(signal)) if signal.is_for_gateways() => {
                self.on_gateway(signal).await
            }
            (_, frame) => Err(Violation::OutOfPlace(frame.kind()).into()),
        }
    }

    /// Something about segments, which is rare: its lane is looked up.
    fn on_segment(&mut self, key: Key, frame: SegmentFrame) -> Result<(), LinkError> {
        let descriptor = match frame {
            SegmentFrame::Granted { .. } => self.from.take_descriptor()?,
            _ => None,
        };
        let lane = self.lanes.find(self.connection, key)?;
        let is_stray = match (&lane, self.side) {
            (Some(lane), Side::Gateway) => !lane.arrive_segment_request(self.connection, frame)?,
            (Some(lane), Side::Host) => !lane.arrive_segment(self.connection, frame, descriptor),
            (None, _) => true,
        };
        if is_stray {
            self.count_stray();
        }
        Ok(())
    }

    /// Remembers a lane that had to be looked up.
    fn found(&mut self, lane: Option<Lane>, is_stray: bool) {
        if is_stray {
            self.count_stray();
        } else {
            self.lane = lane;
        }
    }

    fn count_stray(&self) {
        self.lanes.counters().strays.fetch_add(1, Ordering::Relaxed);
    }

    async fn on_ping(&mut self, sequence: u64) -> Result<(), LinkError> {
        self.pulse.answer(sequence);
        if !self.is_pinged {
            self.is_pinged = true;
            // The gateway opens all its lanes before it asks for the first time: the others are over, and a
            // Close was lost with a connection.
            for (module, epoch) in self.lanes.not_asked_for(self.connection) {
                self.pass(Signal::Close { module, epoch }).await?;
            }
        }
        Ok(())
    }

    /// A signal from the gateway.
    async fn on_host(&mut self, signal: Signal) -> Result<(), LinkError> {
        match signal {
            Signal::Open { module, epoch, window, received } => {
                match self.lanes.on_open(self.connection, (module, epoch), received, window)? {
                    Answer::Here => return Ok(()),
                    Answer::Elsewhere => {}
                    Answer::Outdated => {
                        self.count_stray();
                        return Ok(());
                    }
                }
            }
            Signal::Close { module, epoch } => self.lanes.on_close(self.connection, (module, epoch)),
            _ => {}
        }
        self.pass(signal).await
    }

    /// A signal from the host.
    async fn on_gateway(&mut self, signal: Signal) -> Result<(), LinkError> {
        let is_there = match signal {
            Signal::Opened { module, epoch, window, received } => {
                self.lanes.on_opened(self.connection, (module, epoch), received, window)?
            }
            Signal::Refused { module, epoch, .. }
            | Signal::State { module, epoch, .. }
            | Signal::Statistics { module, epoch, .. } => {
                // A host says what it had to say before it has heard of the lanes of this connection.
                self.lanes.has(self.connection, (module, epoch))
            }
            _ => true,
        };
        if !is_there {
            self.count_stray();
            return Ok(());
        }
        self.pass(signal).await
    }

    /// Passes a signal on, in order. While its receiver is not ready nothing is read.
    async fn pass(&self, signal: Signal) -> Result<(), LinkError> {
        match self.signals.try_send(signal) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(LinkError::Abandoned),
            Err(TrySendError::Full(signal)) => {
                self.pulse.set_busy(true);
                let sent = self.signals.send(signal).await;
                self.pulse.set_busy(false);
                sent.map_err(|_| LinkError::Abandoned)
            }
        }
    }
}

fn is(lane: &Lane, module: u32, epoch: u32) -> bool {
    lane.module() == module && lane.epoch() == epoch
}
