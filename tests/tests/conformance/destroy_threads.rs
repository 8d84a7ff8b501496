//! Destroying the module, the other half: what is under way is told to end, is waited for, and leaves nothing.

use std::fs;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use sandgate_tests::process::number;
use sandgate_tests::procfs::Stray;
use sandgate_tests::v1::V1Host;
use sandgate_tests::wait::until_some;
use sandgate_wire::{Control, Status};

use crate::frames::{filled, flood, flood_of, number_of, reply_frame};
use crate::host::RawHost;
use crate::scene::{Scene, launch, middle};

/// Longer than any test waits: a process that is given so much time ends by itself, or the test fails.
const LONG_GRACE_MS: u64 = 60_000;

pub fn srs_outprocess_module_17_032_a_host_that_never_stops_publishing_does_not_hold_up_the_end() {
    let mut scene = Scene::new();
    let ends = scene.ends();
    let host = scene.attached_host();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let flooding = scope.spawn(|| flood(&host.message, &stop));
        for _ in 0..100 {
            let _ = ends.receive_number();
        }
        scene.begin_stop();
        scene.end_stop();
        assert!(!flooding.is_finished(), "it publishes still");
        stop.store(true, Ordering::Relaxed);
    });
}

pub fn srs_outprocess_module_17_049_messages_that_nobody_takes_do_not_hold_up_the_end() {
    const LAST: u64 = 1000;
    let (mut scene, host) = RawHost::scene(|_| {});
    let ends = scene.ends();
    (1..=LAST).for_each(|number| ends.source.send(&filled(number, 10_000)));
    scene.wait_for_counter("source", "middle", "offered", LAST);
    scene.begin_stop();
    scene.end_stop();
    // Given up, not forgotten: what the channel had not taken is told.
    let [offered, delivered, dropped, _, _, waiting] = scene.last_counters("source", "middle");
    assert_eq!(offered, LAST);
    assert!(delivered < LAST && delivered + dropped + waiting == LAST, "{delivered} {dropped} {waiting}");
    assert!(scene.last_statistic("lost_to_host") > 0);
    drop(host);
}

pub fn srs_outprocess_module_17_050_a_host_that_goes_on_answering_is_not_attached_again() {
    let mut scene = Scene::new();
    let host = scene.attached_host();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scene.begin_stop();
        host.expect(&Control::Destroy);
        // What a host says when it has destroyed its module, and more of it than anybody should.
        scope.spawn(|| flood_of(&host.control, &stop, |_| reply_frame(Status::DETACH)));
        scene.end_stop();
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(host.seen_to_end().last(), Some(&Control::Destroy), "nothing came behind it");
    assert_eq!(scene.last_statistic("attaches"), 1);
}

pub fn srs_outprocess_module_17_033_what_the_host_publishes_at_the_end_is_received_to_the_last() {
    const LAST: u64 = 2000;
    let mut scene = Scene::launching(LONG_GRACE_MS);
    let ends = scene.ends();
    let host = scene.attached_host();
    scene.begin_stop();
    host.expect(&Control::Destroy);
    host.send_numbers(1..=LAST);
    ends.expect_numbers(1..=LAST);
    scene.scratch.write("done", "");
    drop(ends);
    scene.end_stop();
    let [offered, delivered, ..] = scene.last_counters("middle", "sink");
    assert_eq!((offered, delivered), (LAST, LAST));
}

pub fn srs_outprocess_module_17_051_what_waits_for_the_host_is_sent_before_destroy() {
    const LAST: u64 = 1000;
    let (scene, mut host) = RawHost::scene(|_| {});
    let ends = scene.ends();
    // More than the channel takes while its host reads nothing.
    (1..=LAST).for_each(|number| ends.source.send(&filled(number, 10_000)));
    scene.wait_for_counter("source", "middle", "offered", LAST);
    assert!(scene.counter("source", "middle", "waiting") > 0);
    scene.begin_stop_of_module();
    (1..=LAST).for_each(|number| assert_eq!(number_of(host.message.recv()), number));
    assert_eq!(Control::decode(&host.control.recv()).unwrap(), Control::Destroy);
}

pub fn srs_outprocess_module_17_052_a_launched_host_has_its_grace_period_to_end_by_itself() {
    let mut scene = Scene::launching(LONG_GRACE_MS);
    let host = scene.attached_host();
    scene.begin_stop();
    host.expect(&Control::Destroy);
    // The host takes its time, and says that it is done.
    host.reply(Status::DETACH);
    assert!(scene.gateway.is_running());
    scene.scratch.write("done", "");
    scene.end_stop();
    let end = scene.gateway.wait_for_line("host exited");
    assert!(end.contains("exit status: 0"), "{end}");
    assert_eq!(scene.gateway.count_lines("SIGTERM"), 0);
}

pub fn srs_outprocess_module_17_034_nothing_outlives_the_module() {
    let script =
        "sleep 1000 & echo $! > child; while [ ! -e done ] && [ -e gateway.json ]; do sleep 0.05; done";
    let mut scene = Scene::with(|document| {
        launch(document, LONG_GRACE_MS, script);
        middle(document)["loader"]["entrypoint"].as_object_mut().unwrap().remove("message.id");
    });
    let host = V1Host::listen(&scene.scratch.id("middle"));
    let uri = host.next_create().uri;
    let path = uri.strip_prefix("ipc://").unwrap().to_owned();
    // A host that leaves its made-up socket behind: this kind of listener does not remove it.
    let socket = UnixListener::bind(&path).unwrap();
    host.reply(Status::SUCCESS);
    host.wait_for(&Control::Start);
    let launched = number(&scene.gateway.wait_for_line("launched module="), "pid");
    let child = until_some("the host's child", || {
        fs::read_to_string(scene.scratch.file("child")).ok()?.trim().parse().ok()
    });
    let processes = [u32::try_from(launched).unwrap(), child].map(Stray::new);
    scene.begin_stop();
    host.wait_for(&Control::Destroy);
    drop((socket, host));
    scene.scratch.write("done", "");
    scene.end_stop();
    processes.iter().for_each(Stray::wait_end);
    let mut names = scene.scratch.names();
    names.sort();
    assert_eq!(names, ["child", "done", "gateway.json"], "no socket is left, the gateway's own neither");
}
