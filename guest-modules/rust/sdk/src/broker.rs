//! Sending messages to the modules that the gateway's links name.

pub use crate::bindings::sandgate::gateway::broker::PublishError;

use crate::Message;
use crate::bindings::encoded::sandgate::gateway::encoded_broker::publish_encoded;
use crate::bindings::sandgate::gateway::broker::publish as publish_record;
use crate::encoded::Encoded;

/// A message that is larger, and not encoded yet, goes out by its parts: that spares this module's memory a copy.
const ENCODED_MAX: usize = 64 << 10;

/// Publishes a message under this module's name. Waits while the queue to the gateway is full, for three quarters of the
/// time that the call which it is made from may take. Messages keep their order.
pub fn publish(message: &Message) -> Result<(), PublishError> {
    let publish = |encoded: &Encoded| publish_encoded(encoded.frame()).map_err(|failure| failure.error);
    if let Some(encoded) = message.encoded() {
        return publish(encoded);
    }
    match Encoded::new(message, ENCODED_MAX) {
        Some(encoded) => publish(&encoded),
        None => publish_record(message),
    }
}

/// So that `?` works on [`publish`] inside of [`Module::receive`](crate::Module::receive).
impl From<PublishError> for String {
    fn from(error: PublishError) -> String {
        match error {
            PublishError::Invalid(reason) => format!("the message was not published: {reason}"),
            PublishError::TooLarge(limit) => {
                format!("the message was not published: it is larger than the limit of {limit} bytes")
            }
            PublishError::NotStarted => {
                "the message was not published: that is possible from `start` on, not in `create`".to_owned()
            }
            PublishError::Disconnected => "the message was not published: no gateway is connected".to_owned(),
            PublishError::Congested => {
                "the message was not published: the gateway did not take messages in time".to_owned()
            }
        }
    }
}
