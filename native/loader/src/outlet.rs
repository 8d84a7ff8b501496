//! The way out of a module: from the library, which calls C functions, to what takes the messages.

#![allow(unsafe_code, reason = "the library calls C functions")]

use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::Arc;

use bytes::Bytes;
use sandgate_native_interface::program::Outlet as Interface;
use sandgate_wire::Message;
use sandgate_wire::segments::{SegmentError, Token};
use thiserror::Error;

use crate::complaints;
use crate::segments::{FUNCTIONS, Held, HeldSegment};

/// Takes what one module publishes, on any thread, also on several at the same time.
pub trait Outlet: Send + Sync {
    /// Publishes a message; may wait.
    ///
    /// # Errors
    /// The message was not taken.
    fn publish(&self, message: Message) -> Result<(), Refused>;

    /// Makes a shared memory segment of a pool, of so many bytes; may wait.
    ///
    /// # Errors
    /// Why there is none; where nothing else is said, that there are no segments here.
    fn create_segment(&self, _pool: &str, _size: u64) -> Result<Arc<dyn HeldSegment>, SegmentError> {
        Err(SegmentError::Unavailable)
    }

    /// Opens the segment of a token; may wait.
    ///
    /// # Errors
    /// As [`Outlet::create_segment`].
    fn open_segment(&self, _token: Token) -> Result<Arc<dyn HeldSegment>, SegmentError> {
        Err(SegmentError::Unavailable)
    }
}

/// The message was not taken: the module has been destroyed, or the way is closed.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the message was not taken")]
pub struct Refused;

const TAKEN: c_int = 0;
const REFUSED: c_int = 1;

/// What the library gives back with each call.
pub(crate) struct Context {
    pub(crate) outlet: Arc<dyn Outlet>,
    pub(crate) segments: Held,
}

/// What the library calls. It owns the outlet until it calls `release`.
pub(crate) fn interface(outlet: Arc<dyn Outlet>) -> Interface {
    let context = Context { outlet, segments: Held::default() };
    Interface { context: Box::into_raw(Box::new(context)).cast(), publish, segments: FUNCTIONS, release }
}

unsafe extern "C" fn publish(context: *mut c_void, bytes: *const u8, size: usize) -> c_int {
    // SAFETY: the library calls with the context that it was given, and not after `release`.
    let outlet = unsafe { &(*context.cast::<Context>()).outlet };
    // SAFETY: the library gives that many bytes, which are valid during the call.
    let frame = Bytes::copy_from_slice(unsafe { slice::from_raw_parts(bytes, size) });
    let message = match Message::decode(frame) {
        Ok(message) => message,
        Err(error) => {
            complaints::tell("Broker_Publish: the message is none for a gateway: ", &error.to_string());
            return REFUSED;
        }
    };
    // A panic would end the process where it comes to C.
    match catch_unwind(AssertUnwindSafe(|| outlet.publish(message))) {
        Ok(Ok(())) => TAKEN,
        Ok(Err(Refused)) | Err(_) => REFUSED,
    }
}

unsafe extern "C" fn release(context: *mut c_void) {
    // SAFETY: the library calls this once, with the context that it was given, and uses it no more.
    drop(unsafe { Box::from_raw(context.cast::<Context>()) });
}
