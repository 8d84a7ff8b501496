//! The log and standard error.

use super::{Tenant, tenant};

pub(super) fn flood_log() -> Tenant {
    tenant("Writes lines to the log without end")
        .stopped_by("`max-log-lines-per-call`; before that `max-log-rate` drops lines")
        .ended(&["`receive`", "max-log-lines-per-call of 10000"])
        .busy()
}

pub(super) fn flood_log_once() -> Tenant {
    tenant("Writes one line of 64 MiB to the log, with what a terminal would obey")
        .stopped_by("a line is cut at 4 KiB and escaped")
        .logged(&[r"\u{1b}[2J\r\n\u{1b}[2J"])
}

pub(super) fn flood_stderr() -> Tenant {
    tenant("Writes to its standard error without end")
        .stopped_by("`max-log-lines-per-call`; before that `max-log-rate` drops lines")
        .ended(&["`receive`", "max-log-lines-per-call of 10000"])
        .busy()
}
