//! The administrator's side: one request, one answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

/// The longest answer that is read, in bytes: room for a hundred thousand routes.
const ANSWER_MAX: u64 = 64 << 20;
/// A gateway answers at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a request came to nothing.
#[derive(Debug, Error)]
pub enum AdminError {
    /// No gateway is there.
    #[error("no gateway answers at {0}: {1}; start one with `gateway --admin {path} CONFIG.json`", path = .0.display())]
    Connect(PathBuf, #[source] io::Error),
    /// The connection ended before there was an answer.
    #[error("the gateway did not answer: {0}")]
    Io(#[from] io::Error),
    /// The answer is no JSON.
    #[error("the answer makes no sense: {0}")]
    Answer(#[from] serde_json::Error),
    /// What the gateway says is wrong.
    #[error("{0}")]
    Refused(String),
}

/// Sends a request to the gateway at a socket and gives its answer. Blocks, for some seconds at most.
///
/// # Errors
/// See [`AdminError`].
pub fn request(socket: &Path, request: &Value) -> Result<Value, AdminError> {
    let failed = |error| AdminError::Connect(socket.to_owned(), error);
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{request}\n").as_bytes())?;
    let mut answer = Vec::new();
    BufReader::new(stream).take(ANSWER_MAX).read_until(b'\n', &mut answer)?;
    if answer.is_empty() {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    let answer: Value = serde_json::from_slice(&answer)?;
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => Err(AdminError::Refused(error.to_owned())),
        None => Ok(answer),
    }
}
