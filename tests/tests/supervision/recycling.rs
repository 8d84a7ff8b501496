//! Instances that are replaced although they work.

use sandgate_tests::config::attached;
use sandgate_tests::ends::{Ends, around};
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::process::{Process, number};
use sandgate_tests::programs::{running_gateway, running_gateway_with};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::wait::until;
use serde_json::{Value, json};

use super::quarantine::{module, status};

fn recycled(guest: &str, args: Value, recycle: Value, numbers: u64) -> u64 {
    let scratch = Scratch::new();
    let more = json!({"recycle": recycle});
    let mut host =
        HostConfiguration::new().module("middle", &scratch.id("middle"), guest, more).start(&scratch);
    let mut gateway = running_gateway(&scratch, &around(&scratch, attached(&scratch.id("middle")), args));
    let ends = Ends::attach(&scratch);
    ends.send_numbers(1..=numbers);
    ends.expect_numbers(1..=numbers);
    gateway.stop();
    host.stop();
    let line = host.wait_for_line_with(&["stopped", "module=\"middle\""]);
    assert_eq!(number(&line, "faults"), 0, "{line}");
    number(&line, "recycled")
}

#[test]
fn an_instance_is_replaced_after_so_many_messages_and_nothing_is_lost() {
    assert_eq!(recycled("modules/echo", Value::Null, json!({"messages": 10}), 1000), 100);
}

#[test]
fn what_is_recycled_is_shown_by_the_gateway() {
    let scratch = Scratch::new();
    let more = json!({"recycle": {"messages": 10}});
    let id = scratch.id("middle");
    let _host = HostConfiguration::new().module("middle", &id, "modules/echo", more).start(&scratch);
    let document = around(&scratch, attached(&id), Value::Null);
    let _gateway = running_gateway_with(&scratch, &document, &["--admin", &scratch.id("admin")]);
    let ends = Ends::attach(&scratch);
    ends.send_numbers(1..=100);
    ends.expect_numbers(1..=100);
    until("the figures", || {
        let host = &module(&status(&scratch), "middle")["host"];
        host["recycled"] == json!(10) && host["received"] == json!(100)
    });
}

#[test]
fn an_instance_that_leaks_is_replaced_at_the_soft_limit_and_nothing_is_lost() {
    assert!(recycled("fixtures/leak_slowly", json!(100_000), json!({"memory": "16MiB"}), 1000) > 0);
}

#[test]
fn an_instance_is_replaced_on_schedule() {
    let scratch = Scratch::new();
    let more = json!({"recycle": {"interval.ms": 20}});
    let mut host = HostConfiguration::new()
        .module("middle", &scratch.id("middle"), "modules/echo", more)
        .start(&scratch);
    let _gateway = running_gateway(&scratch, &around(&scratch, attached(&scratch.id("middle")), Value::Null));
    let ends = Ends::attach(&scratch);
    for next in 0..50 {
        ends.send_numbers([next]);
        ends.expect_numbers([next]);
        std::thread::sleep(std::time::Duration::from_millis(4));
    }
    host.stop();
    let line = host.wait_for_line_with(&["stopped", "module=\"middle\""]);
    assert!(number(&line, "recycled") > 0, "{line}");
}

/// A module that fails in its last call, every time, in a host that replaces it after each message.
fn fails_in_its_last_call(scratch: &Scratch) -> Process {
    let more = json!({"recycle": {"messages": 1}, "restart": {"max": 3, "backoff.ms": 10}});
    let guest = "fixtures/trap_destroy";
    HostConfiguration::new().module("middle", &scratch.id("middle"), guest, more).start(scratch)
}

#[test]
fn a_last_call_that_fails_takes_nothing_with_it_on_v1s_channels() {
    let scratch = Scratch::new();
    let host = fails_in_its_last_call(&scratch);
    let mut middle = attached(&scratch.id("middle"));
    middle["channel"] = json!("pair");
    let gateway = running_gateway(&scratch, &around(&scratch, middle, Value::Null));
    let ends = Ends::attach(&scratch);
    ends.send_numbers(1..=20);
    ends.expect_numbers(1..=20);
    // So many at once that not each gets a verdict.
    host.wait_for_line("trapped in `destroy`");
    assert_eq!(gateway.count_lines("attached module=\"middle\""), 1);
}

#[test]
fn last_calls_that_fail_again_and_again_end_in_quarantine_and_nothing_is_lost() {
    let scratch = Scratch::new();
    let host = fails_in_its_last_call(&scratch);
    let _gateway = running_gateway(&scratch, &around(&scratch, attached(&scratch.id("middle")), Value::Null));
    let ends = Ends::attach(&scratch);
    // The fourth failure within the window is one too many; it comes behind the fourth message.
    ends.send_numbers(1..=4);
    ends.expect_numbers(1..=4);
    host.wait_for_line_with(&["quarantined until it is revived", "4 failures within 60 s"]);
}
