//! `broker`: publishing.

use wasmtime::Result;

use crate::bindings::sandgate::gateway::broker::{Host, Message, PublishError};
use crate::fault::Condemned;
use crate::outlet::PublishFailure;
use crate::sandbox::Guest;

impl Host for Guest {
    fn publish(&mut self, message: Message) -> Result<Result<(), PublishError>> {
        // The message as it was lowered, and once more as it goes out.
        let copies = 2 * size_of_message(&message);
        self.ledger.begin_copy(copies)?;
        let published = self.outlet.publish(&message.properties, &message.content);
        drop(message);
        self.ledger.end_copy(copies);
        match published {
            Ok(()) => Ok(Ok(())),
            Err(failure) => Ok(Err(publish_error(failure)?)),
        }
    }
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

fn size_of_message(message: &Message) -> u64 {
    let properties = message.properties.iter();
    let texts: usize =
        properties.map(|(key, value)| key.len() + value.len() + size_of_val(&(key, value))).sum();
    (texts + message.content.len()) as u64
}
