//! Modules that gateways name: the `args` of a Create say which component it is, as V1's native module host has it.
//!
//! Who may send a Create chooses among the files that this process may read, and runs what he has chosen in the sandbox
//! that the host's limits make. A folder bounds the choice.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Instant;

use sandgate_attach::{LoaderType, ModuleArguments, ModuleArgumentsError};
use sandgate_precedence::stay_back;
use thiserror::Error;

use crate::actor::{Order, Refusal};
use crate::blueprint::{Blueprint, Setup, Sharing};
use crate::engine::Engine;
use crate::limits::Limits;
use crate::module::{LoadError, Module};
use crate::transcript::line;

/// Orders that wait for the loader. A gateway that changes its mind leaves the older ones behind, which are skipped.
const WAITING: usize = 4;

/// Where the modules come from that gateways name. Cloning shares it.
#[derive(Clone)]
pub struct Naming {
    shared: Arc<Shared>,
}

struct Shared {
    orders: SyncSender<Wanted>,
    limits: Limits,
}

/// A module that somebody waits for.
struct Wanted {
    order: Order,
    arguments: String,
    sharing: Sharing,
}

/// Why the args of a gateway make no module.
#[derive(Debug, Error)]
enum NamingError {
    #[error(transparent)]
    Arguments(#[from] ModuleArgumentsError),
    #[error("`module.path` is {path}, which cannot be found{}: {error}", in_folder(folder.as_deref()))]
    Missing { path: String, folder: Option<PathBuf>, error: io::Error },
    #[error("`module.path` is {path}, which is outside of {}: this host takes modules from there alone", folder.display())]
    Outside { path: String, folder: PathBuf },
    #[error("`module.path` is {0}, which is no file")]
    NoFile(String),
    #[error(transparent)]
    Load(#[from] LoadError),
}

fn in_folder(folder: Option<&Path>) -> String {
    folder.map(|folder| format!(" in {}", folder.display())).unwrap_or_default()
}

impl Naming {
    /// Starts the thread that loads them, one at a time, with these limits. With a folder, which must be there, paths
    /// are relative to it and must not leave it, by a link neither; else they are relative to the working directory.
    ///
    /// # Errors
    /// There is no such folder, or no thread.
    pub fn start(engine: Engine, limits: Limits, folder: Option<&Path>) -> io::Result<Self> {
        let folder = folder.map(Path::canonicalize).transpose()?;
        let (orders, wanted) = sync_channel(WAITING);
        let load = move || serve(&wanted, &engine, &limits, folder.as_deref());
        thread::Builder::new().name("loader".into()).spawn(load)?;
        Ok(Self { shared: Arc::new(Shared { orders, limits }) })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Has the module made that the arguments name.
    pub(crate) fn order(&self, order: Order, arguments: &str, sharing: Sharing) {
        let wanted = Wanted { order, arguments: arguments.to_owned(), sharing };
        let refused = match self.shared.orders.try_send(wanted) {
            Ok(()) => return,
            Err(TrySendError::Full(wanted)) => (wanted, "too many modules wait to be loaded"),
            Err(TrySendError::Disconnected(wanted)) => (wanted, "the thread that loads modules is gone"),
        };
        let (Wanted { order, .. }, reason) = refused;
        order.refuse(Refusal::NoModule(reason.to_owned()));
    }
}

fn serve(wanted: &Receiver<Wanted>, engine: &Engine, limits: &Limits, folder: Option<&Path>) {
    // With the processes that this one starts: modules that run go before those that do not yet.
    stay_back();
    for Wanted { order, arguments, sharing } in wanted {
        if order.is_withdrawn() {
            continue;
        }
        match load(engine, limits, folder, &arguments) {
            Ok((setup, arguments)) => order.fulfil(Blueprint::sharing(setup, sharing), &arguments),
            Err(error) => order.refuse(Refusal::NoModule(line(&error.to_string()))),
        }
    }
}

/// Loads the module that the arguments name, and gives its own.
fn load(
    engine: &Engine,
    limits: &Limits,
    folder: Option<&Path>,
    arguments: &str,
) -> Result<(Setup, String), NamingError> {
    let ModuleArguments { path, arguments } = ModuleArguments::read(arguments, LoaderType::Wasm)?;
    let file = find(path, folder)?;
    let begun = Instant::now();
    let module = Module::load(engine, &file, limits)?;
    tracing::info!(module = %file.display(), milliseconds = begun.elapsed().as_millis() as u64, "loaded");
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    Ok((Setup { limits: *limits, ..Setup::new(module, &name) }, arguments))
}

/// The file that a path means. Nothing but a file: who reads a pipe may wait for ever.
fn find(path: String, folder: Option<&Path>) -> Result<PathBuf, NamingError> {
    let named = folder.map_or_else(|| PathBuf::from(&path), |folder| folder.join(&path));
    let file = match named.canonicalize() {
        Ok(file) => file,
        Err(error) => return Err(NamingError::Missing { path, folder: folder.map(Path::to_owned), error }),
    };
    match folder {
        Some(folder) if !file.starts_with(folder) => {
            Err(NamingError::Outside { path, folder: folder.to_owned() })
        }
        _ if !file.is_file() => Err(NamingError::NoFile(path)),
        // As it was given, for the log.
        None => Ok(named),
        Some(_) => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_is_not_left_and_nothing_but_files_are_found() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        let folder = place.join("modules");
        fs::create_dir(&folder).unwrap();
        for file in [folder.join("inside.wasm"), place.join("outside.wasm")] {
            fs::write(file, "").unwrap();
        }
        symlink(place.join("outside.wasm"), folder.join("link.wasm")).unwrap();
        let absolute = folder.join("inside.wasm").to_str().unwrap().to_owned();
        let outside = place.join("outside.wasm").to_str().unwrap().to_owned();
        for path in ["inside.wasm", "./inside.wasm", &absolute] {
            assert_eq!(find(path.to_owned(), Some(&folder)).unwrap(), folder.join("inside.wasm"), "{path}");
        }
        for path in ["../outside.wasm", "link.wasm", &outside] {
            let refused = find(path.to_owned(), Some(&folder)).unwrap_err().to_string();
            assert!(refused.contains("outside of") && refused.contains(path), "{refused}");
        }
        for (path, sentence) in [("absent.wasm", "cannot be found in"), (".", "no file"), ("", "no file")] {
            let refused = find(path.to_owned(), Some(&folder)).unwrap_err().to_string();
            assert!(refused.contains(sentence), "{refused}");
        }
        assert_eq!(find(outside.clone(), None).unwrap(), PathBuf::from(outside));
        assert!(matches!(find("/dev/zero".to_owned(), None), Err(NamingError::NoFile(_))));
    }
}
