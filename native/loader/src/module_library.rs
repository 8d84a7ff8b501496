//! A module's library, and the interface that it gives.

#![allow(unsafe_code, reason = "loading a library, and calling it, is C")]

use libloading::os::unix::{Library as Loaded, RTLD_LOCAL, RTLD_NOW};
use sandgate_native_interface::module::{Api1, GET_API, GetApi, VERSION_1};
use sandgate_native_interface::program::Library;

use crate::{LoadError, architecture, core_library};

/// A module's library, loaded and found to be one. Any number of modules can be made of it.
#[derive(Clone, Copy)]
pub struct ModuleLibrary {
    pub(crate) core: Library,
    pub(crate) api: Api1,
}

impl ModuleLibrary {
    /// Loads a library, whose code then runs in this process. A path with a `/` in it is relative to the working
    /// directory; a name without one is looked for by the system.
    ///
    /// # Errors
    /// There is no such library, it is no module, or it has another version of the interface.
    pub fn open(path: &str) -> Result<Self, LoadError> {
        architecture::check(path)?;
        let core = core_library::get()?;
        // SAFETY: who has named the library vouches for it. All that it needs must be there now: what is found
        // missing later would end the process.
        let loaded = unsafe { Loaded::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| {
            let kind = if path.contains('/') { LoadError::Refused } else { LoadError::RefusedName };
            kind(path.to_owned(), cause(&error))
        })?;
        let api = read_api(&loaded, path)?;
        std::mem::forget(loaded);
        Ok(Self { core, api })
    }
}

fn read_api(loaded: &Loaded, path: &str) -> Result<Api1, LoadError> {
    let path = || path.to_owned();
    // SAFETY: V1's modules have a function of this type under this name.
    let get = unsafe { loaded.get::<GetApi>(GET_API) }.map_err(|_| LoadError::NoGetApi(path()))?;
    // SAFETY: it is called as V1 calls it.
    let api = unsafe { get(VERSION_1) };
    if api.is_null() {
        return Err(LoadError::NoApi(path()));
    }
    // SAFETY: whatever the version, it comes first.
    let version = unsafe { (&raw const (*api).version).read() };
    if version != VERSION_1 {
        return Err(LoadError::Version(path(), version));
    }
    // SAFETY: this version has all of these fields. V1 too reads them where the library has them.
    let api = unsafe { api.read() };
    let required = [
        (api.create.is_some(), "Module_Create"),
        (api.destroy.is_some(), "Module_Destroy"),
        (api.receive.is_some(), "Module_Receive"),
    ];
    match required.into_iter().find(|(there, _)| !there) {
        Some((_, name)) => Err(LoadError::Lacks(path(), name)),
        None => Ok(api),
    }
}

/// What the system says, without what this crate's errors say themselves.
fn cause(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}
