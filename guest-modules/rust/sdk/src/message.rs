//! What one wants to do with a message and its errors.

use crate::Message;
use crate::broker::PublishError;

impl Message {
    /// The value of a property.
    pub fn property(&self, key: &str) -> Option<&str> {
        self.properties.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// Sets a property: replaces its value, or adds it at the end.
    pub fn set_property(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let (key, value) = (key.into(), value.into());
        match self.properties.iter_mut().find(|(k, _)| *k == key) {
            Some(property) => property.1 = value,
            None => self.properties.push((key, value)),
        }
    }
}

/// So that `?` works on [`broker::publish`](crate::broker::publish) inside of
/// [`Module::receive`](crate::Module::receive).
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

#[cfg(test)]
mod tests {
    use crate::Message;

    #[test]
    fn a_property_is_replaced_where_it_stands_and_added_at_the_end() {
        let properties = vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())];
        let mut message = Message { properties, content: Vec::new() };
        message.set_property("a", "3");
        message.set_property("c", "4");
        assert_eq!(message.property("a"), Some("3"));
        assert_eq!(message.properties.len(), 3);
        assert_eq!(message.properties[2].0, "c");
        assert_eq!(message.property("d"), None);
    }
}
