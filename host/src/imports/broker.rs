//! `broker`: publishing.

use crate::bindings::sandgate::gateway::broker::{Host, Message, PublishError};
use crate::outlet::PublishFailure;
use crate::sandbox::Guest;

impl Host for Guest {
    fn publish(&mut self, message: Message) -> Result<(), PublishError> {
        let published = self.outlet.publish(&message.properties, &message.content);
        published.map_err(|failure| match failure {
            PublishFailure::Invalid(reason) => PublishError::Invalid(reason),
            PublishFailure::TooLarge(limit) => PublishError::TooLarge(limit),
            PublishFailure::NotStarted => PublishError::NotStarted,
            PublishFailure::Disconnected => PublishError::Disconnected,
            PublishFailure::Congested => PublishError::Congested,
        })
    }
}
