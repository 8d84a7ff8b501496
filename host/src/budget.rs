//! How much a module has published: in the call that is going on, and in the last second.

use std::time::{Duration, Instant};

use crate::limits::{Exceeded, Limits};

const SECOND: Duration = Duration::from_secs(1);

/// The account of one instance.
pub(crate) struct Budget {
    messages_per_call: Allowance,
    bytes_per_call: Allowance,
    messages_per_second: Allowance,
    bytes_per_second: Allowance,
    second: Instant,
}

struct Allowance {
    name: &'static str,
    limit: u64,
    used: u64,
}

impl Allowance {
    fn new(name: &'static str, limit: u64) -> Self {
        Self { name, limit, used: 0 }
    }

    fn spend(&mut self, amount: u64) -> Result<(), Exceeded> {
        self.used = self.used.saturating_add(amount);
        if self.used > self.limit {
            return Err(Exceeded::new(self.name, self.limit, self.used));
        }
        Ok(())
    }
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            messages_per_call: Allowance::new("max-publishes-per-call", limits.max_publishes_per_call),
            bytes_per_call: Allowance::new(
                "max-published-bytes-per-call",
                limits.max_published_bytes_per_call,
            ),
            messages_per_second: Allowance::new("max-publish-rate", limits.max_publish_rate),
            bytes_per_second: Allowance::new("max-publish-byte-rate", limits.max_publish_byte_rate),
            second: Instant::now(),
        }
    }

    /// Another call begins.
    pub(crate) fn begin_call(&mut self) {
        self.messages_per_call.used = 0;
        self.bytes_per_call.used = 0;
    }

    /// One more message of so many bytes.
    pub(crate) fn spend(&mut self, bytes: u64) -> Result<(), Exceeded> {
        self.messages_per_call.spend(1)?;
        self.bytes_per_call.spend(bytes)?;
        let messages = self.messages_per_second.spend(1);
        let in_rate = messages.and_then(|()| self.bytes_per_second.spend(bytes));
        // The clock is read only when a second's worth has been spent: if that took longer than a second,
        // the next second begins here.
        match in_rate {
            Err(_) if self.second.elapsed() >= SECOND => {
                self.second = Instant::now();
                self.messages_per_second.used = 1;
                self.bytes_per_second.used = 0;
                self.bytes_per_second.spend(bytes)
            }
            in_rate => in_rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(change: impl FnOnce(&mut Limits)) -> Budget {
        let mut limits = Limits::default();
        change(&mut limits);
        Budget::new(&limits)
    }

    fn name(result: Result<(), Exceeded>) -> String {
        result.unwrap_err().name.into()
    }

    #[test]
    fn a_call_has_its_own_messages_and_bytes() {
        let mut budget = budget(|limits| {
            limits.max_publishes_per_call = 2;
            limits.max_published_bytes_per_call = 100;
        });
        budget.spend(10).unwrap();
        budget.spend(10).unwrap();
        assert_eq!(name(budget.spend(10)), "max-publishes-per-call");
        budget.begin_call();
        budget.spend(100).unwrap();
        assert_eq!(name(budget.spend(1)), "max-published-bytes-per-call");
    }

    #[test]
    fn a_rate_holds_over_calls_and_another_second_begins_anew() {
        let mut budget = budget(|limits| {
            limits.max_publish_rate = 2;
            limits.max_publish_byte_rate = 1000;
        });
        for _ in 0..2 {
            budget.begin_call();
            budget.spend(10).unwrap();
        }
        budget.begin_call();
        assert_eq!(name(budget.spend(10)), "max-publish-rate");
        budget.second = Instant::now().checked_sub(SECOND).unwrap();
        budget.spend(1000).unwrap();
        assert_eq!(name(budget.spend(1)), "max-publish-byte-rate");
    }
}
