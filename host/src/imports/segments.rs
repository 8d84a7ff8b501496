//! `segments`: shared memory by handle. The gateway says who may have which; this reads and writes.

use sandgate_wire::link::{Lane, Segment, SegmentRequest};
use sandgate_wire::segments::{SegmentError as Refusal, Token};
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::bindings::sandgate::gateway::segments::{Host, HostSegment, SegmentError};
use crate::fault::Condemned;
use crate::sandbox::Guest;

type Answer<T> = Result<Result<T, SegmentError>>;

impl Host for Guest {}

impl HostSegment for Guest {
    fn create(&mut self, pool: String, size: u64) -> Answer<Resource<Segment>> {
        self.ledger.pass_copy(pool.len())?;
        self.request(|lane| lane.create_segment(&pool, size))
    }

    fn open(&mut self, token: String) -> Answer<Resource<Segment>> {
        self.ledger.pass_copy(token.len())?;
        match token.parse::<Token>() {
            Ok(token) => self.request(|lane| lane.open_segment(token)),
            Err(_) => Ok(Err(SegmentError::NoSuch)),
        }
    }

    fn token(&mut self, segment: Resource<Segment>) -> Result<String> {
        Ok(self.table.get(&segment)?.token().to_string())
    }

    fn size(&mut self, segment: Resource<Segment>) -> Result<u64> {
        Ok(self.table.get(&segment)?.memory().size())
    }

    fn write(&mut self, segment: Resource<Segment>, offset: u64, bytes: Vec<u8>) -> Answer<()> {
        self.ledger.pass_copy(bytes.len())?;
        Ok(self.table.get(&segment)?.memory().write(offset, &bytes).map_err(error))
    }

    fn read(&mut self, segment: Resource<Segment>, offset: u64, length: u64) -> Answer<Vec<u8>> {
        let memory = self.table.get(&segment)?.memory().clone();
        if let Err(refusal) = memory.check(offset, length) {
            return Ok(Err(error(refusal)));
        }
        // No more than the segment has; and what the module may not hold the host does not hold for it.
        self.ledger.begin_copy(length)?;
        let mut bytes = vec![0; length as usize];
        let read = memory.read(offset, &mut bytes);
        self.ledger.end_copy(length);
        Ok(read.map(|()| bytes).map_err(error))
    }

    fn drop(&mut self, segment: Resource<Segment>) -> Result<()> {
        self.table.delete(segment)?;
        Ok(())
    }
}

impl Guest {
    /// Asks the gateway, and waits for its answer as long as publishing may wait.
    fn request(&mut self, ask: impl FnOnce(&Lane) -> SegmentRequest) -> Answer<Resource<Segment>> {
        let Some(lane) = self.outlet.segments() else { return Ok(Err(SegmentError::Unavailable)) };
        match self.outlet.wait(ask(lane)) {
            Ok(Some(Ok(segment))) => Ok(Ok(self.table.push(segment)?)),
            Ok(Some(Err(refusal))) => Ok(Err(error(refusal))),
            Ok(None) => Ok(Err(SegmentError::Unavailable)),
            Err(Condemned) => Err(Condemned.into()),
        }
    }
}

fn error(refusal: Refusal) -> SegmentError {
    match refusal {
        Refusal::NotGranted => SegmentError::NotGranted,
        Refusal::Empty => SegmentError::Empty,
        Refusal::TooLarge(limit) => SegmentError::TooLarge(limit),
        Refusal::TooMany(limit) => SegmentError::TooMany(limit),
        Refusal::TooMuch(limit) => SegmentError::TooMuch(limit),
        Refusal::NoSuch => SegmentError::NoSuch,
        Refusal::Foreign => SegmentError::Foreign,
        Refusal::OutOfRange(size) => SegmentError::OutOfRange(size),
        Refusal::OutOfMemory => SegmentError::OutOfMemory,
        // Also what a newer gateway says.
        _ => SegmentError::Unavailable,
    }
}
