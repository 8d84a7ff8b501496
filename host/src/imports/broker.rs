//! `broker`: publishing. Written by hand, so that a content is copied once, from where the guest has it into the frame, and
//! not at all if the message is refused for its size.

use sandgate_wire::Message;
use wasmtime::component::{ComponentType, Lift, Linker, WasmList};
use wasmtime::{Result, StoreContextMut};

use crate::bindings::BROKER;
use crate::bindings::sandgate::gateway::broker::PublishError;
use crate::fault::Condemned;
use crate::outlet::{PublishFailure, frame_size};
use crate::sandbox::Guest;

/// A message, whose content is still the guest's.
#[derive(ComponentType, Lift)]
#[component(record)]
struct Lifted {
    properties: Vec<(String, String)>,
    content: WasmList<u8>,
}

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    linker.instance(BROKER)?.func_wrap("publish", publish)
}

type Published = std::result::Result<(), PublishError>;

fn publish(mut store: StoreContextMut<'_, Guest>, (message,): (Lifted,)) -> Result<(Published,)> {
    let Lifted { properties, content } = message;
    let guest = store.data_mut();
    let size = frame_size(&properties, content.len());
    // The texts as they were lifted, and the message as it goes out.
    let copies = size_of_texts(&properties) + size;
    guest.ledger.begin_copy(copies)?;
    let message = match guest.outlet.refusal(size, properties.len()) {
        Some(refusal) => Err(refusal),
        None => Message::new(&properties, content.as_le_slice(&store)).map_err(Into::into),
    };
    drop(properties);
    let guest = store.data_mut();
    let published = guest.outlet.publish(size, message);
    guest.ledger.end_copy(copies);
    Ok((match published {
        Ok(()) => Ok(()),
        Err(failure) => Err(publish_error(failure)?),
    },))
}

/// What the guest is told, unless the call ends here.
pub(super) fn publish_error(failure: PublishFailure) -> Result<PublishError> {
    match failure {
        PublishFailure::Invalid(reason) => Ok(PublishError::Invalid(reason)),
        PublishFailure::TooLarge(limit) => Ok(PublishError::TooLarge(limit)),
        PublishFailure::NotStarted => Ok(PublishError::NotStarted),
        PublishFailure::Disconnected => Ok(PublishError::Disconnected),
        PublishFailure::Congested => Ok(PublishError::Congested),
        PublishFailure::Exceeded(exceeded) => Err(exceeded.into()),
        PublishFailure::Condemned => Err(Condemned.into()),
    }
}

fn size_of_texts(properties: &[(String, String)]) -> u64 {
    let texts: usize =
        properties.iter().map(|(key, value)| key.len() + value.len() + size_of_val(&(key, value))).sum();
    texts as u64
}
