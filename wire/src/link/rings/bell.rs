//! What wakes the other process: a byte on a socket that both have an end of.
//!
//! Not an event counter: a peer could fill that and make it block, and so stop whoever rings. A send that is told
//! not to wait never does.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// This process's end.
pub(super) struct Bell {
    stream: UnixStream,
}

impl Bell {
    /// A bell, and the end that is for the peer.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (stream, theirs) = UnixStream::pair()?;
        Ok((Self { stream }, theirs.into()))
    }

    /// The end that a peer has sent, which may be anything.
    pub(super) fn adopt(descriptor: OwnedFd) -> Self {
        Self { stream: descriptor.into() }
    }

    /// What a runtime waits with until the peer rings.
    ///
    /// It waits for that alone. With a runtime's own stream it would also be woken when the peer takes what was rung, as
    /// there is room again then: at the moment at which the peer begins to work, and on its processor.
    ///
    /// # Errors
    /// No descriptor left, or no runtime to wait in.
    pub(super) fn hear(&self) -> io::Result<AsyncFd<UnixStream>> {
        let stream = self.stream.try_clone()?;
        stream.set_nonblocking(true)?;
        AsyncFd::with_interest(stream, Interest::READABLE)
    }

    /// Wakes the peer. When it has not heard the last hundreds of times it is told enough; when it has gone, the
    /// link says so.
    pub(super) fn ring(&self) {
        let _ = send(&self.stream, &[0], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }

    /// Takes what the peer has rung.
    ///
    /// # Errors
    /// `WouldBlock`: nothing more. `UnexpectedEof`: the peer has gone.
    pub(super) fn take(&self) -> io::Result<()> {
        match recv(&self.stream, &mut [0; 4096], RecvFlags::DONTWAIT)? {
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
