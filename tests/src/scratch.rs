//! A place of its own for every test: files, sockets with short paths, ports.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

/// A directory that is removed at the end of the test.
pub struct Scratch {
    directory: TempDir,
}

impl Scratch {
    /// Makes the directory. It is right below `/tmp`, for the path of a socket must be short.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it makes a directory, which no default should do")]
    pub fn new() -> Self {
        Self { directory: tempfile::Builder::new().prefix("sg").tempdir_in("/tmp").unwrap() }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A path in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// A path in it as an id for a configuration.
    #[must_use]
    pub fn id(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes a gateway's configuration.
    pub fn configuration(&self, value: &Value) -> PathBuf {
        self.write("gateway.json", serde_json::to_vec_pretty(value).unwrap())
    }

    /// The names of the files that are there.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// TCP ids whose ports nobody uses at the moment. All are held until all are found, so they differ.
#[must_use]
pub fn free_tcp_ids<const N: usize>() -> [String; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| format!("tcp://{}", listener.local_addr().unwrap()))
}
