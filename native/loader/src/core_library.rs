//! `libsandgate_native`, loaded once, before any module, for all of the process to call.

#![allow(unsafe_code, reason = "loading a library, and calling it, is C")]

use std::ffi::{CStr, OsStr, c_char};
use std::sync::{Mutex, PoisonError};

use libloading::os::unix::{Library as Loaded, RTLD_GLOBAL, RTLD_NOW};
use sandgate_native_interface::program::{GET_LIBRARY, GetLibrary, Library, VERSION};

use crate::{LoadError, complaints, search};

static LIBRARY: Mutex<Option<Library>> = Mutex::new(None);

/// The library's functions.
pub(crate) fn get() -> Result<Library, LoadError> {
    let mut known = LIBRARY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = *known {
        return Ok(library);
    }
    let library = load(&search::library()).map_err(LoadError::Core)?;
    (library.set_complaints)(Some(complained));
    *known = Some(library);
    Ok(library)
}

fn load(name: &OsStr) -> Result<Library, String> {
    // SAFETY: the library is this repository's own and does nothing when it is loaded. Its symbols become those of
    // all that is loaded after it, which is how modules find them.
    let loaded =
        unsafe { Loaded::open(Some(name), RTLD_NOW | RTLD_GLOBAL) }.map_err(|error| error.to_string())?;
    let library = {
        // SAFETY: under this name the library has a function of this type.
        let get = unsafe { loaded.get::<GetLibrary>(GET_LIBRARY) };
        let get = get.map_err(|error| format!("`{}` is another library: {error}", name.display()))?;
        // SAFETY: what it gives is NULL, or lies in the library, which stays loaded.
        unsafe { get(VERSION).as_ref() }.copied()
    };
    let library =
        library.ok_or_else(|| format!("`{}` is of another version than this program", name.display()))?;
    std::mem::forget(loaded);
    Ok(library)
}

/// A module has called a function wrongly.
unsafe extern "C" fn complained(text: *const c_char) {
    // SAFETY: the library gives a text that ends in NUL.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    complaints::tell(&text, "");
}
