//! The folder that a host takes code from.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::file::{FileError, Header};
use super::guard::{Untrusted, check};
use crate::engine::identity;

/// What the names of the files end in.
const EXTENSION: &str = "cwasm";
/// Files that are looked at.
const FILES_MAX: usize = 65_536;

/// The code in a folder that this process cannot write. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Precompiled {
    /// By the component's digest, and the engine's.
    files: Arc<HashMap<(String, String), PathBuf>>,
}

/// Code of one component for one engine, from a place that can be trusted.
pub(crate) struct Code {
    bytes: Vec<u8>,
}

/// Why a folder cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The system does not show it.
    #[error("the folder {} cannot be read: {error}", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// This process could have written there.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
}

/// Why a file in the folder is of no use.
#[derive(Debug, Error)]
enum Unusable {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    #[error("it has been replaced since the host has started")]
    Replaced,
}

impl Precompiled {
    /// Looks through a folder. Files of a name that ends in `.cwasm` count; one that is of no use is told to the log.
    /// What comes into the folder later is not seen.
    ///
    /// # Errors
    /// The folder cannot be read, or this process could write there.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let unreadable = |error| FolderError::Unreadable { path: path.to_owned(), error };
        let folder = path.canonicalize().map_err(unreadable)?;
        check(&folder)?;
        let mut files = HashMap::new();
        for entry in fs::read_dir(&folder).map_err(unreadable)?.take(FILES_MAX) {
            let file = entry.map_err(unreadable)?.path();
            if file.extension() != Some(OsStr::new(EXTENSION)) {
                continue;
            }
            match open(&file) {
                Ok((header, _)) => drop(files.insert((header.component, header.engine), file)),
                Err(error) => warn(&file, &error),
            }
        }
        tracing::debug!(folder = %folder.display(), files = files.len(), "ahead-of-time code");
        Ok(Self { files: Arc::new(files) })
    }

    /// The code of the component with this digest, for this engine. What cannot be used is told to the log.
    pub(crate) fn find(&self, engine: &wasmtime::Engine, component: &str) -> Option<Code> {
        let wanted = (component.to_owned(), identity(engine));
        let Some(path) = self.files.get(&wanted) else {
            if let Some((_, other)) = self.files.iter().find(|((of, _), _)| of == component) {
                let file = other.display();
                tracing::info!(%file, "ahead-of-time code is for another version, processor or setting");
            }
            return None;
        };
        let code = || -> Result<Code, Unusable> {
            let (header, mut file) = open(path)?;
            if (header.component.as_str(), header.engine.as_str()) != (component, wanted.1.as_str()) {
                return Err(Unusable::Replaced);
            }
            Ok(Code { bytes: header.read_code(&mut file)? })
        };
        code().inspect_err(|error| warn(path, error)).ok()
    }
}

impl Code {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Opens a file that this process cannot write, and reads its first line.
fn open(path: &Path) -> Result<(Header, BufReader<File>), Unusable> {
    let path = path.canonicalize().map_err(FileError::from)?;
    check(&path)?;
    // A pipe would be waited for.
    if !path.is_file() {
        return Err(FileError::Header("it is no file".to_owned()).into());
    }
    let mut file = BufReader::new(File::open(path).map_err(FileError::from)?);
    Ok((Header::read(&mut file)?, file))
}

fn warn(path: &Path, error: &Unusable) {
    tracing::warn!(file = %path.display(), %error, "ahead-of-time code is not used");
}
