//! The modules of V1's samples: `simulated_device` and `identity_map`.

use sandgate_wire::Message;
use serde_json::{Value, json};

use super::tests::bench;
use super::*;
use crate::config::reader::{Findings, Node};
use crate::module::Module;

fn read(name: &str, args: &Value) -> Result<Builtin, Vec<String>> {
    let findings = Findings::new(false);
    let read = Builtin::read(name, &Node::root(args, &findings));
    let faults: Vec<_> = findings.into_parts().0.iter().map(ToString::to_string).collect();
    read.filter(|_| faults.is_empty()).ok_or(faults)
}

fn properties(message: &Message) -> Vec<(&str, &str)> {
    message.properties().collect()
}

#[tokio::test(start_paused = true)]
async fn a_simulated_device_registers_and_gets_warmer_until_it_begins_again() {
    let (mut bench, context) = bench(8);
    let args = json!({"macAddress": "01:01:01:01:01:01", "messagePeriod": 2000});
    let life = tokio::spawn(read("simulated_device", &args).unwrap().create().run(context));
    let begun = tokio::time::Instant::now();
    let own = [("source", "bleTelemetry"), ("macAddress", "01:01:01:01:01:01")];
    let registration = bench.fed.recv().await.unwrap().message;
    assert_eq!(properties(&registration), [&own[..], &[("deviceFunction", "register")]].concat());
    assert_eq!(registration.content(), b"");
    for temperature in (10..=40).chain([10, 11]) {
        let reading = bench.fed.recv().await.unwrap().message;
        assert_eq!(properties(&reading), own);
        assert_eq!(reading.content(), format!("{{\"temperature\": {temperature}.00}}").as_bytes());
    }
    assert_eq!(begun.elapsed(), Duration::from_secs(2 * 33));
    bench.feed.publish(Message::new(&own, "for it").unwrap()).await;
    bench.stop.cancel();
    bench.broker.close_inbox("module").unwrap();
    life.await.unwrap().unwrap();
    assert_eq!(bench.broker.routes()[0].counters().delivered, 1);
}

fn identity_map() -> Box<dyn Module> {
    let args = json!([
        {"macAddress": "aa:bb:cc:00:11:22", "deviceId": "first", "deviceKey": "key1"},
        {"macAddress": "02:02:02:02:02:02", "deviceId": "second", "deviceKey": "key2"},
    ]);
    read("identity_map", &args).unwrap().create()
}

/// What becomes of a message with these properties.
async fn mapped(given: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
    let (mut bench, context) = bench(8);
    let life = tokio::spawn(identity_map().run(context));
    bench.feed.publish(Message::new(given, "content").unwrap()).await;
    bench.broker.close_inbox("module").unwrap();
    life.await.unwrap().unwrap();
    bench.broker.close_inbox("fed").unwrap();
    let message = bench.fed.recv().await?.message;
    assert_eq!(message.content(), b"content");
    Some(message.properties().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

fn owned(pairs: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
    Some(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

#[tokio::test]
async fn a_sensors_message_gets_its_devices_name_and_key() {
    for address in ["AA:BB:CC:00:11:22", "aa:bb:cc:00:11:22"] {
        let given =
            [("source", "bleTelemetry"), ("macAddress", address), ("deviceName", "wrong"), ("x", "y")];
        let expected = [("source", "mapping"), ("deviceName", "first"), ("x", "y"), ("deviceKey", "key1")];
        assert_eq!(mapped(&given).await, owned(&expected));
    }
}

#[tokio::test]
async fn a_message_of_the_cloud_gets_its_sensors_address() {
    let given = [("deviceName", "second"), ("source", "iothub"), ("deviceKey", "key2")];
    let expected = [("source", "mapping"), ("macAddress", "02:02:02:02:02:02")];
    assert_eq!(mapped(&given).await, owned(&expected));
}

#[tokio::test]
async fn other_messages_go_no_further() {
    let address = ("macAddress", "02:02:02:02:02:02");
    for given in [
        &[address][..],
        &[address, ("source", "mapping")],
        &[("source", "x")],
        &[("source", "x"), ("macAddress", "02:02:02:02:02:03")],
        &[("source", "x"), address, ("deviceName", "a"), ("deviceKey", "b")],
        &[("source", "iothub"), ("deviceName", "third")],
        &[("source", "iothub"), address],
    ] {
        assert_eq!(mapped(given).await, None, "{given:?}");
    }
}

#[test]
fn what_is_wrong_with_their_arguments_is_told() {
    let device = |address: &str| json!([{"macAddress": address, "deviceId": "a", "deviceKey": "b"}]);
    let cases = [
        ("identity_map", json!([]), "needs a device"),
        ("identity_map", json!({}), "must be an array"),
        ("identity_map", device("02:02:02:02:02"), "six numbers"),
        ("identity_map", device("02:02:02:02:02:2"), "six numbers"),
        ("identity_map", device("02-02-02-02-02-02"), "six numbers"),
        ("identity_map", device("02:02:02:02:02:0g"), "six numbers"),
        ("simulated_device", json!({"macAddress": "a", "messagePeriod": 0}), "whole number"),
    ];
    for (name, args, expected) in cases {
        let faults = read(name, &args).unwrap_err();
        assert!(faults.len() == 1 && faults[0].contains(expected), "{faults:?}");
    }
    assert_eq!(read("identity_map", &json!([{}, {}])).unwrap_err().len(), 6);
    assert_eq!(read("simulated_device", &json!({})).unwrap_err().len(), 2);
}
