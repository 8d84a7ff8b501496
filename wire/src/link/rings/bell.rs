//! What wakes the other process: a byte on a socket that both have an end of.
//!
//! Not an event counter: a peer could fill that and make it block, and so stop whoever rings. A send that is told
//! not to wait never does.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// This process's end.
pub(super) struct Bell {
    stream: UnixStream,
}

impl Bell {
    /// A bell, and the end that is for the peer.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        Ok((Self::new(ours)?, theirs.into()))
    }

    /// The end that a peer has sent, which may be anything.
    pub(super) fn adopt(descriptor: OwnedFd) -> io::Result<Self> {
        Self::new(descriptor.into())
    }

    fn new(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream: UnixStream::from_std(stream)? })
    }

    /// Wakes the peer. When it has not heard the last hundreds of times it is told enough; when it has gone, the
    /// link says so.
    pub(super) fn ring(&self) {
        let _ = send(&self.stream, &[0], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }

    /// Waits until the peer has rung, since the last time this was asked.
    pub(super) async fn heard(&self) {
        let heard = self.stream.async_io(Interest::READABLE, || self.take().map(|()| true));
        if !heard.await.unwrap_or(false) {
            // The peer has gone: the link says so too.
            std::future::pending::<()>().await;
        }
    }

    /// Takes what has been rung.
    fn take(&self) -> io::Result<()> {
        match recv(&self.stream, &mut [0; 64], RecvFlags::DONTWAIT)? {
            (_, 0) => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
