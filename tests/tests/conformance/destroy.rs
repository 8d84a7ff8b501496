//! Destroying the module: Destroy, tried and not promised, and the end of both channels.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use sandgate_tests::process::number;
use sandgate_tests::procfs::Stray;
use sandgate_tests::raw::golden;
use sandgate_wire::Control;
use serde_json::json;

use crate::frames::{filled, flood, number_of};
use crate::host::RawHost;
use crate::scene::{COUNTERS, Scene, launch};

pub fn srs_outprocess_module_17_026_a_module_that_never_was_is_nothing_to_destroy() {
    let mut scene = Scene::new();
    scene.gateway.stop();
    assert_eq!(["attaches", "sent", "lost_to_host"].map(|key| scene.last_statistic(key)), [0; 3]);
    assert_eq!(scene.scratch.names().len(), 1, "the configuration: {:?}", scene.scratch.names());
}

pub fn srs_outprocess_module_17_027_a_stop_in_the_midst_of_traffic_destroys_once_and_loses_count_of_nothing()
{
    let mut scene = Scene::with(|document| {
        for module in document["modules"].as_array_mut().unwrap() {
            module["queue.capacity"] = json!(64);
        }
    });
    let ends = scene.ends();
    let host = scene.attached_host();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| flood(&ends.source, &stop));
        scope.spawn(|| flood(&host.message, &stop));
        for _ in 0..500 {
            let _ = (host.receive_number(), ends.receive_number());
        }
        scene.begin_stop();
        host.expect(&Control::Destroy);
        scene.end_stop();
        stop.store(true, Ordering::Relaxed);
    });
    let seen = host.seen_to_end();
    assert!(matches!(seen[..], [Control::Create(_), Control::Start, Control::Destroy]), "{seen:?}");
    for (source, sink) in [("source", "middle"), ("middle", "sink")] {
        let counters = scene.last_counters(source, sink);
        let [offered, parts @ ..] = counters;
        assert!(offered >= 500);
        assert_eq!(offered, parts.iter().sum::<u64>(), "{COUNTERS:?} of {source} to {sink}: {counters:?}");
    }
}

pub fn srs_outprocess_module_17_028_destroy_is_made_of_a_header_alone() {
    let scene = Scene::new();
    let host = scene.attached_host();
    scene.begin_stop();
    assert_eq!(host.control.recv(), [0xA1, 0x6C, 1, 4, 0, 0, 0, 8]);
}

pub fn srs_outprocess_module_17_029_destroy_is_the_last_word_on_the_control_channel() {
    let scene = Scene::new();
    let host = scene.attached_host();
    scene.begin_stop();
    host.expect(&Control::Destroy);
    let seen = host.seen_to_end();
    assert!(matches!(seen[..], [Control::Create(_), Control::Start, Control::Destroy]), "{seen:?}");
    assert!(host.message.recv_to_end().is_empty(), "it goes over no other channel");
}

pub fn srs_outprocess_module_17_048_a_host_that_is_dead_keeps_nobody_from_being_destroyed() {
    let mut scene = Scene::new();
    let ends = scene.ends();
    drop(scene.attached_host());
    scene.begin_stop();
    ends.controls.iter().for_each(|host| host.wait_for(&Control::Destroy));
    scene.end_stop();
}

pub fn srs_outprocess_module_17_048_a_host_that_hangs_keeps_nobody_from_being_destroyed() {
    // It reads nothing, so both of its channels can fill.
    let (mut scene, host) = RawHost::scene(|_| {});
    let ends = scene.ends();
    (1..=1000).for_each(|number| ends.source.send(&filled(number, 10_000)));
    scene.wait_for_counter("source", "middle", "offered", 1000);
    scene.begin_stop();
    ends.controls.iter().for_each(|host| host.wait_for(&Control::Destroy));
    scene.end_stop();
    drop(host);
}

pub fn srs_outprocess_module_17_048_a_launched_host_that_heeds_nothing_is_ended_after_its_grace_period() {
    let script = "trap '' TERM; while [ -e gateway.json ]; do sleep 0.05; done";
    let mut scene = Scene::with(|document| launch(document, 100, script));
    let host = scene.attached_host();
    let pid = number(&scene.gateway.wait_for_line("launched module="), "pid");
    let process = Stray::new(pid.try_into().unwrap());
    scene.begin_stop();
    host.expect(&Control::Destroy);
    scene.gateway.wait_for_line("host still runs; sending SIGTERM");
    scene.gateway.wait_for_line("host has not heeded SIGTERM; sending SIGKILL");
    scene.end_stop();
    assert!(!process.is_running());
}

pub fn srs_outprocess_module_17_030_the_message_channel_is_closed_behind_the_last_message() {
    const LAST: u64 = 200;
    let (scene, mut host) = RawHost::scene(|_| {});
    let ends = scene.ends();
    // All that the channel takes, which its host has not read yet.
    (1..=LAST).for_each(|number| ends.source.send(&filled(number, 10_000)));
    scene.wait_for_counter("source", "middle", "delivered", LAST);
    scene.begin_stop();
    let mut numbers = 1..=LAST;
    while let Some(frame) = host.message.try_recv() {
        assert_eq!(Some(number_of(frame)), numbers.next());
    }
    assert!(numbers.is_empty(), "closed before {numbers:?}");
}

pub fn srs_outprocess_module_17_031_the_control_channel_is_closed_behind_destroy() {
    let (mut scene, mut host) = RawHost::scene(|_| {});
    scene.begin_stop();
    assert_eq!(host.control.try_recv(), Some(golden("destroy.bin")));
    assert_eq!(host.control.try_recv(), None);
    scene.end_stop();
    assert!(!host.controls.is_asked(), "and is not opened again");
}
