//! Telling somebody that the library is called wrongly: V1 wrote a line of its log.

#![allow(unsafe_code, reason = "the program's function is a C function")]

use std::ffi::CString;
use std::sync::RwLock;

use sandgate_native_interface::program::Complain;

static RECEIVER: RwLock<Option<Complain>> = RwLock::new(None);

/// Says where complaints go; `None` is standard error.
pub(crate) fn set_receiver(receiver: Option<Complain>) {
    if let Ok(mut current) = RECEIVER.write() {
        *current = receiver;
    }
}

/// Complains about a caller.
pub(crate) fn complain(text: &str) {
    let receiver = RECEIVER.read().map_or(None, |receiver| *receiver);
    match (receiver, CString::new(text)) {
        // SAFETY: the program promises that its function may be called from any thread with a text that ends
        // in NUL.
        (Some(receiver), Ok(text)) => unsafe { receiver(text.as_ptr()) },
        _ => eprintln!("sandgate-native: {text}"),
    }
}
