//! Messages that end their module: tried again, then put aside, while the queue moves on.

use std::fs;

use sandgate_tests::config::{Configuration, attached};
use sandgate_tests::ends::{Ends, around};
use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::process::number;
use sandgate_tests::programs::{command, running_gateway, running_gateway_with, waiting_host};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::wait::until_some;
use serde_json::{Value, json};

use super::quarantine::status;

/// The entries of a file of dead letters, once there are so many.
fn dead_letters(scratch: &Scratch, count: usize) -> Vec<Value> {
    until_some("dead letters", || {
        let text = fs::read_to_string(scratch.file("dead-letters.ndjson")).ok()?;
        let letters: Vec<Value> = text.lines().map_while(|line| serde_json::from_str(line).ok()).collect();
        (letters.len() >= count).then_some(letters)
    })
}

#[test]
fn a_message_that_ends_its_module_goes_to_the_file_with_its_verdict_and_the_others_come_through_in_order() {
    let scratch = Scratch::new();
    let id = scratch.id("middle");
    let _host = waiting_host(&scratch, &id, "fixtures/trap_receive", &[]);
    let mut gateway = running_gateway(&scratch, &around(&scratch, attached(&id), Value::Null));
    let ends = Ends::attach(&scratch);
    ends.send_numbers(1..=3);
    ends.send(&[("trap", "now"), ("which", "the poison")], b"\x00poison");
    ends.send_numbers(4..=6);
    ends.expect_numbers(1..=6);
    let letter = &dead_letters(&scratch, 1)[0];
    assert_eq!((&letter["source"], &letter["sink"]), (&json!("source"), &json!("middle")));
    assert_eq!(letter["properties"]["which"], json!("the poison"));
    let verdict = &letter["verdict"];
    assert_eq!((&verdict["call"], &verdict["module"]), (&json!("receive"), &json!("trap_receive")));
    let properties = verdict["message"]["properties"].as_array().unwrap();
    assert!(properties.contains(&json!(["which", "the poison"])), "{verdict:#}");
    gateway.stop();
    let line = gateway.wait_for_line_with(&["link", "source=\"source\"", "sink=\"middle\""]);
    let count = |key| number(&line, key);
    assert_eq!(
        (count("offered"), count("delivered"), count("dead"), count("dropped")),
        (7, 6, 1, 0),
        "{line}"
    );
}

#[test]
fn a_dead_letter_goes_to_the_module_that_its_link_names_after_as_many_tries_as_it_says() {
    let scratch = Scratch::new();
    let id = scratch.id("middle");
    let host = HostConfiguration::new()
        .module("middle", &id, "fixtures/trap_receive", json!({"restart": {"backoff.ms": 1}}))
        .start(&scratch);
    let mut document = Configuration::new()
        .remote("source", attached(&scratch.id("source")), Value::Null)
        .remote("middle", attached(&id), Value::Null)
        .remote("sink", attached(&scratch.id("sink")), Value::Null)
        .link("source", "middle")
        .json();
    document["links"][0]["dead.letter"] = json!("sink");
    document["links"][0]["redelivery.max"] = json!(5);
    let _gateway = running_gateway(&scratch, &document);
    let ends = Ends::attach(&scratch);
    ends.send(&[("trap", "now")], b"content");
    let letter = ends.receive();
    assert_eq!((letter.property("trap"), letter.content()), (Some("now"), &b"content"[..]));
    assert_eq!(letter.property("sandgate.dead.source"), Some("source"));
    assert_eq!(letter.property("sandgate.dead.sink"), Some("middle"));
    let verdict: Value = serde_json::from_str(letter.property("sandgate.dead.verdict").unwrap()).unwrap();
    assert_eq!(verdict["call"], json!("receive"));
    // The fifth failure is told with the dead letter.
    host.wait_for_nth_line(5, "trapped in `receive`");
    assert!(!scratch.file("dead-letters.ndjson").exists());
}

/// The guest ends its whole host, as a defect of the sandbox would. Each time a new host gets the message
/// first, and alone; the third death is its last.
#[test]
fn a_message_whose_host_dies_again_and_again_is_given_up_too() {
    let scratch = Scratch::new();
    let id = scratch.id("middle");
    let script = scratch.write("fragile.sh", FRAGILE);
    let host = sandgate_tests::programs::program("wasm-host");
    let module = sandgate_tests::programs::guest("fixtures/sleep_receive");
    let args = [script.to_str().unwrap(), host.to_str().unwrap(), &id, module.to_str().unwrap()];
    let middle = sandgate_tests::config::launched(&id, "bash", &args, 2000);
    let gateway = running_gateway(&scratch, &around(&scratch, middle, json!(400)));
    let ends = Ends::attach(&scratch);
    ends.send(&[("number", "1")], b"");
    // The script lets three hosts die while they sleep over the message.
    gateway.wait_for_line("the host died 3 times while it handled this message");
    ends.send_numbers([2]);
    ends.expect_numbers([2]);
    let letter = &dead_letters(&scratch, 1)[0];
    assert_eq!(letter["properties"]["number"], json!("1"));
    // The gateway's verdict is one that can be replayed; here the message does no harm.
    let verdict = scratch.write("verdict.json", letter["verdict"].to_string());
    let mut replay = command(&scratch, &host);
    let output = replay.arg("replay").args([&verdict, &module]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        text.contains("the host died 3 times") && text.contains("the call of `receive` went well"),
        "{text}"
    );
}

#[test]
fn a_dead_letter_that_cannot_be_written_is_told_of() {
    let scratch = Scratch::new();
    let id = scratch.id("middle");
    let _host = waiting_host(&scratch, &id, "fixtures/trap_receive", &[]);
    let mut document = around(&scratch, attached(&id), Value::Null);
    document["dead.letter.file"] = json!("no/such/directory/letters");
    let mut gateway = running_gateway_with(&scratch, &document, &["--admin", &scratch.id("admin")]);
    let ends = Ends::attach(&scratch);
    ends.send(&[("trap", "now")], b"");
    ends.send_numbers([1]);
    ends.expect_numbers([1]);
    gateway.wait_for_line_with(&["a dead letter is lost", "no/such/directory"]);
    let letters = status(&scratch)["dead.letters"].clone();
    assert_eq!((&letters["written"], &letters["lost"]), (&json!(0), &json!(1)), "{letters}");
    gateway.stop();
    let line = gateway.wait_for_line("dead letters in the file");
    assert_eq!((number(&line, "written"), number(&line, "lost")), (0, 1), "{line}");
}

/// Kills the first three hosts shortly after they were started; lets the others live.
const FRAGILE: &str = r#"
echo x >> deaths
if [ "$(wc -l < deaths)" -gt 3 ]; then exec "$1" --control "$2" "$3"; fi
"$1" --control "$2" "$3" 2> log &
host=$!
for _ in $(seq 500); do grep -q "started, on the host link" log && break; sleep 0.02; done
sleep 0.2
kill -9 $host
wait $host
exit 1
"#;
