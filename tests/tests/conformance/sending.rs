//! What goes to the host: the oldest first, in V1's bytes, once.

use std::thread;

use sandgate_tests::procfs::peak_memory_kib;
use sandgate_tests::wait::until;
use sandgate_wire::limits::V1_MESSAGE_MAX;
use sandgate_wire::{Message, Status};
use serde_json::json;

use crate::frames::{Shape, filled, numbered, v1_frame};
use crate::scene::{Scene, crowd_with, middle};

pub fn srs_outprocess_module_17_053_what_is_sent_while_others_fill_the_queue_is_accounted_for() {
    const SENDERS: u64 = 4;
    const EACH: u64 = 1000;
    const LAST: u64 = SENDERS * EACH;
    // A queue so small that filling and emptying it meet all the time; who finds it full drops the oldest.
    let (mut scene, senders) = crowd_with(SENDERS, |document| {
        middle(document)["queue.capacity"] = json!(4);
        for link in document["links"].as_array_mut().unwrap() {
            link["on.full"] = json!("drop-oldest");
        }
    });
    let host = scene.attached_host();
    let received = thread::scope(|scope| {
        for (sender, (_, message)) in (0..).zip(&senders) {
            let numbers = sender * EACH..(sender + 1) * EACH;
            scope.spawn(move || numbers.for_each(|number| message.send(&numbered(number))));
        }
        let reading = scope.spawn(|| (1..).take_while(|_| host.receive_number() != LAST).count() as u64 + 1);
        for sender in 0..SENDERS {
            let name = format!("sender-{sender}");
            scene.wait_for_counter(&name, "middle", "offered", EACH);
            until("an empty queue", || scene.counter(&name, "middle", "waiting") == 0);
        }
        // Into an empty queue, so it is not dropped.
        senders[0].1.send(&numbered(LAST));
        reading.join().unwrap()
    });
    scene.gateway.stop();
    let mut sums = [0; 6];
    for sender in 0..SENDERS {
        let counters = scene.last_counters(&format!("sender-{sender}"), "middle");
        sums.iter_mut().zip(counters).for_each(|(sum, counter)| *sum += counter);
    }
    let [offered, delivered, dropped, expired, dead, waiting] = sums;
    assert_eq!(offered, SENDERS * EACH + 1);
    assert_eq!(delivered, received, "what was counted as sent is what came");
    assert_eq!((offered, expired, dead, waiting), (delivered + dropped, 0, 0, 0));
}

pub fn srs_outprocess_module_17_054_the_oldest_message_is_sent_first() {
    let scene = Scene::with(|document| middle(document)["queue.capacity"] = json!(50));
    let ends = scene.ends();
    // For a host that is not there, a full queue keeps the newest.
    ends.send_numbers(1..=80);
    scene.wait_for_counter("source", "middle", "offered", 80);
    let host = scene.attached_host();
    ends.send_numbers(81..=100);
    host.expect_numbers(31..=100);
}

pub fn srs_outprocess_module_17_023_a_message_is_sent_in_v1s_bytes() {
    let scene = Scene::new();
    let ends = scene.ends();
    let host = scene.attached_host();
    let shapes: [Shape<'_>; 4] = [
        (&[], b""),
        (&[("helloWorld", "from Azure IoT Gateway SDK simple sample!")], b"hello world"),
        (&[("b", "2"), ("a", "1"), ("ü", "")], b"\0\x01\xFF"),
        (&[("key", "value")], &[7; 70_000]),
    ];
    for (properties, content) in shapes {
        ends.source.send(Message::new(properties, content).unwrap().frame());
        assert_eq!(host.message.recv(), v1_frame(properties, content));
    }
}

pub fn srs_outprocess_module_17_024_messages_of_every_size_that_v1_takes_are_sent_each_in_a_frame() {
    let scene = Scene::new();
    let ends = scene.ends();
    let host = scene.attached_host();
    let around = numbered(0).len();
    let sizes = [0, 1, 100, 4096, 65_535, 65_536, 500_000, V1_MESSAGE_MAX - around];
    for (number, size) in (0..).zip(sizes) {
        ends.source.send(&filled(number, size));
    }
    for (number, size) in (0..).zip(sizes) {
        let frame = host.message.recv();
        assert!(frame == filled(number, size), "{} bytes for a content of {size}", frame.len());
    }
    assert_eq!(scene.counter("source", "middle", "delivered"), sizes.len() as u64);
}

pub fn srs_outprocess_module_17_055_what_was_sent_is_not_sent_again() {
    let scene = Scene::new();
    let ends = scene.ends();
    let host = scene.host();
    for round in 0..4 {
        host.attach();
        // Behind what the host before had there is nothing of it.
        let numbers = round * 10..(round + 1) * 10;
        ends.send_numbers(numbers.clone());
        host.expect_numbers(numbers);
        host.reply(Status::DETACH);
    }
    host.attach();
    ends.send_numbers([40]);
    host.expect_numbers([40]);
    assert_eq!(scene.counter("source", "middle", "delivered"), 41);
}

pub fn srs_outprocess_module_17_025_what_was_sent_takes_up_no_memory() {
    const SIZE: usize = 100_000;
    const WARM: u64 = 100;
    const LAST: u64 = 2000;
    let scene = Scene::new();
    let ends = scene.ends();
    let host = scene.attached_host();
    let mut warm = 0;
    for number in 1..=LAST {
        ends.source.send(&filled(number, SIZE));
        host.expect_numbers([number]);
        if number == WARM {
            warm = peak_memory_kib(scene.gateway.pid());
        }
    }
    let growth = peak_memory_kib(scene.gateway.pid()) - warm;
    let sent = (LAST - WARM) * SIZE as u64 / 1024;
    assert!(growth < sent / 4, "{growth} KiB more after {sent} KiB were sent");
}
