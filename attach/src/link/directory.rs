//! Where a host listens for gateways: a socket in a directory of its own, for its user alone.

use std::os::unix::fs::DirBuilderExt;
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

/// Removes what hosts have left behind that were killed: sockets that nobody listens on.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let named = entry.file_name().to_str().is_some_and(|name| name.starts_with(DIRECTORY));
        let dead = |path: &Path| {
            let tried = std::os::unix::net::UnixStream::connect(path.join(SOCKET));
            tried.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        };
        if named && dead(&entry.path()) {
            remove(&entry.path());
        }
    }
}
