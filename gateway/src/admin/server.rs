//! The gateway's side: a socket for its owner alone, on which nobody can do harm by being slow.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::geteuid;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::View;

/// The longest request, in bytes.
pub(super) const LINE_MAX: u64 = 4096;
/// Connections at a time; one more is closed at once.
pub(super) const CONNECTIONS_MAX: usize = 8;
/// How long a client may take for a request, and for reading the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait when a connection cannot be accepted, for want of descriptors or the like.
const REST: Duration = Duration::from_millis(100);

/// Why an administration socket cannot be used.
#[derive(Debug, Error)]
pub enum BindError {
    /// The path belongs to something else.
    #[error("{0} exists and is no socket; give another path or remove it")]
    NoSocket(PathBuf),
    /// Somebody serves it.
    #[error("{0} is in use; is another gateway running?")]
    InUse(PathBuf),
    /// Others could put their own socket there.
    #[error("{0} can be written by others; give a path in a directory that is yours alone")]
    Shared(PathBuf),
    /// The operating system refused.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
}

/// A bound administration socket. Dropping it removes the file.
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Binds the socket, with mode 0600. What a gateway that was killed has left there is replaced.
    ///
    /// # Errors
    /// See [`BindError`]. The directory must be the user's own and not writable for others, or have the sticky
    /// bit as `/tmp` has.
    ///
    /// # Panics
    /// Outside a runtime.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        let failed = |error| BindError::Io(path.to_owned(), error);
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let found = fs::metadata(directory).map_err(|error| BindError::Io(directory.to_owned(), error))?;
        let (others, sticky) = (found.mode() & 0o022 != 0, found.mode() & 0o1000 != 0);
        let ours = found.uid() == geteuid().as_raw() || found.uid() == 0;
        if !ours || (others && !sticky) {
            return Err(BindError::Shared(directory.to_owned()));
        }
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(BindError::NoSocket(path.to_owned()));
            }
            Ok(_) if BlockingStream::connect(path).is_ok() => return Err(BindError::InUse(path.to_owned())),
            Ok(_) => fs::remove_file(path).map_err(failed)?,
            Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => BindError::InUse(path.to_owned()),
            _ => failed(error),
        })?;
        let server = Self { listener, path: path.to_owned() };
        // Who came before this is found out by `is_ours`.
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(server)
    }

    /// Serves until the future is dropped.
    pub async fn serve(self, view: View) {
        info!(socket = %self.path.display(), "administration");
        let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match (accepted, seats.clone().try_acquire_owned()) {
                    (Ok((stream, _)), Ok(seat)) if is_ours(&stream) => {
                        let view = view.clone();
                        connections.spawn(async move {
                            converse(stream, &view).await;
                            drop(seat);
                        });
                    }
                    // Closed by being dropped.
                    (Ok(_), _) => {}
                    (Err(error), _) => {
                        warn!(%error, "no administration connection can be accepted");
                        sleep(REST).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has been removed already.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether the peer is the same user, or the one who may do anything.
fn is_ours(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == geteuid().as_raw() || peer.uid() == 0)
}

/// Answers a client until it goes, is too slow, or says too much.
async fn converse(mut stream: UnixStream, view: &View) {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut reader).take(LINE_MAX);
        let read = timeout(PATIENCE, limited.read_until(b'\n', &mut line)).await;
        if !matches!(read, Ok(Ok(_))) || line.is_empty() {
            return;
        }
        let whole = line.ends_with(b"\n") || (line.len() as u64) < LINE_MAX;
        let answer = match whole {
            true => view.answer(&line),
            false => serde_json::json!({ "error": format!("a request has at most {LINE_MAX} bytes") }),
        };
        let mut answer = answer.to_string();
        answer.push('\n');
        let written = timeout(PATIENCE, writer.write_all(answer.as_bytes())).await;
        if !whole || !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}
