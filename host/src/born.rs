//! How this process came into the world, and how it is to leave it: a gateway that has launched it, the link
//! that the gateway gave it, signals.

use std::future::{Future, pending};
use std::os::unix::net::UnixStream as StdUnixStream;

use anyhow::{Context, Result};
use sandgate_attach::Launcher;
use sandgate_host::LinkServer;
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// What a launching gateway has told this process.
#[derive(Default)]
pub struct Birth {
    orphaned: Option<oneshot::Receiver<()>>,
    link: Option<StdUnixStream>,
}

impl Birth {
    /// Reads the environment. A host that nobody has launched finds nothing there.
    pub fn of_this_process() -> Result<Self> {
        let Some(mut launcher) = Launcher::of_this_process()? else { return Ok(Self::default()) };
        let link = launcher.take_link();
        let (tell, told) = oneshot::channel();
        launcher.on_end(move || {
            // Nobody waits any more when the host stops for another reason.
            let _ = tell.send(());
        });
        Ok(Self { orphaned: Some(told), link })
    }

    /// A gateway has launched this process.
    pub fn is_launched(&self) -> bool {
        self.orphaned.is_some()
    }

    /// Completes when the gateway has ended that launched this host, however that came about and however many
    /// shells stand between the two.
    pub async fn orphaned(&mut self) {
        let Some(told) = &mut self.orphaned else { return pending().await };
        // An error: it cannot be followed, which was said.
        if told.await.is_err() {
            pending::<()>().await;
        }
    }

    /// The host link: the one that this process was given, or one that gateways can connect to. The future
    /// completes when the given one has ended, after a gateway has greeted on it.
    pub fn link(&mut self, unwanted: bool) -> Result<(Option<LinkServer>, impl Future<Output = ()> + use<>)> {
        let (server, serving) = match self.link.take() {
            _ if unwanted => (None, None),
            Some(stream) => {
                stream.set_nonblocking(true)?;
                let stream = UnixStream::from_std(stream).context("the inherited link is no Unix socket")?;
                let (server, serving) = LinkServer::inherit(stream);
                (Some(server), Some(serving))
            }
            None => {
                // V1's channels do without it.
                let listening = LinkServer::listen().inspect_err(|error| {
                    tracing::warn!(%error, "no host link: its socket cannot be made; V1's channels remain");
                });
                (listening.ok(), None)
            }
        };
        let unlinked = async {
            match serving {
                Some(serving) => serving.await,
                None => pending().await,
            }
        };
        Ok((server, unlinked))
    }
}

/// Completes with the first Ctrl-C or SIGTERM; the second ends the process.
pub fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let mut tell = Some(tell);
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            match tell.take() {
                Some(tell) => drop(tell.send(())),
                None => std::process::exit(1),
            }
        }
    });
    Ok(async move { drop(told.await) })
}
