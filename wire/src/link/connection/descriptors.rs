//! Descriptors beside the bytes of a connection: a gateway sends them, a host receives them.
//!
//! One goes with the first byte of each frame that speaks of one, and each write has one at most. The kernel
//! ends a read behind bytes that have descriptors with them; so they are matched by their order, and between two
//! reads at most one waits: that of a frame of which only a part has come. A gateway's own connections are read
//! without room for any, and what its peer sends the kernel closes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Poll, ready};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::{ReadHalf, WriteHalf};

use crate::link::{LinkError, Violation};
use crate::segments::Memory;

/// What is read from.
pub(super) struct Source<'a> {
    half: ReadHalf<'a>,
    /// Present where descriptors are expected.
    waiting: Option<VecDeque<Received>>,
}

/// A descriptor that came, or one for which this process had no room.
type Received = Option<OwnedFd>;

impl<'a> Source<'a> {
    pub(super) fn new(half: ReadHalf<'a>, with_descriptors: bool) -> Self {
        Self { half, waiting: with_descriptors.then(VecDeque::new) }
    }

    /// Reads some bytes, at the beginning or in the midst of frames.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, LinkError> {
        let Some(waiting) = &mut self.waiting else { return Ok(self.half.read(buffer).await?) };
        if waiting.len() > 1 {
            return Err(Violation::Descriptors.into());
        }
        let (count, received) = receive(self.half.as_ref(), buffer).await?;
        waiting.extend(received);
        Ok(count)
    }

    /// Reads some bytes of a payload, in which no frame begins.
    pub(super) async fn read_payload(&mut self, buffer: &mut impl bytes::BufMut) -> Result<usize, LinkError> {
        Ok(self.half.read_buf(buffer).await?)
    }

    /// The descriptor of a frame that speaks of one.
    pub(super) fn take_descriptor(&mut self) -> Result<Option<OwnedFd>, Violation> {
        self.waiting.as_mut().and_then(VecDeque::pop_front).ok_or(Violation::Descriptors)
    }
}

/// Reads bytes and, if there is one, a descriptor.
async fn receive(stream: &UnixStream, buffer: &mut [u8]) -> Result<(usize, Option<Received>), LinkError> {
    poll_fn(|context| {
        loop {
            ready!(stream.poll_read_ready(context))?;
            let mut got = None;
            let tried = stream.try_io(Interest::READABLE, || {
                let (count, received) = receive_now(stream, buffer)?;
                let drained = count > 0 && count < buffer.len() && matches!(received, Ok(None));
                got = Some((count, received));
                // As tokio does it itself: less than there was room for means that nothing is left, which
                // saves asking. Not behind a descriptor, where the kernel ends every read.
                if drained { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            match (got, tried) {
                (Some((count, received)), _) => return Poll::Ready(Ok((count, received?))),
                (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(error.into()));
                }
                (None, _) => {}
            }
        }
    })
    .await
}

type Beside = Result<Option<Received>, Violation>;

fn receive_now(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<(usize, Beside)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let slices = &mut [IoSliceMut::new(buffer)];
        match recvmsg(stream, slices, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let mut descriptors = rights.flatten();
    let (first, second) = (descriptors.next(), descriptors.next());
    let cut = received.flags.contains(ReturnFlags::CTRUNC);
    let beside = match (first, second, cut) {
        (None, None, false) => Ok(None),
        // This process has as many as it may: the frame is answered without it.
        (None, None, true) => Ok(Some(None)),
        (first @ Some(_), None, false) => Ok(Some(first)),
        _ => Err(Violation::Descriptors),
    };
    Ok((received.bytes, beside))
}

/// What became of a write with a descriptor.
pub(super) enum Sent {
    /// So many bytes were written, and the descriptor with them.
    Bytes(usize),
    /// Too many descriptors of this user are under way between processes. Nothing was written.
    Refused,
}

/// Writes some bytes, with a descriptor beside the first.
pub(super) async fn send(half: &WriteHalf<'_>, slices: &[IoSlice<'_>], memory: &Memory) -> io::Result<Sent> {
    let stream = half.as_ref();
    let descriptors = [memory.as_fd()];
    let sent = stream.async_io(Interest::WRITABLE, || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        match sendmsg(stream, slices, &mut control, SendFlags::NOSIGNAL) {
            Ok(written) => Ok(Sent::Bytes(written)),
            Err(Errno::TOOMANYREFS) => Ok(Sent::Refused),
            Err(error) => Err(error.into()),
        }
    });
    sent.await
}
