//! V1's interface of a module: what `Module_GetApi` gives.

use std::ffi::{c_char, c_int, c_void};

/// A module instance, as the module itself made it.
pub type ModuleHandle = *mut c_void;
/// A broker, as a module sees it: a number that only the library can read.
pub type BrokerHandle = *mut c_void;
/// A message, as a module sees it: a number that only the library can read.
pub type MessageHandle = *mut c_void;

/// The one version of the interface that V1 has (`MODULE_API_VERSION_1`).
pub const VERSION_1: c_int = 0;

/// The name of the one function that a module's library must export.
pub const GET_API: &str = "Module_GetApi";

/// The type of that function. It is told the version that the program knows, and gives NULL for a failure.
pub type GetApi = unsafe extern "C" fn(version: c_int) -> *const Api1;

/// V1's `MODULE_API_1`. The first field alone may be read until the version is known.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Api1 {
    /// The version of what follows.
    pub version: c_int,
    /// Makes the module's configuration of its JSON text. NULL is a configuration like any other.
    pub parse_configuration: Option<unsafe extern "C" fn(json: *const c_char) -> *mut c_void>,
    /// Frees that configuration.
    pub free_configuration: Option<unsafe extern "C" fn(configuration: *mut c_void)>,
    /// Makes a module; NULL is a failure. V1 requires this function and the two that follow.
    pub create:
        Option<unsafe extern "C" fn(broker: BrokerHandle, configuration: *const c_void) -> ModuleHandle>,
    /// Ends a module.
    pub destroy: Option<unsafe extern "C" fn(module: ModuleHandle)>,
    /// Gives a message to a module, which does not own it.
    pub receive: Option<unsafe extern "C" fn(module: ModuleHandle, message: MessageHandle)>,
    /// Tells a module that it may publish.
    pub start: Option<unsafe extern "C" fn(module: ModuleHandle)>,
}
