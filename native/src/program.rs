//! What the program that loads this library gets from it.

#![allow(unsafe_code, non_snake_case, reason = "a function that is found by its name")]

use std::ffi::c_int;
use std::ptr;

use sandgate_native_interface::program::{Complain, Library, VERSION};

use crate::broker::{Broker_DecRef, create};
use crate::complaint::set_receiver;
use crate::message::{Message_CreateFromByteArray, Message_Destroy};

extern "C" fn set_complaints(receiver: Option<Complain>) {
    set_receiver(receiver);
}

static LIBRARY: Library = Library {
    version: VERSION,
    set_complaints,
    create_broker: create,
    release_broker: Broker_DecRef,
    create_message: Message_CreateFromByteArray,
    release_message: Message_Destroy,
};

/// The library, for a program that knows this version of it; else NULL.
#[unsafe(no_mangle)]
extern "C" fn Sandgate_GetLibrary(version: c_int) -> *const Library {
    if version == VERSION { &raw const LIBRARY } else { ptr::null() }
}
