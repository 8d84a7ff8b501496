//! Messages for which `receive` returns an error: they are handled, as others are.

use sandgate_tests::config::attached;
use sandgate_tests::ends::{Ends, around};
use sandgate_tests::process::number;
use sandgate_tests::programs::{running_gateway, waiting_host};
use sandgate_tests::scratch::Scratch;
use serde_json::Value;

const REFUSED: u64 = 3;

#[test]
fn a_message_that_is_refused_is_settled_counted_and_does_not_come_again() {
    let scratch = Scratch::new();
    let id = scratch.id("middle");
    let mut host = waiting_host(&scratch, &id, "fixtures/fail_receive", &[]);
    let mut gateway = running_gateway(&scratch, &around(&scratch, attached(&id), Value::Null));
    let ends = Ends::attach(&scratch);
    for nth in 0..REFUSED {
        ends.send(&[("misbehave", "1")], b"");
        ends.send_numbers([nth]);
    }
    ends.expect_numbers(0..REFUSED);
    gateway.stop();
    let line = gateway.wait_for_line_with(&[": link ", "source=\"source\"", "sink=\"middle\""]);
    let counts = ["offered", "delivered", "dropped", "dead", "redelivered"].map(|key| number(&line, key));
    assert_eq!(counts, [2 * REFUSED, 2 * REFUSED, 0, 0, 0], "{line}");
    host.stop();
    let line = host.wait_for_line_with(&["stopped", "failed="]);
    assert_eq!(["received", "failed"].map(|key| number(&line, key)), [2 * REFUSED, REFUSED], "{line}");
    assert_eq!(["faults", "restarts"].map(|key| number(&line, key)), [0, 0], "{line}");
}
