//! The host link of a program, on a thread of its own: a module that is busy answers its gateway's heartbeats all the
//! same, and sends what it has published.
//!
//! That thread has a runtime for the sockets. Whoever calls the module only meets lanes and queues, which need none.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::thread::{self, JoinHandle};

use sandgate_attach::{LinkServer, Seat};
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// The link, which is served until this is dropped.
pub(crate) struct HostLink {
    server: LinkServer,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HostLink {
    /// Serves the connection that the launching gateway has given, or listens for any. `unlinked` is called when
    /// the given one has ended after a gateway has used it.
    pub(crate) fn start(
        inherited: Option<StdUnixStream>,
        unlinked: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let (server, serving) = match inherited {
            Some(stream) => {
                stream.set_nonblocking(true)?;
                let (server, serving) = LinkServer::inherit(UnixStream::from_std(stream)?);
                (server, Some(serving))
            }
            None => (LinkServer::listen()?, None),
        };
        drop(entered);
        let (stop, mut stopped) = oneshot::channel();
        let served = server.clone();
        let serve = async move {
            if let Some(serving) = serving {
                tokio::select! {
                    () = serving => unlinked(),
                    _ = &mut stopped => return served.finish().await,
                }
            }
            // An error: nobody is left who could ask.
            let _ = stopped.await;
            served.finish().await;
        };
        let thread =
            thread::Builder::new().name("host-link".into()).spawn(move || runtime.block_on(serve))?;
        Ok(Self { server, stop: Some(stop), thread: Some(thread) })
    }

    /// A place for a session.
    pub(crate) fn register(&self) -> Seat {
        self.server.register()
    }
}

/// Waits until what was said last has left, for half a second at most.
impl Drop for HostLink {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It runs nothing of the module's, so it ends.
            let _ = thread.join();
        }
    }
}
