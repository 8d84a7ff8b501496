//! Creating the module: its parts, its two channels, Create and the answer to it.

use std::thread;
use std::time::Duration;

use sandgate_tests::config::Configuration;
use sandgate_tests::log_file::LogFile;
use sandgate_tests::pair::Pair;
use sandgate_tests::procfs::descriptors;
use sandgate_tests::raw::{RawListener, golden};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::V1Host;
use sandgate_tests::wait::until;
use sandgate_wire::{Control, Status};
use serde_json::{Value, json};

use crate::configuration::assert_refused;
use crate::frames::{filled, number_of, numbered, reply_frame};
use crate::host::RawHost;
use crate::scene::{
    ARGUMENTS, CONTROL, MESSAGE, Scene, crowd, document, launch, middle, patient, repeat_create_after,
};

pub fn srs_outprocess_module_17_005_a_module_that_lacks_a_part_is_not_created() {
    let scratch = Scratch::new();
    let controls = RawListener::bind(&scratch.file(CONTROL));
    let lacks = |key: &str, fault: &str| {
        let mut document = document(&scratch);
        middle(&mut document).as_object_mut().unwrap().remove(key);
        assert_refused(&scratch, &serde_json::to_vec(&document).unwrap(), fault);
    };
    lacks("args", "/modules/1: `args` is missing");
    lacks("name", "/modules/1: `name` is missing");
    // The broker's side: links to and from a module that it will not know.
    let mut document = document(&scratch);
    document["links"][0]["sink"] = json!("nobody");
    document["links"][1]["source"] = json!("nobody");
    for fault in
        ["/links/0/sink: there is no module `nobody`", "/links/1/source: there is no module `nobody`"]
    {
        assert_refused(&scratch, &serde_json::to_vec(&document).unwrap(), fault);
    }
    assert!(!controls.is_asked(), "the host has heard nothing of it");
}

pub fn srs_outprocess_module_17_006_every_module_has_a_state_of_its_own() {
    let scratch = Scratch::new();
    let (log, same) = (scratch.file("log.json"), json!("the same for both"));
    let configuration = Configuration::new()
        .remote("one", patient(&scratch.id("one")), same.clone())
        .remote("two", patient(&scratch.id("two")), same)
        .logger("log", &log)
        .link("*", "log")
        .json();
    let [one, two] = ["one", "two"].map(|name| V1Host::listen(&scratch.id(name)));
    let _scene = Scene::start(scratch, &configuration);
    let first = one.next_create();
    let message = Pair::listen(&first.uri);
    one.reply(Status::SUCCESS);
    one.wait_for(&Control::Start);
    let second = two.next_create();
    assert_eq!(first.arguments, second.arguments);
    assert_ne!(first.uri, second.uri, "no channel is shared");
    // One is refused, and made anew; the other does not notice.
    two.reply(Status::CREATION_ERROR);
    let _ = two.next_create();
    message.send(&numbered(7));
    let entries = LogFile::at(&log).wait_for(1);
    assert_eq!(entries[0].property("number"), Some("7"));
    assert_eq!(one.control.recv_within(Duration::ZERO), None, "no second Create");
}

pub fn srs_outprocess_module_17_007_messages_stay_whole_when_many_modules_send_at_once() {
    const SENDERS: u64 = 4;
    const EACH: u64 = 200;
    let (scene, senders) = crowd(SENDERS);
    let host = scene.attached_host();
    thread::scope(|scope| {
        for (sender, (_, message)) in (0..).zip(&senders) {
            // Every number has its own length and content.
            let numbers = sender * EACH..(sender + 1) * EACH;
            scope
                .spawn(move || numbers.for_each(|number| message.send(&filled(number, number as usize * 7))));
        }
    });
    let mut numbers = Vec::new();
    for _ in 0..SENDERS * EACH {
        let frame = host.message.recv();
        let number = number_of(frame.clone());
        assert_eq!(frame, filled(number, number as usize * 7), "message {number} is whole");
        numbers.push(number);
    }
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..SENDERS * EACH), "every message once");
}

pub fn srs_outprocess_module_17_041_each_activity_goes_on_while_another_is_held_up() {
    const INBOX: u64 = 8;
    let (scene, mut host) = RawHost::scene(|document| middle(document)["queue.capacity"] = INBOX.into());
    let ends = scene.ends();
    // Sending is held up: the host reads nothing, and the inbox is full behind the channel.
    (1..=1000).for_each(|number| ends.source.send(&filled(number, 10_000)));
    scene.wait_for_counter("source", "middle", "waiting", INBOX);
    // Receiving goes on, and so does the control channel.
    (1..=100).for_each(|number| assert!(host.message.send(&numbered(number))));
    ends.expect_numbers(1..=100);
    assert!(host.control.send(&reply_frame(Status::DETACH)));
    let (_control, create) = host.controls.accept_frame();
    assert!(matches!(Control::decode(&create), Ok(Control::Create(_))));
}

pub fn srs_outprocess_module_17_042_the_queue_is_there_before_the_module_is_started() {
    let scene = Scene::new();
    let ends = scene.ends();
    let host = scene.host();
    host.next_create();
    ends.send_numbers(1..=100);
    scene.wait_for_counter("source", "middle", "waiting", 100);
    host.reply(Status::SUCCESS);
    host.expect(&Control::Start);
    host.expect_numbers(1..=100);
    scene.wait_for_counter("source", "middle", "delivered", 100);
}

pub fn srs_outprocess_module_17_012_create_is_made_of_the_configuration() {
    let scene = Scene::new();
    let host = scene.host();
    let uri = format!("ipc://{}", scene.scratch.id(MESSAGE));
    let text = |text: &str| [&(text.len() as u32 + 1).to_be_bytes(), text.as_bytes(), &[0]].concat();
    // Version of Create, kind of channel (a pair), address, arguments; each text counts its end.
    let body = [vec![1, 0x10], text(&uri), text(ARGUMENTS)].concat();
    let total = (8 + body.len() as u32).to_be_bytes();
    assert_eq!(host.control.recv(), [&[0xA1, 0x6C, 1, 1], &total[..], &body].concat());
}

pub fn srs_outprocess_module_17_013_create_is_sent_on_the_control_channel_until_it_is_answered() {
    let scene = Scene::with(|document| repeat_create_after(document, 50));
    let ends = scene.ends();
    ends.send_numbers([1]);
    let host = scene.host();
    let first = host.control.recv();
    assert!(matches!(Control::decode(&first), Ok(Control::Create(_))), "the first frame is Create");
    for _ in 0..3 {
        assert_eq!(host.control.recv(), first, "and it is repeated as it was");
    }
    host.reply(Status::SUCCESS);
    host.expect(&Control::Start);
    host.expect_numbers([1]);
}

pub fn srs_outprocess_module_17_014_nothing_but_a_reply_ends_the_wait_for_it() {
    let scene = Scene::with(|document| repeat_create_after(document, 50));
    let host = scene.host();
    host.next_create();
    let mut truncated = golden("reply-success.bin");
    truncated.pop();
    for no_reply in [&b"no control message"[..], &golden("start.bin"), &golden("create.bin"), &truncated] {
        host.control.send(no_reply);
    }
    scene.gateway.wait_for_line("malformed control message from the host, ignored");
    // More than can have been on their way: it still waits.
    (0..10).for_each(|_| drop(host.next_create()));
    host.reply(Status::SUCCESS);
    host.expect(&Control::Start);
}

pub fn srs_outprocess_module_17_015_status_0_alone_means_that_the_module_was_created() {
    const STATUSES: [u8; 5] = [1, 2, 7, 254, 255];
    let scratch = Scratch::new();
    let ids = STATUSES.map(|status| scratch.id(&format!("c{status}")));
    let configuration = ids
        .iter()
        .fold(Configuration::new(), |configuration, id| configuration.remote(id, patient(id), Value::Null));
    let hosts = ids.each_ref().map(|id| V1Host::listen(id));
    let scene = Scene::start(scratch, &configuration.json());
    for (status, host) in STATUSES.into_iter().zip(&hosts) {
        let _ = host.next_create();
        host.reply(Status(status));
        // Created anew, and not started.
        let _ = host.next_create();
        host.reply(Status::SUCCESS);
        host.wait_for(&Control::Start);
        scene.gateway.wait_for_line(&format!("the host answered Create with {}", Status(status)));
    }
}

pub fn srs_outprocess_module_17_016_a_creation_that_fails_gives_everything_back() {
    const WARM: usize = 3;
    const ROUNDS: usize = 30;
    let scene = Scene::with(|document| launch(document, 0, "while [ -e gateway.json ]; do sleep 0.05; done"));
    let host = scene.host();
    let mut warm = 0;
    for round in 1..=ROUNDS {
        host.next_create();
        if round == WARM {
            warm = descriptors(scene.gateway.pid());
        }
        host.reply(Status::CREATION_ERROR);
    }
    host.next_create();
    // Sockets are closed behind the back of the attach that follows, and a connection may be on its way.
    let bound = warm + (ROUNDS - WARM) / 2;
    until("descriptors that are given back", || descriptors(scene.gateway.pid()) < bound);
    // Nothing stands in the way of a creation that succeeds.
    host.reply(Status::SUCCESS);
    host.expect(&Control::Start);
}
