//! One connection of a link: the greeting, and carrying lanes until it ends.

mod batch;
mod descriptors;
mod pulse;
mod reader;
mod writer;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::frame::{Frame, HEADER_SIZE, Header, Kind, Payload};
use super::lanes::Shared;
use super::rings::{self, Rings, Serving};
use super::{Agreed, Beats, Features, Greeting, Lanes, LinkError, Signal, Violation};
use descriptors::Source;
use pulse::Pulse;
use reader::Reader;
use writer::Writer;

pub(super) use batch::Batch;

/// The time to say Bye to a peer that breaks the rules.
const FAREWELL: Duration = Duration::from_millis(100);

/// The time to hear what a peer has said before it closed the connection.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Which end of a link this is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// It opens lanes and looks after the host.
    Gateway,
    /// It answers.
    Host,
}

impl Side {
    /// Up to here outgoing parcels are in front of a settling that is told when the parcels up to `written` are.
    pub(super) fn vouched_for(self, written: u64) -> u64 {
        match self {
            Self::Gateway => u64::MAX,
            Self::Host => written,
        }
    }
}

/// Says Hello and hears the peer's. To be bounded in time by the caller; a stream that this was interrupted on
/// is of no further use.
///
/// # Errors
/// The peer speaks no version that this end does, says something else, says Bye, or has gone. It is told why.
pub async fn greet(stream: &mut UnixStream, mine: &Greeting) -> Result<Agreed, LinkError> {
    let mut hello = BytesMut::new();
    mine.encode(&mut hello);
    stream.write_all(&hello).await?;
    let agreed = match hear(stream).await {
        Ok(theirs) => {
            mine.agree(&theirs).ok_or(LinkError::Versions { ours: mine.versions, theirs: theirs.versions })
        }
        Err(error) => Err(error),
    };
    if let Err(error @ (LinkError::Versions { .. } | LinkError::Violation(_))) = &agreed {
        let mut bye = BytesMut::new();
        Signal::Bye { reason: error.to_string() }.encode(&mut bye);
        // Whether it is heard changes nothing.
        let _ = timeout(FAREWELL, stream.write_all(&bye)).await;
    }
    agreed
}

/// The peer's first frame.
async fn hear(stream: &mut UnixStream) -> Result<Greeting, LinkError> {
    let mut header = [0; HEADER_SIZE];
    stream.read_exact(&mut header).await?;
    let header = Header::decode(&header).map_err(Violation::from)?;
    if !matches!(Kind::from_byte(header.kind), Some(Kind::Hello | Kind::Bye)) {
        return Err(Violation::OutOfPlace(header.kind).into());
    }
    // At most a few kilobytes, by its kind.
    let mut payload = vec![0; header.length as usize];
    stream.read_exact(&mut payload).await?;
    match Frame::decode(&header, Payload::Owned(payload.into()), &mut "".into()) {
        Ok(Frame::Hello(greeting)) => Ok(greeting),
        Ok(Frame::Signal(Signal::Bye { reason })) => Err(LinkError::Left(reason)),
        Ok(_) => Err(Violation::OutOfPlace(header.kind).into()),
        Err(error) => Err(Violation::from(error).into()),
    }
}

/// Carries the lanes over one connection until it ends, and says why it ended. Then, and when the future is
/// dropped, no connection carries them; they lose nothing by it, and the next call goes on with them.
///
/// A newer call with the same lanes takes them from an older one, which ends.
///
/// Signals from the peer go to `signals` in order; while that is full nothing is read. A Bye is not among
/// them but in what this returns. On the gateway's side an Opened is passed on once the lane is carried. On
/// the host's side an Open of a lane that is there is answered here; that of another is passed on, and the
/// receiver either adds the lane or signals a refusal. A Close may also tell of a lane that the gateway does
/// not have any more.
pub async fn carry(
    mut stream: UnixStream,
    agreed: &Agreed,
    side: Side,
    lanes: &Lanes,
    signals: &mpsc::Sender<Signal>,
    beats: Beats,
) -> LinkError {
    let lanes = &lanes.shared;
    let begun = match lanes.begin(side, agreed) {
        Ok(begun) => begun,
        Err(error) => return error,
    };
    let connection = begun.number;
    let _ending = Ending { lanes, connection };
    let sharing = async {
        tokio::select! {
            biased;
            () = lanes.replaced(connection) => Err(LinkError::Replaced),
            shared = share_rings(&mut stream, agreed, side, beats) => shared,
        }
    };
    let rings = match sharing.await {
        Ok(rings) => rings.map(Arc::new),
        Err(error) => return error,
    };
    tracing::debug!(?side, rings = rings.is_some(), "a connection of the host link carries its lanes");
    rings.iter().for_each(|rings| lanes.share(connection, rings.clone()));
    let pulse = Pulse::new();
    let (read, write) = stream.split();
    let descriptors = side == Side::Host && agreed.features.contains(Features::SEGMENTS);
    let read = Source::new(read, descriptors);
    let mut reader = Reader::new(read, side, lanes.clone(), begun, signals, &pulse);
    let mut writer = Writer::new(write, lanes.clone(), connection, &pulse);

    let serving = rings.map(|rings| Serving::begin(rings, lanes.watch().cloned())).transpose();
    let _serving = match serving {
        Ok(serving) => serving,
        Err(error) => return error.into(),
    };
    let ended = {
        let mut reading = pin!(reader.run());
        // The writer comes last and sends what the others have left for it.
        tokio::select! {
            biased;
            () = lanes.replaced(connection) => LinkError::Replaced,
            error = &mut reading => error,
            error = pulse.beat(beats), if side == Side::Gateway => error,
            error = writer.run() => match error {
                // The peer takes nothing any more. What it has said before may be waiting to be read.
                LinkError::Closed | LinkError::Broken(_) => {
                    timeout(LAST_WORDS, reading).await.unwrap_or(error)
                }
                error => error,
            },
        }
    };
    if let LinkError::Violation(violation) = &ended {
        // Whether it is heard changes nothing.
        let _ = timeout(FAREWELL, writer.say_bye(violation.to_string())).await;
    }
    ended
}

/// The rings of a connection whose peers both know of them.
async fn share_rings(
    stream: &mut UnixStream,
    agreed: &Agreed,
    side: Side,
    beats: Beats,
) -> Result<Option<Rings>, LinkError> {
    if !agreed.features.contains(Features::RINGS) {
        return Ok(None);
    }
    let shared = timeout(beats.patience, rings::establish(stream, side)).await;
    shared.unwrap_or(Err(LinkError::Silent(beats.patience)))
}

/// Sees to it that the lanes know of the connection's end, also when its future is dropped.
struct Ending<'a> {
    lanes: &'a Shared,
    connection: u64,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.lanes.end(self.connection);
    }
}
