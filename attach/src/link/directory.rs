//! Where a host listens for gateways: a socket in a directory of its own, for its user alone.

use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use sandgate_wire::link::Instance;
use tokio::net::UnixListener;

/// How the directory of a host's socket begins, and the socket in it.
const DIRECTORY: &str = "sandgate-host-";
const SOCKET: &str = "link";

/// A directory with the socket, which is removed with this.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn listen(instance: &Instance) -> io::Result<(UnixListener, Self)> {
        let base = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|base| base.is_dir());
        let base = base.unwrap_or_else(env::temp_dir);
        sweep(&base);
        let path = base.join(format!("{DIRECTORY}{instance}"));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        let directory = Self(path);
        let listener = UnixListener::bind(directory.0.join(SOCKET))?;
        Ok((listener, directory))
    }

    /// The socket's path.
    pub(super) fn address(&self) -> String {
        self.0.join(SOCKET).to_string_lossy().into_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn remove(directory: &Path) {
    // What cannot be removed is an empty directory that nobody else can use.
    let _ = fs::remove_file(directory.join(SOCKET));
    let _ = fs::remove_dir(directory);
}

/// A socket in a place that somebody has chosen, which is removed with this.
pub(super) struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        // One that stays is replaced by the next host.
        let _ = fs::remove_file(&self.0);
    }
}

/// Listens at a path that somebody has chosen. A socket that nobody listens at any more was left behind, and goes.
pub(super) fn listen_at(path: &Path) -> io::Result<(UnixListener, Socket)> {
    let is_socket = path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket());
    if is_socket && is_dead(path) {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    let socket = Socket(path.to_owned());
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok((listener, socket))
}

/// Whether nobody listens at a socket.
fn is_dead(path: &Path) -> bool {
    let tried = std::os::unix::net::UnixStream::connect(path);
    tried.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Removes what hosts have left behind that were killed: sockets that nobody listens on.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let named = entry.file_name().to_str().is_some_and(|name| name.starts_with(DIRECTORY));
        if named && is_dead(&entry.path().join(SOCKET)) {
            remove(&entry.path());
        }
    }
}
