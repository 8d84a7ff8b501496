//! Starting the module: Start, and what goes on from then on.

use sandgate_tests::procfs::threads;
use sandgate_tests::v1::V1Host;
use sandgate_tests::wait::until;
use sandgate_wire::{Control, Status};
use serde_json::json;

use crate::frames::{filled, number_of, numbered};
use crate::host::RawHost;
use crate::scene::{Scene, launch, repeat_create_after};

pub fn srs_outprocess_module_17_020_a_module_that_is_not_there_is_not_started_and_holds_nobody_up() {
    let scene = Scene::with(|document| {
        let links = document["links"].as_array_mut().unwrap();
        links.push(json!({"source": "source", "sink": "sink"}));
    });
    // The gateway has started its modules, and the others do what they are for.
    let ends = scene.ends();
    ends.send_numbers(1..=10);
    ends.expect_numbers(1..=10);
    // Who comes now is asked to create the module first, and started once it is created.
    let host = scene.host();
    host.next_create();
    host.reply(Status::SUCCESS);
    assert_eq!(host.next(), Control::Start);
}

pub fn srs_outprocess_module_17_017_start_is_sent_once_however_many_answers_come_together() {
    let mut scene = Scene::with(|document| repeat_create_after(document, 20));
    let host = scene.host();
    let creates: Vec<_> = (0..5).map(|_| host.next_create()).collect();
    creates.iter().for_each(|_| host.reply(Status::SUCCESS));
    host.expect(&Control::Start);
    scene.begin_stop();
    host.expect(&Control::Destroy);
    let seen = host.seen_to_end();
    assert_eq!(seen.iter().filter(|control| **control == Control::Start).count(), 1, "{seen:?}");
    scene.end_stop();
}

pub fn srs_outprocess_module_17_018_from_start_on_what_the_host_publishes_is_received() {
    let scene = Scene::new();
    let ends = scene.ends();
    let host = scene.host();
    host.next_create();
    // A host that does not wait for Start loses nothing by it.
    host.send_numbers(1..=3);
    host.reply(Status::SUCCESS);
    host.expect(&Control::Start);
    host.send_numbers(4..=100);
    ends.expect_numbers(1..=100);
}

pub fn srs_outprocess_module_17_043_from_start_on_messages_go_out_even_while_none_can_come_in() {
    const INBOX: u64 = 8;
    // The sink's host is there and reads nothing, so the link to it waits.
    let (scene, _sink) =
        RawHost::scene_of("sink", |document| document["modules"][2]["queue.capacity"] = INBOX.into());
    let source = V1Host::listen(&scene.scratch.id("source"));
    let messages = source.serve();
    let host = scene.attached_host();
    (1..=1000).for_each(|number| host.message.send(&filled(number, 10_000)));
    scene.wait_for_counter("middle", "sink", "waiting", INBOX);
    (1..=100).for_each(|number| messages.send(&numbered(number)));
    host.expect_numbers(1..=100);
    assert!(scene.counter("middle", "sink", "offered") < 1000, "receiving is still held up");
}

pub fn srs_outprocess_module_17_044_from_start_on_the_control_channel_is_read_beside_the_messages() {
    // Far more than the channel holds: the last can be seen only by who reads all the time.
    const REPLIES: usize = 500;
    let scene = Scene::new();
    let ends = scene.ends();
    let host = scene.attached_host();
    for number in 1..=REPLIES as u64 {
        ends.send_numbers([number]);
        host.reply(Status::SUCCESS);
    }
    host.expect_numbers(1..=REPLIES as u64);
    host.reply(Status::DETACH);
    host.next_create();
    scene.gateway.wait_for_line("the host says that the module is gone: detach (255)");
}

pub fn srs_outprocess_module_17_019_start_goes_over_the_control_channel_behind_the_answer() {
    let scene = Scene::new();
    let ends = scene.ends();
    ends.send_numbers([1]);
    let host = scene.host();
    host.next_create();
    host.reply(Status::SUCCESS);
    assert_eq!(host.control.recv(), [0xA1, 0x6C, 1, 3, 0, 0, 0, 8]);
    assert_eq!(number_of(host.message.recv()), 1, "the message channel carries messages alone");
}

pub fn srs_outprocess_module_17_021_starting_again_and_again_leaves_no_threads_behind() {
    const WARM: usize = 3;
    const ROUNDS: usize = 20;
    let scene = Scene::with(|document| launch(document, 0, "while [ -e gateway.json ]; do sleep 0.05; done"));
    let host = scene.host();
    let mut warm = 0;
    for round in 1..=ROUNDS {
        host.attach();
        if round == WARM {
            warm = threads(scene.gateway.pid());
        }
        host.reply(Status::DETACH);
    }
    host.attach();
    // The runtime may have made another for itself.
    let bound = warm + (ROUNDS - WARM) / 2;
    until("threads that have ended", || threads(scene.gateway.pid()) < bound);
}
