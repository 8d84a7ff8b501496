//! How two processes come to share rings: the first frames behind the greeting, where both know of them.
//!
//! The gateway makes the memory and sends it, with the host's end of the bell, beside its frame; the host says whether
//! it uses them. Where either cannot, the link's socket carries everything.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use sandgate_ring::{Arena, ArenaError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;

use super::bell::Bell;
use super::{RING_BYTES, Rings, SLOTS};
use crate::link::frame::{Frame, HEADER_SIZE, Header, Kind, Payload, bare};
use crate::link::{LinkError, Side, Signal, Violation};

/// Makes the rings of a connection, at both ends. `None`: it has none.
pub(in crate::link) async fn establish(
    stream: &mut UnixStream,
    side: Side,
) -> Result<Option<Rings>, LinkError> {
    match side {
        Side::Gateway => propose(stream).await,
        Side::Host => answer(stream).await,
    }
}

/// At a gateway.
async fn propose(stream: &mut UnixStream) -> Result<Option<Rings>, LinkError> {
    let made = match make() {
        Ok((rings, descriptors)) => send(stream, &descriptors).await?.then_some(rings),
        Err(error) => {
            tracing::debug!(%error, "no memory for rings; the host link's socket carries everything");
            None
        }
    };
    let Some(rings) = made else {
        stream.write_all(&bare(Kind::Rings, 0, 0, 0)).await?;
        return Ok(None);
    };
    let mut header = [0; HEADER_SIZE];
    stream.read_exact(&mut header).await?;
    Ok(hear(stream, &header).await?.then_some(rings))
}

fn make() -> Result<(Rings, [OwnedFd; 2]), ArenaError> {
    let (arena, memory) = Arena::create(SLOTS, RING_BYTES)?;
    let (bell, theirs) = Bell::pair()?;
    Ok((Rings::new(arena, bell), [memory, theirs]))
}

/// At a host.
async fn answer(stream: &mut UnixStream) -> Result<Option<Rings>, LinkError> {
    let mut header = [0; HEADER_SIZE];
    let (count, descriptors) = receive(stream, &mut header).await?;
    stream.read_exact(&mut header[count..]).await?;
    if !hear(stream, &header).await? {
        return Ok(None);
    }
    let rings = match descriptors {
        // This process has as many as it may.
        Received::Cut => None,
        Received::All(descriptors) => {
            let [memory, bell] = <[OwnedFd; 2]>::try_from(descriptors).map_err(|_| Violation::Descriptors)?;
            open(memory, bell)
                .inspect_err(|error| tracing::debug!(%error, "the gateway's rings are not used"))
                .ok()
        }
    };
    stream.write_all(&bare(Kind::Rings, 0, 0, u64::from(rings.is_some()))).await?;
    Ok(rings)
}

fn open(memory: OwnedFd, bell: OwnedFd) -> Result<Rings, ArenaError> {
    Ok(Rings::new(Arena::open(memory)?, Bell::adopt(bell)))
}

/// What the peer says in the frame behind this header, which must be about rings.
async fn hear(stream: &mut UnixStream, header: &[u8; HEADER_SIZE]) -> Result<bool, LinkError> {
    let header = Header::decode(header).map_err(Violation::from)?;
    if !matches!(Kind::from_byte(header.kind), Some(Kind::Rings | Kind::Bye)) {
        return Err(Violation::OutOfPlace(header.kind).into());
    }
    // At most a few kilobytes, by its kind.
    let mut payload = vec![0; header.length as usize];
    stream.read_exact(&mut payload).await?;
    match Frame::decode(&header, Payload::Owned(payload.into()), &mut "".into()) {
        Ok(Frame::Rings { used }) => Ok(used),
        Ok(Frame::Signal(Signal::Bye { reason })) => Err(LinkError::Left(reason)),
        Ok(_) => Err(Violation::OutOfPlace(header.kind).into()),
        Err(error) => Err(Violation::from(error).into()),
    }
}

/// Sends the frame with its descriptors. False: too many of this user are under way between processes.
async fn send(stream: &mut UnixStream, descriptors: &[OwnedFd; 2]) -> Result<bool, LinkError> {
    let frame = bare(Kind::Rings, 0, 0, 1);
    let descriptors = [descriptors[0].as_fd(), descriptors[1].as_fd()];
    let sent = stream.async_io(Interest::WRITABLE, || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        match sendmsg(&*stream, &[IoSlice::new(&frame)], &mut control, SendFlags::NOSIGNAL) {
            Ok(written) => Ok(Some(written)),
            Err(Errno::TOOMANYREFS) => Ok(None),
            Err(error) => Err(error.into()),
        }
    });
    let Some(written) = sent.await? else { return Ok(false) };
    stream.write_all(&frame[written..]).await?;
    Ok(true)
}

/// The descriptors beside some bytes.
enum Received {
    All(Vec<OwnedFd>),
    /// This process had no room for them.
    Cut,
}

async fn receive(stream: &mut UnixStream, buffer: &mut [u8]) -> Result<(usize, Received), LinkError> {
    let got = stream.async_io(Interest::READABLE, || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let slices = &mut [IoSliceMut::new(buffer)];
        let received = recvmsg(&*stream, slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let descriptors = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        let descriptors = descriptors.flatten().collect();
        let beside = match received.flags.contains(ReturnFlags::CTRUNC) {
            true => Received::Cut,
            false => Received::All(descriptors),
        };
        Ok((received.bytes, beside))
    });
    match got.await? {
        (0, _) => Err(LinkError::Closed),
        got => Ok(got),
    }
}
