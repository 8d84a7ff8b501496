//! The message in which the module has panicked last: one that does it again and again is given up.

use bytes::Bytes;
use sandgate_attach::Incoming;
use serde_json::json;

/// What is remembered from one instance to the next. The gateway sends first what the one before did not finish.
#[derive(Default)]
pub(crate) struct Suspect(Option<(Bytes, u32)>);

impl Suspect {
    /// An instance has ended in this message. Says how many have, if these are too many.
    pub(crate) fn blame(&mut self, incoming: &Incoming) -> Option<u32> {
        // V1's channel does not bring it back.
        let most = u32::from(incoming.redelivery_max?);
        let before = match self.0.take() {
            Some((frame, kills)) if incoming.attempt > 1 && frame == incoming.frame => kills,
            _ => 0,
        };
        let kills = before.saturating_add(1);
        self.0 = Some((incoming.frame.clone(), kills));
        (kills >= most).then_some(kills)
    }

    /// A message was handled, or given up.
    pub(crate) fn acquit(&mut self) {
        self.0 = None;
    }
}

/// What a gateway is told of a message that is given up.
pub(crate) fn verdict(module: &str, incoming: &Incoming, reason: &str, kills: u32) -> String {
    json!({
        "version": 1,
        "module": module,
        "host": std::process::id(),
        "summary": format!("{module} failed in receive: {reason}"),
        "call": "receive",
        "failure": { "kind": "panic", "reason": reason },
        "source": incoming.source.as_deref(),
        "sequence": incoming.sequence,
        "attempt": incoming.attempt,
        "kills": kills,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(text: &'static str, attempt: u32, redelivery_max: Option<u8>) -> Incoming {
        Incoming { frame: text.into(), sequence: Some(1), source: None, attempt, redelivery_max }
    }

    #[test]
    fn a_message_is_given_up_when_it_has_ended_as_many_instances_as_it_may() {
        let mut suspect = Suspect::default();
        assert_eq!(suspect.blame(&incoming("bad", 1, Some(3))), None);
        assert_eq!(suspect.blame(&incoming("bad", 2, Some(3))), None);
        assert_eq!(suspect.blame(&incoming("bad", 3, Some(3))), Some(3));
        suspect.acquit();
        assert_eq!(suspect.blame(&incoming("bad", 4, Some(3))), None);
    }

    #[test]
    fn another_message_begins_anew() {
        let mut suspect = Suspect::default();
        assert_eq!(suspect.blame(&incoming("bad", 1, Some(2))), None);
        assert_eq!(suspect.blame(&incoming("worse", 2, Some(2))), None);
        // Its twin, which was never there before.
        assert_eq!(suspect.blame(&incoming("worse", 1, Some(2))), None);
        assert_eq!(suspect.blame(&incoming("worse", 2, None)), None);
    }
}
