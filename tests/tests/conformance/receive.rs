//! What the broker hands to the module: into the queue, in order, and kept until it is sent.

use std::thread;

use sandgate_wire::Message;

use crate::frames::{filled, number_of, numbered};
use crate::scene::{Scene, crowd};

pub fn srs_outprocess_module_17_022_what_is_no_message_is_not_handed_over() {
    let scene = Scene::new();
    let ends = scene.ends();
    let host = scene.attached_host();
    let smallest = Message::new::<&str, &str>(&[], "").unwrap().frame().to_vec();
    ends.source.send(b"");
    ends.source.send(b"no message");
    ends.source.send(&smallest[..13]);
    ends.source.send(&smallest);
    ends.source.send(&numbered(1));
    // A message without anything in it is still one.
    assert_eq!(host.message.recv(), smallest);
    host.expect_numbers([1]);
    assert_eq!(scene.counter("source", "middle", "offered"), 2);
}

pub fn srs_outprocess_module_17_045_senders_at_the_same_time_lose_nothing_and_keep_their_order() {
    const SENDERS: u64 = 4;
    const EACH: u64 = 500;
    let (scene, senders) = crowd(SENDERS);
    let host = scene.attached_host();
    thread::scope(|scope| {
        for (sender, (_, message)) in (0..).zip(&senders) {
            let numbers = sender * EACH..(sender + 1) * EACH;
            scope.spawn(move || numbers.for_each(|number| message.send(&numbered(number))));
        }
    });
    let mut next: Vec<_> = (0..SENDERS).map(|sender| sender * EACH).collect();
    for _ in 0..SENDERS * EACH {
        let number = host.receive_number();
        let expected = &mut next[usize::try_from(number / EACH).unwrap()];
        assert_eq!(number, *expected);
        *expected += 1;
    }
}

pub fn srs_outprocess_module_17_046_a_message_is_kept_until_it_is_forwarded_though_its_sender_is_gone() {
    const SIZE: usize = 1 << 20;
    let scene = Scene::new();
    let ends = scene.ends();
    (1..=5).for_each(|number| ends.source.send(&filled(number, SIZE)));
    scene.wait_for_counter("source", "middle", "waiting", 5);
    drop(ends);
    scene.gateway.wait_for_line_with(&["host gone", r#"module="source""#]);
    let host = scene.attached_host();
    for number in 1..=5 {
        assert!(host.message.recv() == filled(number, SIZE), "message {number} to the byte");
    }
}

pub fn srs_outprocess_module_17_047_a_message_goes_to_the_end_of_the_queue_whoever_sends_it() {
    const TURNS: u64 = 20;
    let (scene, senders) = crowd(3);
    let names = ["sender-0", "sender-1", "sender-2"];
    for turn in 0..TURNS {
        let sender = (turn % 3) as usize;
        senders[sender].1.send(&numbered(turn));
        // It is in the queue before the next one is sent.
        scene.wait_for_counter(names[sender], "middle", "waiting", turn / 3 + 1);
    }
    let host = scene.attached_host();
    let numbers: Vec<_> = (0..TURNS).map(|_| number_of(host.message.recv())).collect();
    assert!(numbers.iter().copied().eq(0..TURNS), "{numbers:?}");
}
