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
        Ok(Err(match published {
            Ok(()) => return Ok(Ok(())),
            Err(PublishFailure::Invalid(reason)) => PublishError::Invalid(reason),
            Err(PublishFailure::TooLarge(limit)) => PublishError::TooLarge(limit),
            Err(PublishFailure::NotStarted) => PublishError::NotStarted,
            Err(PublishFailure::Disconnected) => PublishError::Disconnected,
            Err(PublishFailure::Congested) => PublishError::Congested,
            Err(PublishFailure::Exceeded(exceeded)) => return Err(exceeded.into()),
            Err(PublishFailure::Condemned) => return Err(Condemned.into()),
        }))
    }
}

fn size_of_message(message: &Message) -> u64 {
    let properties = message.properties.iter();
    let texts: usize =
        properties.map(|(key, value)| key.len() + value.len() + size_of_val(&(key, value))).sum();
    (texts + message.content.len()) as u64
}
