//! What one module may use: every limit with its name, its safe default and its range.

mod table;
pub(crate) mod value;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use sandgate_wire::link::Window;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::call::Call;
pub use table::LimitInfo;
pub use value::parse_time;

/// The smallest step in which memory grows, a page of WebAssembly, in bytes.
const PAGE: u64 = 64 << 10;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What one module may use. Each field is the limit of the same name, with dashes for underscores, and
/// [`Limits::NAMES`] says what each one means. Sizes are in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "`Limits::NAMES` describes each, once")]
pub struct Limits {
    pub max_memory_size: u64,
    pub max_table_elements: u64,
    pub max_memories: u64,
    pub max_tables: u64,
    pub max_instances: u64,
    pub hostcall_fuel: u64,
    pub max_resources: u64,
    pub max_random_size: u64,
    pub max_component_size: u64,
    pub compile_timeout: Duration,
    pub compile_memory: u64,
    pub timeout: Duration,
    pub timeout_create: Option<Duration>,
    pub timeout_start: Option<Duration>,
    pub timeout_receive: Option<Duration>,
    pub timeout_timer: Option<Duration>,
    pub timeout_destroy: Option<Duration>,
    pub fuel: Option<u64>,
    pub max_wasm_stack: u64,
    pub max_publishes_per_call: u64,
    pub max_published_bytes_per_call: u64,
    pub max_publish_rate: u64,
    pub max_publish_byte_rate: u64,
    pub max_message_size: u64,
    pub max_properties: u64,
    pub max_outbound_messages: u64,
    pub max_outbound_size: u64,
    pub max_log_rate: u64,
    pub max_log_lines_per_call: u64,
    pub max_timers: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_memory_size: 256 * MIB,
            max_table_elements: 20_000,
            max_memories: 4,
            max_tables: 16,
            max_instances: 32,
            hostcall_fuel: 64 * MIB,
            max_resources: 10_000,
            max_random_size: MIB,
            max_component_size: 64 * MIB,
            compile_timeout: Duration::from_secs(60),
            compile_memory: 2 * GIB,
            timeout: Duration::from_secs(5),
            timeout_create: None,
            timeout_start: None,
            timeout_receive: None,
            timeout_timer: None,
            timeout_destroy: None,
            fuel: None,
            max_wasm_stack: 512 * KIB,
            max_publishes_per_call: 100_000,
            max_published_bytes_per_call: 256 * MIB,
            max_publish_rate: 10_000_000,
            max_publish_byte_rate: GIB,
            max_message_size: sandgate_wire::limits::MESSAGE_MAX as u64,
            max_properties: sandgate_wire::limits::PROPERTIES_MAX as u64,
            max_outbound_messages: 1024,
            max_outbound_size: 64 * MIB,
            max_log_rate: 1000,
            max_log_lines_per_call: 10_000,
            max_timers: 64,
        }
    }
}

/// Why a limit cannot be set.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum LimitError {
    /// There is no such limit.
    #[error("there is no limit `{name}`{}; `wasm-host limits` shows all", suggestion(.close))]
    Unknown {
        /// What was asked for.
        name: String,
        /// A name that is written much like it.
        close: Option<&'static str>,
    },
    /// The limit cannot have this value.
    #[error("the limit `{name}` cannot be `{value}`: give {wanted}")]
    Value {
        /// The limit.
        name: &'static str,
        /// What was given.
        value: String,
        /// Its unit and its range.
        wanted: String,
    },
    /// The text has no `=`.
    #[error("`{text}` is no limit: give NAME=VALUE, as in timeout=200ms")]
    Form {
        /// What was given.
        text: String,
    },
}

fn suggestion(close: &Option<&'static str>) -> String {
    close.map(|close| format!(", did you mean `{close}`?")).unwrap_or_default()
}

impl Limits {
    /// Every limit: its name, what it means, its range and its default.
    pub const NAMES: &'static [LimitInfo] = table::TABLE;

    /// Sets one limit from its name and a text: a size in bytes or with `KiB`, `MiB`, `GiB`; a time in
    /// milliseconds or with `ms`, `s`; a number.
    ///
    /// # Errors
    /// The name is unknown, or the text is no value in the limit's range.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), LimitError> {
        match table::find(name) {
            Some(row) => row.set(self, value),
            None => Err(LimitError::Unknown { name: name.into(), close: table::close_to(name) }),
        }
    }

    /// Sets one limit from `NAME=VALUE`.
    ///
    /// # Errors
    /// As [`Limits::set`], or there is no `=`.
    pub fn set_pair(&mut self, pair: &str) -> Result<(), LimitError> {
        let (name, value) = pair.split_once('=').ok_or_else(|| LimitError::Form { text: pair.into() })?;
        self.set(name, value)
    }

    /// All limits as a table in Markdown.
    #[must_use]
    pub fn table() -> String {
        let mut text = String::from("| Limit | What it bounds | Default | Range |\n|---|---|---|---|\n");
        for row in Self::NAMES {
            let LimitInfo { name, about, .. } = row;
            text += &format!("| `{name}` | {about} | {} | {} |\n", row.default_shown(), row.range());
        }
        text
    }

    /// What a module may have on its way to the gateway.
    pub(crate) fn outbound(&self) -> Window {
        let messages = u32::try_from(self.max_outbound_messages).unwrap_or(u32::MAX);
        Window { messages, bytes: self.max_outbound_size }
    }

    /// How long a call may take.
    #[must_use]
    pub fn timeout_of(&self, call: Call) -> Duration {
        self.named_timeout_of(call).1
    }

    /// The limit that says so, with its name.
    pub(crate) fn named_timeout_of(&self, call: Call) -> (&'static str, Duration) {
        let (name, own) = match call {
            Call::Instantiate | Call::Create => ("timeout-create", self.timeout_create),
            Call::Start => ("timeout-start", self.timeout_start),
            Call::Receive => ("timeout-receive", self.timeout_receive),
            Call::OnTimer => ("timeout-timer", self.timeout_timer),
            Call::Destroy => ("timeout-destroy", self.timeout_destroy),
        };
        (name, own.unwrap_or(self.timeout))
    }

    /// The longest time that any call may take.
    #[must_use]
    pub fn longest_timeout(&self) -> Duration {
        let all = [Call::Create, Call::Start, Call::Receive, Call::OnTimer, Call::Destroy];
        all.into_iter().map(|call| self.timeout_of(call)).max().unwrap_or(self.timeout)
    }
}

/// More was used, or asked for, than a limit allows.
#[derive(Clone, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
pub struct Exceeded {
    /// The limit's name.
    #[serde(default = "common_timeout")]
    pub name: Cow<'static, str>,
    /// Its value, in bytes, milliseconds or pieces.
    #[serde(alias = "limit_ms")]
    pub limit: u64,
    /// What was used or asked for, in the same unit; the limit itself where no more is known than that it
    /// was reached.
    #[serde(default)]
    pub used: u64,
}

/// Older verdicts on a deadline say no more than how long it was.
fn common_timeout() -> Cow<'static, str> {
    "timeout".into()
}

impl Exceeded {
    pub(crate) fn new(name: &'static str, limit: u64, used: u64) -> Self {
        Self { name: name.into(), limit, used }
    }

    /// One piece more was asked for than there may be.
    pub(crate) fn by_one(name: &'static str, limit: u64) -> Self {
        Self::new(name, limit, limit.saturating_add(1))
    }

    /// More is not known than that the limit was reached.
    pub(crate) fn reached(name: &'static str, limit: u64) -> Self {
        Self::new(name, limit, limit)
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, limit, used } = self;
        let show = |value: u64| match table::find(name) {
            Some(row) => row.show(value),
            None => value.to_string(),
        };
        let used = if used > limit { show(*used) } else { "all of it".into() };
        write!(f, "{name} of {} ({used} used)", show(*limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_can_be_set_to_its_own_default() {
        for row in Limits::NAMES {
            let mut limits = Limits::default();
            if let Some(default) = row.default() {
                limits.set(row.name, &default).unwrap_or_else(|error| panic!("{error}"));
            }
            assert_eq!(limits, Limits::default(), "{}", row.name);
        }
    }

    #[test]
    fn a_close_name_is_suggested_and_a_range_told() {
        let mut limits = Limits::default();
        let said = |result: Result<(), LimitError>| result.unwrap_err().to_string();
        let unknown = said(limits.set("max-memory", "1"));
        assert!(
            unknown.contains("did you mean `max-memories`") || unknown.contains("max-memory-size"),
            "{unknown}"
        );
        assert!(said(limits.set("quux", "1")).contains("`wasm-host limits`"));
        let range = said(limits.set("max-timers", "0"));
        assert!(range.contains("max-timers") && range.contains("a number from 1 to"), "{range}");
        assert!(said(limits.set("timeout", "5 parsecs")).contains("from 1 ms to"), "{range}");
        assert!(said(limits.set_pair("timeout")).contains("NAME=VALUE"));
        assert_eq!(limits, Limits::default());
    }

    #[test]
    fn a_timeout_of_one_call_overrides_the_common_one() {
        let mut limits = Limits::default();
        limits.set_pair("timeout=200ms").unwrap();
        limits.set_pair("timeout-receive=3s").unwrap();
        assert_eq!(limits.timeout_of(Call::Receive), Duration::from_secs(3));
        assert_eq!(limits.timeout_of(Call::Destroy), Duration::from_millis(200));
        assert_eq!(limits.longest_timeout(), Duration::from_secs(3));
    }

    #[test]
    fn what_was_exceeded_is_told_with_its_unit() {
        let memory = Exceeded::new("max-memory-size", 256 * MIB, 256 * MIB + PAGE);
        assert_eq!(memory.to_string(), "max-memory-size of 256 MiB (256.1 MiB used)");
        let fuel = Exceeded::new("fuel", 1000, 1000);
        assert_eq!(fuel.to_string(), "fuel of 1000 (all of it used)");
    }
}
