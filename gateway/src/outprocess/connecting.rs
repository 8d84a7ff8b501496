//! Connections of links to hosts that listen: made, and made again while the host is there.

use std::io;
use std::sync::Weak;
use std::time::Duration;

use sandgate_wire::link::{Agreed, Beats, Greeting, Instance, LinkError, greet};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::links::{Host, JOIN, LinkState, finish, run};

/// The wait before a dropped connection is made again; longer when the last one did not hold.
const RECONNECT: Duration = Duration::from_millis(5);
const RECONNECT_LONGEST: Duration = Duration::from_millis(100);
/// A connection that held so long was a good one.
const GOOD: Duration = Duration::from_secs(1);

/// Keeps a link connected until its host is gone.
pub(super) async fn keep(
    host: Weak<Host>,
    address: String,
    instance: Instance,
    mine: Greeting,
    beats: Beats,
    mut first: Option<(UnixStream, Agreed)>,
) {
    let mut bad = 0;
    let mut reached = false;
    let reason = loop {
        let connected = match first.take() {
            Some(connection) => Ok(Ok(connection)),
            None => timeout(JOIN, connect_again(&address, instance, &mine)).await,
        };
        let (stream, agreed) = match connected {
            Ok(Ok(connection)) => connection,
            // The host lives: it was cut off in the midst of the greeting, or is overrun with connections.
            Ok(Err(error)) if !is_final(&error) => {
                bad += 1;
                debug!(%error, "host link not made; it is tried again");
                sleep((RECONNECT * bad).min(RECONNECT_LONGEST)).await;
                continue;
            }
            Ok(Err(error)) => break error,
            Err(_) => break LinkError::Silent(JOIN),
        };
        reached = true;
        match host.upgrade() {
            Some(host) => drop(host.state.send_replace(LinkState::Connected)),
            None => return,
        }
        let begun = Instant::now();
        match run(&host, stream, agreed, beats).await {
            reason @ (LinkError::Closed | LinkError::Broken(_) | LinkError::Replaced) => {
                bad = if begun.elapsed() < GOOD { bad + 1 } else { 0 };
                debug!(%reason, "host link dropped; it is made again");
            }
            // The host hangs, or it is none that one could talk to.
            reason => break reason,
        }
        sleep((RECONNECT * bad).min(RECONNECT_LONGEST)).await;
    };
    finish(&host, &reason, !reached && leads_nowhere(&reason));
}

/// Whether a connection that was not made says that there is no such host any more, or none to talk to.
fn is_final(reason: &LinkError) -> bool {
    match reason {
        LinkError::Closed => false,
        LinkError::Broken(error) => {
            use io::ErrorKind::{AddrInUse, ConnectionRefused};
            matches!(error.kind(), ConnectionRefused | AddrInUse) || leads_nowhere(reason)
        }
        _ => true,
    }
}

/// Whether no host can ever have listened at the address, as far as this process can see.
fn leads_nowhere(reason: &LinkError) -> bool {
    let LinkError::Broken(error) = reason else { return false };
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::InvalidInput
    )
}

/// Connects and makes sure that it is the same host process.
async fn connect_again(
    address: &str,
    instance: Instance,
    mine: &Greeting,
) -> Result<(UnixStream, Agreed), LinkError> {
    let (stream, agreed) = connect(address, mine).await?;
    if agreed.peer != instance {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another host is there now").into());
    }
    Ok((stream, agreed))
}

/// Connects to the host at this address, whichever it is.
pub(super) async fn connect(address: &str, mine: &Greeting) -> Result<(UnixStream, Agreed), LinkError> {
    let mut stream = UnixStream::connect(address).await?;
    let own = rustix::process::geteuid().as_raw();
    let owner = stream.peer_cred()?.uid();
    if owner != own && owner != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the socket is another user's").into());
    }
    let agreed = greet(&mut stream, mine).await?;
    Ok((stream, agreed))
}
