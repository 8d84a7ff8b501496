//! V1's broker (`broker.h`), as far as modules call it: publishing, and counting references. Links and modules are
//! the gateway's affair.

#![allow(unsafe_code, non_snake_case, reason = "V1's C interface")]

use std::num::NonZeroUsize;
use std::ptr;
use std::sync::Arc;

use sandgate_native_interface::module::{BrokerHandle, MessageHandle, ModuleHandle};
use sandgate_native_interface::program::Outlet;

use crate::complaint::complain;
use crate::handles::Handles;
use crate::message::lookup;

static BROKERS: Handles<Arc<Broker>> = Handles::new();

/// V1's `BROKER_RESULT`.
#[allow(dead_code, reason = "V1's numbers")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub enum BrokerResult {
    /// Done.
    Ok,
    /// The message was not taken.
    Error,
    /// V1's; no function of a module's gives it.
    AddLinkError,
    /// V1's; no function of a module's gives it.
    RemoveLinkError,
    /// An argument is NULL, or a handle that stands for nothing.
    InvalidArg,
}

/// The way from one module to the program that loaded it.
pub(crate) struct Broker(pub(crate) Outlet);

// SAFETY: the program promises that its functions may be called from any thread.
unsafe impl Send for Broker {}
// SAFETY: the program promises that they may be called at the same time.
unsafe impl Sync for Broker {}

impl Drop for Broker {
    fn drop(&mut self) {
        // SAFETY: this is the one time, and no reference to publish with is left.
        unsafe { (self.0.release)(self.0.context) };
    }
}

/// Makes a broker of what a program offers; NULL when there is no number left.
pub(crate) extern "C" fn create(outlet: Outlet) -> BrokerHandle {
    let handle = BROKERS.insert(Arc::new(Broker(outlet)));
    ptr::without_provenance_mut(handle.map_or(0, NonZeroUsize::get))
}

/// The broker of a handle. Complains, in a function's name, of one that stands for nothing.
pub(crate) fn lookup_broker(function: &str, handle: BrokerHandle) -> Option<Arc<Broker>> {
    let broker = BROKERS.get(handle.addr());
    if broker.is_none() {
        complain_of(function, handle);
    }
    broker
}

fn complain_of(function: &str, broker: BrokerHandle) {
    let what = if broker.is_null() { "is NULL" } else { "is none, or was given up already" };
    complain(&format!("{function}: the broker {what}"));
}

#[unsafe(no_mangle)]
extern "C" fn Broker_Publish(
    broker: BrokerHandle,
    source: ModuleHandle,
    message: MessageHandle,
) -> BrokerResult {
    const NAME: &str = "Broker_Publish";
    let Some(known) = lookup_broker(NAME, broker) else { return BrokerResult::InvalidArg };
    if source.is_null() {
        // V1 refuses it too. Beyond that the source says nothing: the broker is the module's own.
        complain("Broker_Publish: the source is NULL");
        return BrokerResult::InvalidArg;
    }
    let Some(message) = lookup(NAME, message) else { return BrokerResult::InvalidArg };
    let Some(bytes) = message.to_bytes() else {
        complain("Broker_Publish: the message is too large for its format");
        return BrokerResult::Error;
    };
    let Outlet { context, publish, .. } = known.0;
    // SAFETY: the broker is held, so its context lives; the bytes are valid during the call.
    match unsafe { publish(context, bytes.as_ptr(), bytes.len()) } {
        0 => BrokerResult::Ok,
        _ => BrokerResult::Error,
    }
}

#[unsafe(no_mangle)]
extern "C" fn Broker_IncRef(broker: BrokerHandle) {
    if !BROKERS.retain(broker.addr()) {
        complain_of("Broker_IncRef", broker);
    }
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn Broker_DecRef(broker: BrokerHandle) {
    if !BROKERS.release(broker.addr()) {
        complain_of("Broker_DecRef", broker);
    }
}

#[unsafe(no_mangle)]
extern "C" fn Broker_Destroy(broker: BrokerHandle) {
    Broker_DecRef(broker);
}

#[cfg(test)]
mod tests;
