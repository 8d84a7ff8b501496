//! What the host publishes: read from the message channel, taken apart, published under the module's name.

use std::thread;

use sandgate_tests::config::Configuration;
use sandgate_tests::log_file::LogFile;
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::{V1Host, decode};
use sandgate_wire::Message;
use serde_json::{Value, json};

use crate::frames::{Shape, numbered, v1_frame};
use crate::host::RawHost;
use crate::scene::{Scene, patient};

pub fn srs_outprocess_module_17_036_modules_that_publish_at_the_same_time_reach_their_sink_in_order() {
    const EACH: u64 = 1000;
    let scene = Scene::with(|document| {
        document["links"].as_array_mut().unwrap().push(json!({"source": "source", "sink": "sink"}));
        // The module under test publishes; what it would get is left out.
        document["links"].as_array_mut().unwrap().remove(0);
    });
    let ends = scene.ends();
    let host = scene.attached_host();
    thread::scope(|scope| {
        scope.spawn(|| host.send_numbers(0..EACH));
        scope.spawn(|| ends.send_numbers(EACH..2 * EACH));
        let mut next = [0, EACH];
        for _ in 0..2 * EACH {
            let number = ends.receive_number();
            let expected = &mut next[usize::from(number >= EACH)];
            assert_eq!(number, *expected);
            *expected += 1;
        }
    });
}

pub fn srs_outprocess_module_17_037_what_a_host_publishes_is_its_own_modules_whatever_it_says() {
    let scratch = Scratch::new();
    let logs = ["a", "b"].map(|name| scratch.file(&format!("{name}.json")));
    let configuration = Configuration::new()
        .remote("a", patient(&scratch.id("a")), Value::Null)
        .remote("b", patient(&scratch.id("b")), Value::Null)
        .logger("log of a", &logs[0])
        .logger("log of b", &logs[1])
        .link("a", "log of a")
        .link("b", "log of b")
        .json();
    let scene = Scene::start(scratch, &configuration);
    let attach = |name: &str| {
        let host = V1Host::listen(&scene.scratch.id(name));
        let message = host.serve();
        (host, message)
    };
    let (a, b) = (attach("a"), attach("b"));
    for (host, name, other) in [(&a, "a", "b"), (&b, "b", "a")] {
        let claims = [("from", name), ("source", other), ("module", other)];
        (0..10).for_each(|_| host.1.send(Message::new(&claims, "").unwrap().frame()));
    }
    for (log, name) in logs.iter().zip(["a", "b"]) {
        let entries = LogFile::at(log).wait_for(10);
        assert!(entries.iter().all(|entry| entry.property("from") == Some(name)), "{entries:?}");
        assert_eq!(scene.counter(name, &format!("log of {name}"), "offered"), 10);
    }
}

pub fn srs_outprocess_module_17_038_the_message_channel_is_read_over_a_connection_that_comes_again() {
    let (scene, mut host) = RawHost::scene(|_| {});
    let ends = scene.ends();
    for round in 0..3 {
        let numbers = round * 10..(round + 1) * 10;
        numbers.clone().for_each(|number| assert!(host.message.send(&numbered(number))));
        ends.expect_numbers(numbers);
        host.message.shut_down();
        host.message = host.messages.accept();
    }
    assert_eq!(scene.gateway.count_lines("attached module=\"middle\""), 1, "all in one attach");
}

pub fn srs_outprocess_module_17_039_what_is_received_has_the_properties_and_content_that_were_sent() {
    let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let long = "x".repeat(10_000);
    let many: Vec<_> = (0..1000).map(|number| (format!("key {number}"), number.to_string())).collect();
    let many: Vec<_> = many.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let shapes: [Shape<'_>; 6] = [
        (&[], b""),
        (&[], &binary),
        (&[("", "")], b"\0"),
        (&[("key", "value"), ("ключ", "значение"), ("empty", "")], b"content"),
        (&[(&long, &long)], &[0xFF; 3]),
        (&many, &binary),
    ];
    let scene = Scene::new();
    let ends = scene.ends();
    let host = scene.attached_host();
    for (properties, content) in shapes {
        let frame = v1_frame(properties, content);
        host.message.send(&frame);
        let message = decode(ends.sink.recv());
        assert_eq!(message.properties().collect::<Vec<_>>(), properties);
        assert_eq!(message.content(), content);
    }
}

pub fn srs_outprocess_module_17_040_what_can_be_read_is_published_and_nothing_else() {
    let mut scene = Scene::new();
    let ends = scene.ends();
    let host = scene.attached_host();
    let good = numbered(0);
    let broken = [
        b"".to_vec(),
        b"no message".to_vec(),
        good[..good.len() - 1].to_vec(),
        [&good[..], b"more"].concat(),
        v1_frame(&[("twice", "1"), ("twice", "2")], b""),
    ];
    for (number, frame) in (1..).zip(&broken) {
        host.message.send(frame);
        host.message.send(&numbered(number));
    }
    ends.expect_numbers(1..=broken.len() as u64);
    scene.gateway.stop();
    assert_eq!(scene.last_statistic("malformed"), broken.len() as u64);
    let [offered, delivered, ..] = scene.last_counters("middle", "sink");
    assert_eq!((offered, delivered), (broken.len() as u64, broken.len() as u64));
}
