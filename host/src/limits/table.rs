//! The table of all limits: from it come the command line, its help and the documents.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::value::{parse_size, parse_time, show_size, show_time};
use super::{GIB, KIB, LimitError, Limits, MIB, PAGE};

/// Names that are written this much alike are suggested.
const LIKENESS: f64 = 0.8;

/// One limit, for people and for those who set it by its name.
#[derive(Debug)]
pub struct LimitInfo {
    /// Its name, in the Wasmtime CLI's style, and the CLI's own where it has one.
    pub name: &'static str,
    /// What it bounds, and what happens there.
    pub about: &'static str,
    field: Field,
}

/// Where a limit is kept, and what it may be.
#[derive(Debug)]
enum Field {
    Size(fn(&mut Limits) -> &mut u64, RangeInclusive<u64>),
    Number(fn(&mut Limits) -> &mut u64, RangeInclusive<u64>),
    /// None: unlimited.
    OptionalNumber(fn(&mut Limits) -> &mut Option<u64>, RangeInclusive<u64>),
    /// In milliseconds.
    Time(fn(&mut Limits) -> &mut Duration, RangeInclusive<u64>),
    /// None: as `timeout`.
    OwnTimeout(fn(&mut Limits) -> &mut Option<Duration>),
}

use Field::{Number, OptionalNumber, OwnTimeout, Size, Time};

const DAY: u64 = 86_400_000;
const TIMEOUT: RangeInclusive<u64> = 1..=DAY;
const COUNT: RangeInclusive<u64> = 1..=1_000_000_000_000;

const fn row(name: &'static str, field: Field, about: &'static str) -> LimitInfo {
    LimitInfo { name, about, field }
}

pub(super) const TABLE: &[LimitInfo] = &[
    row(
        "max-memory-size",
        Size(|l| &mut l.max_memory_size, PAGE..=4 * GIB),
        "memory of an instance: all linear memories and tables, and what the host holds for it",
    ),
    row("max-table-elements", Number(|l| &mut l.max_table_elements, 1..=100_000), "elements of one table"),
    row("max-memories", Number(|l| &mut l.max_memories, 1..=16), "linear memories of an instance"),
    row("max-tables", Number(|l| &mut l.max_tables, 1..=64), "tables of an instance"),
    row("max-instances", Number(|l| &mut l.max_instances, 1..=128), "core instances in an instance"),
    row(
        "hostcall-fuel",
        Size(|l| &mut l.hostcall_fuel, PAGE..=GIB),
        "bytes that one call into the host may copy out of the sandbox",
    ),
    row(
        "max-resources",
        Number(|l| &mut l.max_resources, 1..=1_000_000),
        "resources (streams, pollables, ...) and handles that an instance has at a time",
    ),
    row(
        "max-random-size",
        Size(|l| &mut l.max_random_size, 64..=64 * MIB),
        "random bytes that one call may ask for",
    ),
    row("max-component-size", Size(|l| &mut l.max_component_size, KIB..=GIB), "size of the .wasm file"),
    row("compile-timeout", Time(|l| &mut l.compile_timeout, TIMEOUT), "time that compiling may take"),
    row(
        "compile-memory",
        Size(|l| &mut l.compile_memory, 256 * MIB..=64 * GIB),
        "address space of the process that compiles",
    ),
    row("timeout", Time(|l| &mut l.timeout, TIMEOUT), "time that one call of the module may take"),
    row("timeout-create", OwnTimeout(|l| &mut l.timeout_create), "the same for instantiation and `create`"),
    row("timeout-start", OwnTimeout(|l| &mut l.timeout_start), "the same for `start`"),
    row("timeout-receive", OwnTimeout(|l| &mut l.timeout_receive), "the same for `receive`"),
    row("timeout-timer", OwnTimeout(|l| &mut l.timeout_timer), "the same for `on-timer`"),
    row("timeout-destroy", OwnTimeout(|l| &mut l.timeout_destroy), "the same for `destroy`"),
    row(
        "fuel",
        OptionalNumber(|l| &mut l.fuel, COUNT),
        "units of execution that one call may use, about one an instruction; makes guests slower",
    ),
    row(
        "max-wasm-stack",
        Size(|l| &mut l.max_wasm_stack, 64 * KIB..=MIB),
        "stack of a call; rounded up to a power of two",
    ),
    row(
        "max-publishes-per-call",
        Number(|l| &mut l.max_publishes_per_call, COUNT),
        "messages that one call may publish",
    ),
    row(
        "max-published-bytes-per-call",
        Size(|l| &mut l.max_published_bytes_per_call, KIB..=64 * GIB),
        "bytes of the messages that one call may publish",
    ),
    row(
        "max-publish-rate",
        Number(|l| &mut l.max_publish_rate, COUNT),
        "messages that may be published in a second",
    ),
    row(
        "max-publish-byte-rate",
        Size(|l| &mut l.max_publish_byte_rate, KIB..=64 * GIB),
        "bytes of the messages that may be published in a second",
    ),
    row(
        "max-message-size",
        Size(|l| &mut l.max_message_size, KIB..=32 * MIB),
        "size of a published message; a larger one is the error `too-large` for the module",
    ),
    row(
        "max-properties",
        Number(|l| &mut l.max_properties, 1..=65_536),
        "properties of a published message; more are the error `invalid` for the module",
    ),
    row(
        "max-outbound-messages",
        Number(|l| &mut l.max_outbound_messages, 1..=65_536),
        "messages that were published and wait for the gateway to take them; then `publish` waits",
    ),
    row(
        "max-outbound-size",
        Size(|l| &mut l.max_outbound_size, KIB..=GIB),
        "bytes of these, on the host link",
    ),
    row(
        "max-log-rate",
        Number(|l| &mut l.max_log_rate, COUNT),
        "log and standard-error lines in a second; more are dropped and counted",
    ),
    row(
        "max-log-lines-per-call",
        Number(|l| &mut l.max_log_lines_per_call, COUNT),
        "log and standard-error lines that one call may write",
    ),
    row(
        "max-timers",
        Number(|l| &mut l.max_timers, 1..=10_000),
        "timers that an instance has at a time; more are the error `too-many` for the module",
    ),
];

pub(super) fn find(name: &str) -> Option<&'static LimitInfo> {
    TABLE.iter().find(|row| row.name == name)
}

/// The name that is written most like this one, if any is.
pub(super) fn close_to(name: &str) -> Option<&'static str> {
    let likeness = |row: &LimitInfo| strsim::jaro_winkler(row.name, name);
    let best = TABLE.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) >= LIKENESS).then_some(best.name)
}

impl LimitInfo {
    /// The default as `set` reads it. None: unlimited, or as `timeout`.
    #[must_use]
    pub fn default(&self) -> Option<String> {
        let mut limits = Limits::default();
        match &self.field {
            Size(field, _) => Some(self.show(*field(&mut limits))),
            Number(field, _) => Some(field(&mut limits).to_string()),
            OptionalNumber(..) | OwnTimeout(_) => None,
            Time(field, _) => Some(show_time(*field(&mut limits))),
        }
    }

    /// What the default is, for people.
    #[must_use]
    pub fn default_shown(&self) -> String {
        let otherwise = if matches!(self.field, OwnTimeout(_)) { "as `timeout`" } else { "none" };
        self.default().unwrap_or_else(|| otherwise.into())
    }

    /// What it may be, for people.
    #[must_use]
    pub fn range(&self) -> String {
        match &self.field {
            Size(_, range) => {
                format!("a size from {} to {}", show_size(*range.start()), show_size(*range.end()))
            }
            Number(_, range) | OptionalNumber(_, range) => {
                format!("a number from {} to {}", range.start(), range.end())
            }
            Time(_, range) => time_range(range),
            OwnTimeout(_) => time_range(&TIMEOUT),
        }
    }

    pub(super) fn set(&self, limits: &mut Limits, text: &str) -> Result<(), LimitError> {
        let set = match &self.field {
            Size(field, range) => within(parse_size(text), range).map(|value| *field(limits) = value),
            Number(field, range) => within(text.parse().ok(), range).map(|value| *field(limits) = value),
            OptionalNumber(field, range) => {
                within(text.parse().ok(), range).map(|value| *field(limits) = Some(value))
            }
            Time(field, range) => time_within(text, range).map(|value| *field(limits) = value),
            OwnTimeout(field) => time_within(text, &TIMEOUT).map(|value| *field(limits) = Some(value)),
        };
        set.ok_or_else(|| LimitError::Value { name: self.name, value: text.into(), wanted: self.range() })
    }

    /// A value of this limit for people.
    pub(super) fn show(&self, value: u64) -> String {
        match self.field {
            Size(..) => show_size(value),
            Number(..) | OptionalNumber(..) => value.to_string(),
            Time(..) | OwnTimeout(_) => show_time(Duration::from_millis(value)),
        }
    }
}

fn within(value: Option<u64>, range: &RangeInclusive<u64>) -> Option<u64> {
    value.filter(|value| range.contains(value))
}

fn time_within(text: &str, range: &RangeInclusive<u64>) -> Option<Duration> {
    let time = parse_time(text)?;
    let milliseconds = u64::try_from(time.as_millis()).ok()?;
    range.contains(&milliseconds).then_some(time)
}

fn time_range(range: &RangeInclusive<u64>) -> String {
    let show = |milliseconds| show_time(Duration::from_millis(milliseconds));
    format!("a time from {} to {}", show(*range.start()), show(*range.end()))
}
