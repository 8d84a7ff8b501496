//! `threshold`: a configuration of numbers, JSON in contents, and messages that are of no use.

use serde_json::{Value, json};

use crate::scene::{Attached, Scene};

pub fn keeps_the_contract(scene: &Scene<'_>) {
    for (arguments, words) in [
        (r#"{"pointer": "cpu", "window": 5, "above": 1}"#, &["args.pointer", "cpu", "write for example"][..]),
        (r#"{"pointer": "/cpu", "window": 0, "above": 1}"#, &["args.window", "write for example"]),
        (r#"{"pointer": "/cpu", "window": 5}"#, &["above", "write for example"]),
        (r#"{"pointer": "/cpu", "window": 5, "above": 1, "abvoe": 2}"#, &["abvoe", "write for example"]),
        (r#"{"pointer": 1, "window": 5, "above": 1}"#, &["write for example"]),
        ("null", &["write for example"]),
    ] {
        scene.is_refused("threshold", arguments, words);
    }
    let threshold = scene.attach("threshold", r#"{"pointer": "/cpu/0/usage", "window": 2, "above": 0.5}"#);
    is(&threshold, "0.25", (0.25, 0.25), false);
    is(&threshold, "1", (1.0, 0.625), true);
    // A message that is of no use is said to be so, and the module lives on with what it knew.
    threshold.gateway.publish(&[], b"no JSON");
    threshold.says(&["failed to handle messages", "the content is no JSON"]);
    threshold.gateway.publish(&[], br#"{"cpu": []}"#);
    is(&threshold, "0.33333", (0.3333, 0.6667), true);
    is(&threshold, "-1e2", (-100.0, -49.8333), false);
    threshold.destroy();
}

fn is(threshold: &Attached<'_>, value: &str, (number, average): (f64, f64), is_alert: bool) {
    let content = format!(r#"{{"cpu": [{{"usage": {value}}}], "other": "{}"}}"#, "é\\u00e9");
    let message = threshold.exchange(&[("from", "here")], content.as_bytes());
    let published: Value = serde_json::from_slice(message.content()).unwrap();
    let numbers = ["value", "average", "above"].map(|key| published[key].as_f64().unwrap());
    assert_eq!(numbers, [number, average, 0.5], "{published}");
    assert_eq!(published.as_object().unwrap().len(), 3);
    assert_eq!(message.property("from"), Some("here"));
    assert_eq!(message.property("alert"), Some(if is_alert { "true" } else { "false" }));
    let as_text: f64 = message.property("average").unwrap().parse().unwrap();
    assert_eq!(json!(as_text), json!(average));
}
