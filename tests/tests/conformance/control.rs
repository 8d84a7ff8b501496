//! The control channel while the module runs: what is looked for, what is done about it, and how the module comes back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use sandgate_tests::raw::golden;
use sandgate_wire::{Control, Status};
use serde_json::json;

use crate::frames::{flood, numbered, reply_frame};
use crate::host::{RawHost, start};
use crate::scene::{Scene, middle, repeat_create_after};

pub fn srs_outprocess_module_17_056_an_attach_that_ends_under_load_mixes_up_no_messages() {
    let scene = Scene::with(|document| middle(document)["queue.capacity"] = json!(64));
    let ends = scene.ends();
    let host = scene.attached_host();
    let stop = AtomicBool::new(false);
    let mut latest = 0;
    let mut receive = || {
        let number = host.receive_number();
        assert!(number > latest, "{number} behind {latest}");
        latest = number;
        number
    };
    thread::scope(|scope| {
        let source = scope.spawn(|| flood(&ends.source, &stop));
        for _ in 0..3 {
            for _ in 0..500 {
                receive();
            }
            host.reply(Status::DETACH);
            host.attach();
        }
        stop.store(true, Ordering::Relaxed);
        let last = source.join().unwrap();
        // With the channels of the last attach, everything to the last one comes.
        while receive() < last {}
    });
    assert_eq!(scene.gateway.count_lines("attached module=\"middle\""), 4);
}

pub fn srs_outprocess_module_17_057_the_control_channel_is_looked_at_while_nothing_else_happens() {
    // Create, Start, and then nothing in either direction: neither a message nor a link to carry one.
    let (scene, mut host) = RawHost::scene(|document| document["links"] = json!([]));
    // A word of the host's is heard,
    assert!(host.control.send(&reply_frame(Status::DETACH)));
    host.control.expect_end();
    host.control = start(&host.controls);
    scene.gateway.wait_for_line("attach ended");
    // and so is its going without one.
    drop(host.control);
    let _control = start(&host.controls);
    scene.gateway.wait_for_line("host gone");
}

pub fn srs_outprocess_module_17_058_only_a_reply_is_looked_for() {
    let mut scene = Scene::new();
    let ends = scene.ends();
    let host = scene.attached_host();
    let altered = |position: usize, value: u8| {
        let mut frame = golden("reply-detach.bin");
        frame[position] = value;
        frame
    };
    let others = [
        golden("create.bin"),
        golden("start.bin"),
        golden("destroy.bin"),
        b"".to_vec(),
        b"no control message".to_vec(),
        altered(0, 0),
        altered(2, 9),
        altered(3, 5),
        altered(7, 8),
    ];
    others.iter().for_each(|frame| host.control.send(frame));
    // A late success means nothing either, and is no fault.
    host.reply(Status::SUCCESS);
    host.send_numbers([1]);
    ends.expect_numbers([1]);
    host.reply(Status::DETACH);
    host.attach();
    scene.gateway.stop();
    let started = |control: &Control| *control == Control::Start;
    assert_eq!(host.seen_to_end().iter().filter(|control| started(control)).count(), 2, "one Detach");
    assert_eq!(scene.last_statistic("malformed"), others.len() as u64);
}

pub fn srs_outprocess_module_17_059_a_reply_that_is_no_success_has_both_channels_connected_anew() {
    let (scene, mut host) = RawHost::scene(|_| {});
    let ends = scene.ends();
    for (number, status) in (1..).zip([1, 2, 9, 255].map(Status)) {
        assert!(host.control.send(&reply_frame(status)));
        host.control.expect_end();
        host.message.expect_end();
        // The message that comes next comes over the new connection.
        ends.send_numbers([number]);
        host.control = start(&host.controls);
        let (message, frame) = host.messages.accept_frame();
        assert_eq!(frame, numbered(number));
        host.message = message;
        scene.gateway.wait_for_line(&format!("the host says that the module is gone: {status}"));
    }
}

pub fn srs_outprocess_module_17_060_the_module_is_created_again_as_it_was_the_first_time() {
    let scene = Scene::with(|document| repeat_create_after(document, 50));
    let host = scene.host();
    let first = host.next_create();
    host.reply(Status::SUCCESS);
    host.expect(&Control::Start);
    host.reply(Status::DETACH);
    host.control.wait_for_peer(2);
    // The same Create, repeated until it is answered, and again after a refusal; no Start before a success.
    (0..3).for_each(|_| assert_eq!(host.next_create(), first));
    host.reply(Status::CREATION_ERROR);
    scene.gateway.wait_for_line("the host answered Create with creation error (2)");
    host.control.wait_for_peer(3);
    (0..3).for_each(|_| assert_eq!(host.next_create(), first));
    host.reply(Status::SUCCESS);
    host.expect(&Control::Start);
}

pub fn srs_outprocess_module_24_061_a_module_that_was_created_again_is_started_again() {
    let mut scene = Scene::new();
    let ends = scene.ends();
    let host = scene.attached_host();
    host.reply(Status::DETACH);
    host.next_create();
    host.connect();
    // What comes meanwhile waits for Start.
    ends.send_numbers(1..=10);
    scene.wait_for_counter("source", "middle", "waiting", 10);
    host.reply(Status::SUCCESS);
    assert_eq!(host.next(), Control::Start);
    host.expect_numbers(1..=10);
    host.send_numbers(11..=20);
    ends.expect_numbers(11..=20);
    scene.begin_stop();
    host.expect(&Control::Destroy);
    let seen = host.seen_to_end();
    assert!(
        matches!(
            seen[..],
            [Control::Create(_), Control::Start, Control::Create(_), Control::Start, Control::Destroy]
        ),
        "{seen:?}"
    );
    scene.end_stop();
}
