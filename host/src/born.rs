//! How this process came into the world, and how it is to leave it: a gateway that has launched it, the link
//! that the gateway gave it, signals.

use std::env;
use std::future::{Future, pending};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::thread;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use sandgate_host::LinkServer;
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Set by a gateway that launches a host, to its own process id.
const LAUNCHED_BY: &str = "SANDGATE_LAUNCHED_BY";
/// Set by a gateway that gives a host its link, to the number of the descriptor.
const LINK: &str = "SANDGATE_LINK_FD";

/// What a launching gateway has told this process.
pub struct Birth {
    launched: bool,
    orphaned: Option<oneshot::Receiver<()>>,
    link: Option<StdUnixStream>,
}

impl Birth {
    /// Reads the environment. A host that nobody has launched finds nothing there.
    pub fn of_this_process() -> Result<Self> {
        let orphaned = match number(LAUNCHED_BY)? {
            Some(launcher) => Some(watch(launcher)?),
            None => None,
        };
        let link = match number(LINK)? {
            Some(descriptor) => Some(inherited(descriptor)?),
            None => None,
        };
        Ok(Self { launched: orphaned.is_some(), orphaned, link })
    }

    /// A gateway has launched this process.
    pub fn is_launched(&self) -> bool {
        self.launched
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

fn number(variable: &str) -> Result<Option<i32>> {
    let Some(text) = env::var_os(variable) else { return Ok(None) };
    let number = text.to_str().and_then(|text| text.parse().ok());
    number.map(Some).with_context(|| format!("the variable {variable} is no number"))
}

/// Takes a descriptor that this process was started with. The copy is as good as the original.
fn inherited(descriptor: i32) -> Result<StdUnixStream> {
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    let descriptor: OwnedFd = pidfd_getfd(&own, descriptor, PidfdGetfdFlags::empty())
        .with_context(|| format!("the variable {LINK} names no descriptor of this process"))?;
    Ok(descriptor.into())
}

/// Told when the process has ended.
fn watch(process: i32) -> Result<oneshot::Receiver<()>> {
    let process =
        Pid::from_raw(process).with_context(|| format!("the variable {LAUNCHED_BY} is no process id"))?;
    let process =
        pidfd_open(process, PidfdFlags::NONBLOCK).context("the gateway that launched this host is gone")?;
    let (tell, told) = oneshot::channel();
    // A thread of its own: what the runtime offers for descriptors of other kinds is unsafe.
    let watching = thread::Builder::new().name("launcher".into()).spawn(move || {
        let mut ends = [PollFd::new(&process, PollFlags::IN)];
        while let Err(Errno::INTR) = poll(&mut ends, None) {}
        // Nobody waits any more when the host stops for another reason.
        let _ = tell.send(());
    });
    if let Err(error) = watching {
        tracing::warn!(%error, "cannot follow the launching gateway");
    }
    Ok(told)
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
