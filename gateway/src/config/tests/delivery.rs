//! Keys about delivery, the host link and restarts.

use std::fs;
use std::path::Path;

use super::*;
use crate::broker::Terms;

fn linked(link: Value) -> Value {
    document(&[hello("alpha"), hello("beta"), hello("gamma")], &[link])
}

fn with(key: &str, value: Value) -> Value {
    linked(json!({"source": "alpha", "sink": "beta", key: value}))
}

#[test]
fn a_links_terms_are_read() {
    let config = Config::check(&linked(link("alpha", "beta")), false).unwrap();
    assert_eq!(config.links[0].terms, Terms::default());
    let link = json!({
        "source": "*", "sink": "beta", "on.full": "drop-newest",
        "time.to.live.ms": 1500, "redelivery.max": 100, "dead.letter": "gamma",
    });
    let terms = Terms {
        on_full: OnFull::DropNewest,
        time_to_live: Some(Duration::from_millis(1500)),
        redelivery_max: 100,
        dead_letter: Some("gamma".into()),
    };
    assert_eq!(Config::check(&linked(link), false).unwrap().links[0].terms, terms);
}

#[test]
fn a_links_terms_are_checked() {
    for (key, bad) in [
        ("time.to.live.ms", json!(0)),
        ("time.to.live.ms", json!("1")),
        ("redelivery.max", json!(0)),
        ("redelivery.max", json!(101)),
    ] {
        check(&with(key, bad), &format!("/links/0/{key}"), &["must be"]);
    }
    check(&with("dead.letter", json!("gama")), "/links/0/dead.letter", &["did you mean `gamma`?"]);
    check(&with("dead.letter", json!("beta")), "/links/0/dead.letter", &["cannot get the messages"]);
    check(&with("redeliver.max", json!(1)), "/links/0/redeliver.max", &["did you mean `redelivery.max`?"]);
    assert_eq!(faults(&with("dead.letter", json!("alpha"))), Vec::<String>::new());
}

#[test]
fn the_file_of_dead_letters_is_beside_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let load = |document: &Value| {
        let file = directory.path().join("gateway.json");
        fs::write(&file, document.to_string()).unwrap();
        Config::load(&file, false).unwrap().dead_letter_file
    };
    let mut document = document(&[], &[]);
    assert_eq!(load(&document), directory.path().join("dead-letters.ndjson"));
    document["dead.letter.file"] = json!("graves/letters");
    assert_eq!(load(&document), directory.path().join("graves/letters"));
    document["dead.letter.file"] = json!("/var/letters");
    assert_eq!(load(&document), Path::new("/var/letters"));
    document["dead.letter.file"] = json!("a\0");
    check(&document, "/dead.letter.file", &["NUL"]);
}

#[test]
fn the_bytes_of_an_inbox_are_bounded() {
    let with = |bytes: Value| {
        let mut module = hello("a");
        module["queue.bytes"] = bytes;
        document(&[module], &[])
    };
    let config = Config::check(&with(json!(4096)), false).unwrap();
    assert_eq!(config.modules[0].queue, Capacity { messages: Capacity::MESSAGES, bytes: 4096 });
    check(&with(json!(0)), "/modules/0/queue.bytes", &["must be a whole number from 1"]);
}

fn entrypoint(keys: Value) -> Value {
    let mut entrypoint =
        json!({"activation.type": "launch", "control.id": "/tmp/c", "launch": {"path": "a"}});
    for (key, value) in keys.as_object().unwrap() {
        entrypoint[key] = value.clone();
    }
    entrypoint
}

fn outprocess(keys: Value) -> OutprocessConfig {
    let config = Config::check(&document(&[remote("a", entrypoint(keys))], &[]), false).unwrap();
    let ModuleKind::Outprocess(config) = config.modules[0].kind.clone() else { panic!("no remote module") };
    *config
}

#[test]
fn the_host_link_is_configured() {
    assert_eq!(outprocess(json!({})).link, HostLinkConfig::default());
    let keys = json!({
        "channel": "pair", "heartbeat.ms": 100, "hang.ms": 200, "window": 1, "window.bytes": 65536,
    });
    let expected = HostLinkConfig {
        channel: ChannelKind::Pair,
        heartbeat: Duration::from_millis(100),
        hang: Duration::from_millis(200),
        window: 1,
        window_bytes: 65536,
    };
    assert_eq!(outprocess(keys).link, expected);
    assert_eq!(outprocess(json!({"channel": "socket"})).link.channel, ChannelKind::Socket);
    // A slow heart alone is enough.
    assert_eq!(outprocess(json!({"heartbeat.ms": 5000})).link.hang, Duration::from_secs(10));

    check_remote(entrypoint(json!({"channel": "pairs"})), "/channel", &["did you mean `pair`?"]);
    let beats = json!({"heartbeat.ms": 500, "hang.ms": 999});
    check_remote(entrypoint(beats), "/hang.ms", &["at least twice `heartbeat.ms`", "1000"]);
    check_remote(entrypoint(json!({"hang.ms": 499})), "/hang.ms", &["at least 500"]);
    for (key, bad) in [("heartbeat.ms", 9), ("window", 0), ("window", 65537), ("window.bytes", 65535)] {
        check_remote(entrypoint(json!({key: bad})), &format!("/{key}"), &["must be a whole number from"]);
    }
}

#[test]
fn restarts_are_configured() {
    let restart = |launch: Value| outprocess(json!({"launch": launch})).launch.unwrap().restart;
    assert_eq!(restart(json!({"path": "a"})), RestartConfig::default());
    let keys = json!({"path": "a", "restart.max": 0, "restart.window.ms": 10});
    assert_eq!(
        restart(keys),
        RestartConfig { max: 0, window: Duration::from_millis(10), ..RestartConfig::default() }
    );
    let start = |launch: Value| outprocess(json!({"launch": launch})).launch.unwrap().start_timeout;
    assert_eq!(start(json!({"path": "a"})), Duration::from_secs(300));
    assert_eq!(start(json!({"path": "a", "start.timeout.ms": 20})), Duration::from_millis(20));
    let bad = entrypoint(json!({"launch": {"path": "a", "start.timeout.ms": 0}}));
    check_remote(bad, "/launch/start.timeout.ms", &["from 1"]);
    let bad = entrypoint(json!({"launch": {"path": "a", "restart.max": -1}}));
    check_remote(bad, "/launch/restart.max", &["must be a whole number from 0"]);
}

#[test]
fn modules_of_a_host_are_found_on_its_link_by_their_names() {
    let named = |name: &str| json!({"activation.type": "none", "link.id": "/tmp/l", "link.module": name});
    let modules = [remote("a", named("x")), remote("b", named("y"))];
    let config = Config::check(&document(&modules, &[]), false).unwrap();
    let ModuleKind::Outprocess(second) = &config.modules[1].kind else { panic!("outprocess") };
    assert_eq!((second.control.as_str(), second.hosted.as_deref()), ("ipc:///tmp/l", Some("y")));

    let twice = document(&[remote("a", named("x")), remote("b", named("x"))], &[]);
    check(&twice, "/modules/1/loader/entrypoint/link.id", &["/modules/0/loader/entrypoint/link.id"]);
    let with = |key: &str, value: Value| {
        let mut entrypoint = named("x");
        entrypoint[key] = value;
        entrypoint
    };
    for key in ["control.id", "message.id", "launch", "channel"] {
        check_remote(with(key, json!("pair")), &format!("/{key}"), &["no use beside `link.id`"]);
    }
    check_remote(with("link.id", json!("tcp://127.0.0.1:1")), "/link.id", &["path of a socket"]);
    check_remote(with("link.module", json!("")), "/link.module", &["must not be empty"]);
    check_remote(with("link.module", json!("x".repeat(1025))), "/link.module", &["more than 1024 bytes"]);
    check_remote(with("activation.type", json!("launch")), "", &["started elsewhere"]);
    check_remote(json!({"activation.type": "none", "link.id": "/tmp/l"}), "", &["`link.module` is missing"]);
    let alone = json!({"activation.type": "none", "control.id": "/tmp/c", "link.module": "x"});
    check_remote(alone, "/link.module", &["without `link.id`"]);
}
