//! Messages for a guest in their encoded form: how they are packed, and what the guest has answered.
//!
//! The layout stands in `wit/gateway.wit`, at `encoded-handler`.

use std::time::Instant;

use sandgate_wire::Message;

/// Deliveries that one call is given at most.
pub(crate) const DELIVERIES_MAX: usize = 16;
/// Bytes that one call is given at most. What is larger goes by `receive`, where it is copied once less.
pub(crate) const BYTES_MAX: usize = 64 << 10;
/// What stands around source and message: the attempt and two zero bytes.
const AROUND: usize = 6;

/// A message with how it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery<'a> {
    pub(crate) message: &'a Message,
    /// The module that published it, where the channel tells.
    pub(crate) source: Option<&'a str>,
    /// 1 for the first delivery.
    pub(crate) attempt: u32,
}

impl Delivery<'_> {
    /// What it takes when it is packed, in bytes; none for one that cannot be: it is too large, or its source has a name
    /// that the layout has no words for.
    pub(crate) fn packed_size(&self) -> Option<usize> {
        if self.source.is_some_and(|source| source.is_empty() || source.contains('\0')) {
            return None;
        }
        let size = AROUND + self.source.map_or(0, str::len) + self.message.frame().len();
        (size <= BYTES_MAX).then_some(size)
    }

    pub(crate) fn pack(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.attempt.to_be_bytes());
        bytes.extend_from_slice(self.source.unwrap_or_default().as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(self.message.frame());
        bytes.push(0);
    }
}

/// How far a guest has come with the deliveries that it was given.
#[derive(Debug)]
pub(crate) struct Answers {
    given: usize,
    answered: usize,
    /// When no other is begun in this call.
    end: Instant,
    /// What it was told to return for.
    over: bool,
    /// Reasons of refusals, by the number of the delivery.
    refusals: Vec<(usize, String)>,
}

impl Answers {
    /// Nothing was given.
    pub(crate) fn none() -> Self {
        Self { given: 0, answered: 0, end: Instant::now(), over: true, refusals: Vec::new() }
    }

    /// A call begins that is given so many.
    pub(crate) fn expect(&mut self, given: usize, end: Instant) {
        self.refusals.clear();
        (self.given, self.answered, self.end, self.over) = (given, 0, end, given == 0);
    }

    /// The one in hand is handled. Whether there is another.
    pub(crate) fn note(&mut self, answer: Result<(), String>) -> bool {
        if self.over {
            return false;
        }
        if let Err(reason) = answer {
            self.refusals.push((self.answered, reason));
        }
        self.answered += 1;
        self.over = self.answered == self.given;
        !self.over
    }

    /// Whether the next one is begun in this call.
    pub(crate) fn go_on(&mut self, now: Instant) -> bool {
        self.over |= now >= self.end;
        !self.over
    }

    /// The call has returned: so the one in hand is handled, if there is one.
    pub(crate) fn finish(&mut self) {
        self.answered += usize::from(!self.over);
        self.over = true;
    }

    /// How many are handled, from the first on.
    pub(crate) fn handled(&self) -> usize {
        self.answered
    }

    /// The reason for which a delivery was refused.
    pub(crate) fn take_refusal(&mut self, number: usize) -> Option<String> {
        let found = self.refusals.iter().position(|(refused, _)| *refused == number)?;
        Some(self.refusals.swap_remove(found).1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn a_delivery_is_packed_as_the_contract_says_and_is_as_large_as_it_is_said_to_be() {
        let message = Message::new(&[("k", "v")], b"c").unwrap();
        for (source, name) in [(None, &b""[..]), (Some("pump"), b"pump")] {
            let delivery = Delivery { message: &message, source, attempt: 0x0102 };
            let mut packed = Vec::new();
            delivery.pack(&mut packed);
            let expected = [&[0, 0, 1, 2], name, &[0], message.frame(), &[0]].concat();
            assert_eq!(packed, expected);
            assert_eq!(delivery.packed_size(), Some(packed.len()));
        }
    }

    #[test]
    fn what_the_layout_has_no_words_for_is_not_packed() {
        let small = Message::new::<&str, &str>(&[], b"").unwrap();
        let large = Message::new::<&str, &str>(&[], vec![0; BYTES_MAX]).unwrap();
        let packed_size = |message, source| Delivery { message, source, attempt: 1 }.packed_size();
        assert_eq!(packed_size(&small, Some("")), None);
        assert_eq!(packed_size(&small, Some("a\0b")), None);
        assert_eq!(packed_size(&large, None), None);
    }

    #[test]
    fn a_guest_gets_the_next_one_until_there_is_none_or_the_time_is_over() {
        let now = Instant::now();
        let mut answers = Answers::none();
        assert!(!answers.note(Ok(())), "nothing was given");
        answers.expect(3, now + LONG);
        assert!(answers.note(Ok(())) && answers.go_on(now));
        assert!(answers.note(Err("no".into())) && answers.go_on(now));
        assert!(!answers.note(Ok(())));
        assert!(!answers.note(Err("once more".into())));
        assert_eq!(answers.handled(), 3);
        assert_eq!((answers.take_refusal(0), answers.take_refusal(1)), (None, Some("no".into())));
        answers.expect(3, now);
        assert!(answers.note(Ok(())) && !answers.go_on(now), "the time is over");
        assert!(!answers.note(Ok(())), "and stays so");
        answers.finish();
        assert_eq!((answers.handled(), answers.take_refusal(1)), (1, None));
    }

    #[test]
    fn a_guest_that_returns_has_handled_what_is_in_hand() {
        let mut answers = Answers::none();
        answers.finish();
        assert_eq!(answers.handled(), 0);
        answers.expect(2, Instant::now() + LONG);
        assert_eq!(answers.handled(), 0, "while it has not returned");
        answers.finish();
        assert_eq!(answers.handled(), 1);
        assert!(!answers.note(Ok(())), "it is over");
        answers.expect(3, Instant::now() + LONG);
        assert!(answers.note(Ok(())) && answers.go_on(Instant::now()));
        answers.finish();
        assert_eq!(answers.handled(), 2);
    }
}
