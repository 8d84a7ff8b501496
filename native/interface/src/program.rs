//! What `libsandgate_native` and the program that loads it give each other.

use std::ffi::{c_char, c_int, c_void};

use crate::module::{BrokerHandle, MessageHandle};
use crate::segment::SegmentFunctions;

/// The version of this interface. Program and library of two different ones do not work together.
pub const VERSION: c_int = 2;

/// The name of the function by which the program gets a [`Library`].
pub const GET_LIBRARY: &str = "Sandgate_GetLibrary";

/// The type of that function: NULL for a version that the library does not have.
pub type GetLibrary = extern "C" fn(version: c_int) -> *const Library;

/// What the library does for the program. All of it may be called from any thread.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Library {
    /// The version of what follows.
    pub version: c_int,
    /// Says where the library's complaints about its callers go: a text that ends in NUL and belongs to the
    /// library. NULL sends them to standard error, which is where they go at first.
    pub set_complaints: extern "C" fn(complain: Option<Complain>),
    /// Makes a broker for one module. It lives until it is released as often as it was made and referenced.
    pub create_broker: extern "C" fn(outlet: Outlet) -> BrokerHandle,
    /// Gives up one reference to a broker.
    pub release_broker: extern "C" fn(broker: BrokerHandle),
    /// Makes a message of its bytes in V1's format; NULL when they are none.
    pub create_message: unsafe extern "C" fn(bytes: *const u8, size: i32) -> MessageHandle,
    /// Gives up one reference to a message.
    pub release_message: extern "C" fn(message: MessageHandle),
}

/// Where a complaint goes.
pub type Complain = unsafe extern "C" fn(text: *const c_char);

/// What a program does for one module. The functions may be called from any thread, also at the same time.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Outlet {
    /// Belongs to the program.
    pub context: *mut c_void,
    /// Publishes a message, given as its bytes in V1's format, which are valid during the call. May wait. Gives
    /// 0 when the message was taken.
    pub publish: unsafe extern "C" fn(context: *mut c_void, bytes: *const u8, size: usize) -> c_int,
    /// What it does about shared memory segments.
    pub segments: SegmentFunctions,
    /// Called once, when nothing can call any of these any more.
    pub release: unsafe extern "C" fn(context: *mut c_void),
}
