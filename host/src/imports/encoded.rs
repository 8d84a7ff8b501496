//! `encoded-deliveries` and `encoded-broker`: what `encoded-handler` was given is answered, and encoded messages are
//! published. Written by hand, for these are called with every message: the guest's bytes are read where they are.

use std::borrow::Cow;

use sandgate_wire::Message;
use wasmtime::component::{ComponentType, Linker, Lower, WasmList, WasmStr};
use wasmtime::{Result, StoreContextMut};

use super::broker::publish_error;
use crate::bindings::sandgate::gateway::broker::PublishError;
use crate::bindings::{ENCODED_BROKER, ENCODED_DELIVERIES};
use crate::outlet::Malformed;
use crate::sandbox::Guest;
use crate::transcript::line;

type Published = std::result::Result<(), PublishFailure>;

/// What was published before one was not, and why not.
#[derive(ComponentType, Lower)]
#[component(record)]
struct PublishFailure {
    published: u32,
    error: PublishError,
}

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    linker.instance(ENCODED_DELIVERIES)?.func_wrap("done", done)?;
    linker.instance(ENCODED_BROKER)?.func_wrap("publish-encoded", publish_encoded)
}

fn done(
    mut store: StoreContextMut<'_, Guest>,
    (answer,): (std::result::Result<(), WasmStr>,),
) -> Result<(bool,)> {
    // Of a long one little is kept: it is read where it is, but for the encodings that have to be turned into UTF-8.
    let (answer, copied) = match answer {
        Ok(()) => (Ok(()), 0),
        Err(reason) => match reason.to_str(&store)? {
            Cow::Borrowed(reason) => (Err(line(reason)), 0),
            Cow::Owned(reason) => (Err(line(&reason)), reason.len()),
        },
    };
    store.data_mut().ledger.pass_copy(copied)?;
    let goes_on = store.data_mut().answer(answer)?;
    if goes_on && let Some(fuel) = store.data().limits.fuel {
        store.set_fuel(fuel)?;
    }
    Ok((goes_on,))
}

/// Each message is copied by itself: one that waits to go out must not keep the memory of those that do not.
fn publish_encoded(
    mut store: StoreContextMut<'_, Guest>,
    (messages,): (WasmList<u8>,),
) -> Result<(Published,)> {
    let (mut begin, mut published) = (0, 0);
    while begin < messages.len() {
        let rest = &messages.as_le_slice(&store)[begin..];
        // What is no message is refused when it is decoded, with its reason.
        let size = Message::split_first(rest).unwrap_or(rest).len();
        store.data_mut().ledger.begin_copy(size as u64)?;
        let frame = &messages.as_le_slice(&store)[begin..begin + size];
        let message = Message::decode_copy(frame).map_err(|error| Malformed::new(&error, frame));
        let guest = store.data_mut();
        let result = guest.outlet.publish(size as u64, message);
        guest.ledger.end_copy(size as u64);
        if let Err(failure) = result {
            return Ok((Err(PublishFailure { published, error: publish_error(failure)? }),));
        }
        begin += size;
        published += 1;
    }
    Ok((Ok(()),))
}
