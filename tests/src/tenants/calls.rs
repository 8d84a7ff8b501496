//! Calls that trap, that never return, and that do nothing worse than others.

use super::{Tenant, When, tenant};

const QUICK: &str = "timeout=300ms";

pub(super) fn spin_create() -> Tenant {
    tenant("Never returns from `create`")
        .when(When::Created)
        .limit("timeout-create=300ms")
        .stopped_by("`timeout-create`")
        .refused(&["was ended in `create`, which took longer than 300 ms (timeout-create)"])
        .busy()
}

pub(super) fn spin_start() -> Tenant {
    tenant("Never returns from `start`")
        .when(When::Started)
        .limit("timeout-start=300ms")
        .stopped_by("`timeout-start`")
        .ended(&["was ended in `start`, which took longer than 300 ms (timeout-start)"])
        .busy()
}

pub(super) fn spin_receive() -> Tenant {
    tenant("Never returns from `receive`")
        .when(When::Received("spin", 1))
        .limit("timeout-receive=300ms")
        .stopped_by("`timeout-receive`")
        .ended(&["was ended in `receive`, which took longer than 300 ms (timeout-receive)"])
        .busy()
}

pub(super) fn spin_on_timer() -> Tenant {
    tenant("Never returns from `on-timer`")
        .when(When::Started)
        .arguments("10")
        .limit("timeout-timer=300ms")
        .stopped_by("`timeout-timer`")
        .ended(&["was ended in `on-timer`, which took longer than 300 ms (timeout-timer)"])
        .busy()
}

pub(super) fn spin_destroy() -> Tenant {
    tenant("Never returns from `destroy`")
        .when(When::Destroyed)
        .limit("timeout-destroy=300ms")
        .stopped_by("`timeout-destroy`")
        .ended(&["was ended in `destroy`, which took longer than 300 ms (timeout-destroy)"])
        .busy()
}

pub(super) fn spin_in_host_calls() -> Tenant {
    tenant("Asks the host for the time for ever")
        .limit(QUICK)
        .stopped_by("`timeout-receive`")
        .ended(&["was ended in `receive`, which took longer than 300 ms (timeout-receive)"])
        .busy()
}

pub(super) fn spin_in_realloc() -> Tenant {
    tenant("Never returns when the host asks it for the place of a message")
        .limit(QUICK)
        .stopped_by("`timeout-receive`")
        .ended(&["was ended in `receive`, which took longer than 300 ms (timeout-receive)"])
        .busy()
}

pub(super) fn bulk_fill() -> Tenant {
    tenant("Fills 200 MiB of memory again and again: one instruction takes many milliseconds")
        .limit(QUICK)
        .stopped_by("`timeout-receive`")
        .ended(&["was ended in `receive`, which took longer than 300 ms (timeout-receive)"])
        .busy()
}

pub(super) fn sleep_for_ever() -> Tenant {
    tenant("Sleeps without end")
        .limit(QUICK)
        .stopped_by("`timeout-receive`")
        .ended(&["was ended in `receive`, which took longer than 300 ms (timeout-receive)"])
}

pub(super) fn poll_for_ever() -> Tenant {
    tenant("Waits for a thousand things at once of which none ever comes")
        .limit(QUICK)
        .stopped_by("`timeout-receive`")
        .ended(&["was ended in `receive`, which took longer than 300 ms (timeout-receive)"])
}

pub(super) fn sleep_receive() -> Tenant {
    tenant("Sleeps in `receive` for as long as it is configured to, here 50 ms with every message")
        .arguments("50")
}

pub(super) fn recurse() -> Tenant {
    tenant("Calls itself without end")
        .stopped_by("`max-wasm-stack`")
        .ended(&["ended in `receive`", "max-wasm-stack of 512 KiB"])
}

pub(super) fn trap_create() -> Tenant {
    tenant("Traps in `create`")
        .when(When::Created)
        .stopped_by("its own trap")
        .refused(&["trapped in `create`", "this module traps in create"])
}

pub(super) fn trap_start() -> Tenant {
    tenant("Traps in `start`")
        .when(When::Started)
        .stopped_by("its own trap")
        .ended(&["trapped in `start`", "this module traps in start"])
}

pub(super) fn trap_receive() -> Tenant {
    tenant("Traps in `receive`, two functions deep")
        .when(When::Received("trap", 1))
        .stopped_by("its own trap")
        .ended(&["trapped in `receive`", "this module traps in receive", "explode", "light_the_fuse"])
}

pub(super) fn trap_with_lines() -> Tenant {
    tenant("Traps in `receive`, and its component has line tables").stopped_by("its own trap").ended(&[
        "trapped in `receive`",
        "on a line that can be named",
        "explode",
        "light_the_fuse",
    ])
}

pub(super) fn trap_on_timer() -> Tenant {
    tenant("Traps in `on-timer`")
        .when(When::Started)
        .arguments("10")
        .stopped_by("its own trap")
        .ended(&["trapped in `on-timer`", "this module traps in on-timer"])
}

pub(super) fn trap_destroy() -> Tenant {
    tenant("Traps in `destroy`")
        .when(When::Destroyed)
        .stopped_by("its own trap")
        .ended(&["trapped in `destroy`", "this module traps in destroy"])
}

pub(super) fn trap_after() -> Tenant {
    tenant("Traps on the third message after each creation")
        .when(When::Received("misbehave", 3))
        .arguments("3")
        .stopped_by("its own trap")
        .ended(&["trapped in `receive`", "this module has had enough messages"])
}

pub(super) fn trap_first_attempt() -> Tenant {
    tenant("Traps on a message that it gets for the first time, and takes it when it is delivered again")
        .stopped_by("its own trap")
        .ended(&["trapped in `receive`", "this module traps on a first attempt"])
}

pub(super) fn trap_timed() -> Tenant {
    tenant("Publishes the time and then traps on a message that it gets for the first time")
        .stopped_by("its own trap")
        .ended(&["trapped in `receive`", "wasm `unreachable` instruction executed"])
}

pub(super) fn poison() -> Tenant {
    tenant("Publishes a certain message and then traps on it, every time")
        .when(When::Received("poison", 1))
        .stopped_by(
            "its own trap; on the host link the message is a dead letter after `redelivery.max` times",
        )
        .ended(&["trapped in `receive`", "this message is poison"])
}

pub(super) fn panic_huge() -> Tenant {
    tenant("Panics with a message of 16 MiB")
        .stopped_by("its own trap; 2 KiB of its last words are kept")
        .ended(&["trapped in `receive`", "its last words: ", "how dreadful!"])
}

pub(super) fn exit_success() -> Tenant {
    tenant("Asks to end the process with status 0")
        .stopped_by("`exit` ends the instance alone")
        .ended(&["exit(0) in `receive`"])
}

pub(super) fn exit_failure() -> Tenant {
    tenant("Asks to end the process with status 1")
        .stopped_by("`exit` ends the instance alone")
        .ended(&["exit(1) in `receive`"])
}

pub(super) fn refuse_create() -> Tenant {
    tenant("Refuses its configuration, whatever it is")
        .when(When::Created)
        .stopped_by("its own refusal")
        .refused(&["refused its arguments: args.color: found green, wanted red; write red"])
}

pub(super) fn fail_receive() -> Tenant {
    tenant("Answers a message with an error of 16 MiB of control characters")
        .stopped_by("4 KiB of it are logged, escaped, once a second at most")
        .logged(&[r"the module failed to handle messages: \u{1b}[2J"])
}

pub(super) fn slow_create() -> Tenant {
    tenant("Is busy in `create` for as long as it is configured to, here 200 ms").arguments("200").busy()
}

pub(super) fn count_on_timer() -> Tenant {
    tenant("Does what it should: publishes a number every so many milliseconds").arguments("50")
}

pub(super) fn count_creates() -> Tenant {
    tenant("Does what it should: tells in `start` with what it was created").arguments("1")
}
