//! What wakes the other process: a byte on a socket that both have an end of.
//!
//! Not an event counter: a peer could fill that and make it block, and so stop whoever rings. A send that is told
//! not to wait never does.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::net::unix::pipe::Receiver;

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

    /// What a runtime reads of what the peer rings.
    ///
    /// It waits for that alone. With a stream it would also be woken when the peer takes what was rung, as there is room
    /// again then: at the moment at which the peer begins to work, and on its processor. What the runtime offers for
    /// waiting for one of the two is made for pipes, and does nothing with them that is not done with sockets.
    ///
    /// # Errors
    /// No descriptor left, or no runtime to wait in.
    pub(super) fn hear(&self) -> io::Result<Receiver> {
        let stream = self.stream.try_clone()?;
        stream.set_nonblocking(true)?;
        Receiver::from_owned_fd_unchecked(stream.into())
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Wake, Waker};
    use std::time::Duration;

    use tokio::io::{AsyncRead, ReadBuf};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_a_ring_and_not_when_the_peer_hears_one() {
        let (ours, theirs) = Bell::pair().unwrap();
        let theirs = Bell::adopt(theirs);
        let mut heard = ours.hear().unwrap();
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut space = [0; 64];
        let mut space = ReadBuf::new(&mut space);
        let poll = std::pin::Pin::new(&mut heard).poll_read(&mut Context::from_waker(&waker), &mut space);
        assert!(poll.is_pending());
        for _ in 0..10 {
            ours.ring();
            theirs.take().unwrap();
            // The runtime looks what has become ready.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
        theirs.ring();
        while count.0.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
