//! Creating the module: its two channels.

use sandgate_tests::config::{Configuration, attached};
use sandgate_tests::log_file::LogFile;
use sandgate_tests::pair::Pair;
use sandgate_tests::raw::{HANDSHAKE, frame, golden};
use sandgate_tests::scratch::{Scratch, free_tcp_ids};
use sandgate_tests::v1::V1Host;
use sandgate_wire::{Control, Status};
use serde_json::Value;

use crate::frames::numbered;
use crate::host::{Host, RawHost, start};
use crate::scene::Scene;

pub fn srs_outprocess_module_17_008_the_message_channel_is_a_pair_socket() {
    let (scene, controls, messages) = RawHost::bound("middle", |_| {});
    let mut message = messages.accept_ungreeted();
    assert_eq!(message.read(8), golden("ipc-handshake.bin"), "scalability protocols, pair, version 0");
    assert!(message.write(&HANDSHAKE));
    let _control = start(&controls);
    // One socket, both ways.
    let ends = scene.ends();
    ends.send_numbers([1]);
    assert_eq!(message.read(9 + numbered(1).len()), frame(&numbered(1)));
    assert!(message.write(&frame(&golden("data-2.bin"))));
    assert_eq!(ends.receive().property("k"), Some("v"));
}

pub fn srs_outprocess_module_17_009_the_message_channel_is_connected_where_the_configuration_says() {
    let scratch = Scratch::new();
    let [tcp] = free_tcp_ids();
    let (path, relative) = (scratch.id("path"), scratch.id("relative"));
    let with_scheme = format!("ipc://{}", scratch.id("scheme"));
    // The id, and the address that it means; a relative path begins where the gateway runs.
    let forms = [
        (path.clone(), format!("ipc://{path}"), path),
        (with_scheme.clone(), with_scheme.clone(), with_scheme),
        ("relative".to_owned(), "ipc://relative".to_owned(), relative),
        (tcp.clone(), tcp.clone(), tcp),
    ];
    let log = scratch.file("log.json");
    let mut configuration = Configuration::new().logger("log", &log).link("*", "log");
    for (number, (id, ..)) in forms.iter().enumerate() {
        let mut entrypoint = attached(&scratch.id(&format!("c{number}")));
        entrypoint["message.id"] = id.as_str().into();
        configuration = configuration.remote(&format!("module {number}"), entrypoint, Value::Null);
    }
    let made_up = attached(&scratch.id("made-up"));
    let configuration = configuration.remote("made up", made_up, Value::Null);
    let scene = Scene::start(scratch, &configuration.json());
    let mut hosts = Vec::new();
    for (number, (_, uri, address)) in forms.iter().enumerate() {
        let host = Host::bind_ids(&scene.scratch.id(&format!("c{number}")), address);
        assert_eq!(host.next_create().uri, *uri, "which the host is told");
        hosts.push(host);
    }
    let host = V1Host::listen(&scene.scratch.id("made-up"));
    let uri = host.next_create().uri;
    assert!(uri.starts_with(&format!("ipc://{}", scene.scratch.path().display())), "{uri}");
    let message = Pair::listen(&uri);
    host.reply(Status::SUCCESS);
    message.send(&numbered(0));
    for (number, host) in (1..).zip(&hosts) {
        host.reply(Status::SUCCESS);
        host.send_numbers([number]);
    }
    let entries = LogFile::at(&log).wait_for(1 + hosts.len());
    let mut numbers: Vec<_> = entries.iter().map(|entry| entry.property("number").unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, ["0", "1", "2", "3", "4"], "each arrived over its own channel");
}

pub fn srs_outprocess_module_17_010_the_control_channel_is_a_pair_socket_of_its_own() {
    let (_scene, controls, messages) = RawHost::bound("middle", |_| {});
    let mut control = controls.accept_ungreeted();
    assert_eq!(control.read(8), golden("ipc-handshake.bin"), "scalability protocols, pair, version 0");
    assert!(control.write(&HANDSHAKE));
    let _message = messages.accept();
    // One socket, both ways: Create comes, the Reply goes, and Start shows that it was read.
    assert!(matches!(Control::decode(&control.recv()), Ok(Control::Create(_))));
    assert!(control.write(&frame(&golden("reply-success.bin"))));
    assert_eq!(control.recv(), golden("start.bin"));
}

pub fn srs_outprocess_module_17_011_the_control_channel_is_connected_where_the_configuration_says() {
    let scratch = Scratch::new();
    let [tcp, tcp_message] = free_tcp_ids();
    let (path, relative) = (scratch.id("path"), scratch.id("relative"));
    let with_scheme = format!("ipc://{}", scratch.id("scheme"));
    let forms = [
        (path.clone(), path),
        ("relative".to_owned(), relative),
        (with_scheme.clone(), with_scheme),
        (tcp.clone(), tcp),
    ];
    let mut configuration = Configuration::new();
    for (id, _) in &forms {
        let mut entrypoint = attached(id);
        if id.starts_with("tcp") {
            entrypoint["message.id"] = tcp_message.as_str().into();
        }
        configuration = configuration.remote(id, entrypoint, id.as_str().into());
    }
    // Either side may be there first.
    let (early, late) = forms.split_at(2);
    let early_hosts: Vec<_> = early.iter().map(|(_, address)| V1Host::listen(address)).collect();
    let _scene = Scene::start(scratch, &configuration.json());
    let late_hosts: Vec<_> = late.iter().map(|(_, address)| V1Host::listen(address)).collect();
    for ((id, _), host) in forms.iter().zip(early_hosts.iter().chain(&late_hosts)) {
        assert_eq!(host.next_create().arguments, format!("{id:?}"), "the right module is at {id}");
    }
}
