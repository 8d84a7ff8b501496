//! A module of the gateway that the test plays itself, as a V1 host: it sends what no built-in module would.

use std::time::{Duration, Instant};

use sandgate_tests::pair::Pair;
use sandgate_tests::v1::{V1Host, decode};
use sandgate_tests::wait::PATIENCE;
use sandgate_wire::Message;

/// How long a message may be under way before it is taken for lost and sent again: to and from a module that is
/// created anew V1 delivers at most once.
const RETRY: Duration = Duration::from_millis(500);

/// A module in the test's hands.
pub struct Played {
    message: Pair,
    // Held, for the gateway would take its end for the module's.
    _control: V1Host,
}

impl Played {
    /// Waits until the gateway has created and started the module with this control id.
    pub fn join(control: &str) -> Self {
        let host = V1Host::listen(control);
        Self { message: host.serve(), _control: host }
    }

    /// Publishes a message.
    pub fn publish(&self, key: &str, value: &str, content: &[u8]) {
        self.message.send(Message::new(&[(key, value)], content).unwrap().frame());
    }

    /// The next message from the other module.
    pub fn receive(&self) -> Message {
        decode(self.message.recv())
    }

    /// Sends a message until it comes back; other messages are passed over.
    pub fn echo(&self) {
        self.publish("echo", "1", b"");
        self.wait_for("a message that comes back", || self.publish("echo", "1", b""), |key, _| key == "echo");
    }

    /// Waits for a message with a value that contains all these words.
    pub fn wait_for_value(&self, words: &[&str]) {
        let wanted = |_: &str, value: &str| words.iter().all(|word| value.contains(word));
        self.wait_for(&format!("a value with {words:?}"), || {}, wanted);
    }

    fn wait_for(&self, what: &str, remind: impl Fn(), wanted: impl Fn(&str, &str) -> bool) {
        let (start, mut seen) = (Instant::now(), Vec::new());
        while start.elapsed() < PATIENCE {
            let Some(frame) = self.message.recv_within(RETRY) else {
                remind();
                continue;
            };
            let message = decode(frame);
            if message.properties().any(|(key, value)| wanted(key, value)) {
                return;
            }
            seen.extend(message.properties().map(|(key, value)| format!("{key}={value}")));
            seen.truncate(20);
        }
        panic!("waited too long for {what}; there were {seen:?}");
    }
}
