//! What the configuration says: reading it, handing it on, giving it back.

use sandgate_tests::config::{Configuration, attached};
use sandgate_tests::process::Process;
use sandgate_tests::procfs::peak_memory_kib;
use sandgate_tests::programs::{command, program};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::V1Host;
use sandgate_tests::wait::until;
use sandgate_wire::Status;
use serde_json::{Value, json};

use crate::scene::{Scene, document, launch, middle};

/// A gateway ends with the status for an unusable configuration, and says this.
pub fn assert_refused(scratch: &Scratch, text: &[u8], fault: &str) {
    let file = scratch.write("gateway.json", text);
    let mut gateway = Process::start(command(scratch, program("gateway")).arg(file));
    assert_eq!(gateway.wait_exit().code(), Some(64), "{fault}");
    gateway.wait_for_line(fault);
    assert_eq!(gateway.count_lines("gateway running"), 0);
}

pub fn srs_outprocess_module_17_001_no_configuration_is_no_module() {
    let scratch = Scratch::new();
    assert_refused(&scratch, b"", "not JSON");
    assert_refused(&scratch, b"{}", "`modules` is missing");
    for (entrypoint, fault) in [
        (None, "/modules/1/loader: `entrypoint` is missing"),
        (Some(Value::Null), "/modules/1/loader/entrypoint: "),
        (Some(json!({})), "/modules/1/loader/entrypoint: `control.id` is missing"),
    ] {
        let mut document = document(&scratch);
        let loader = middle(&mut document)["loader"].as_object_mut().unwrap();
        loader.remove("entrypoint");
        loader.extend(entrypoint.map(|entrypoint| ("entrypoint".to_owned(), entrypoint)));
        assert_refused(&scratch, &serde_json::to_vec(&document).unwrap(), fault);
    }
}

pub fn srs_outprocess_module_17_002_what_is_configured_reaches_the_host_as_it_stands() {
    let scratch = Scratch::new();
    let texts = [
        "null",
        "true",
        "-1.5",
        r#""""#,
        r#""with \"quotes\", a \\ and ünïcödé""#,
        r#"{"b":1,"a":[true,null,{"deep":{"deeper":[]}}]}"#,
        r#"[1,"two",[3]]"#,
    ];
    let ids: Vec<_> = (0..texts.len()).map(|number| scratch.id(&format!("c{number}"))).collect();
    let mut configuration = Configuration::new();
    for (text, id) in texts.iter().zip(&ids) {
        configuration = configuration.remote(id, attached(id), serde_json::from_str(text).unwrap());
    }
    let _scene = Scene::start(scratch, &configuration.json());
    for (text, id) in texts.iter().zip(&ids) {
        assert_eq!(V1Host::listen(id).next_create().arguments, *text);
    }
}

pub fn srs_outprocess_module_17_003_a_configuration_that_was_never_made_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let mut document = document(&scratch);
    // This module would show that it was begun; the next one cannot be.
    launch(&mut document, 0, "touch begun; while [ -e gateway.json ]; do sleep 0.05; done");
    let control = &mut document["modules"][2]["loader"]["entrypoint"]["control.id"];
    let mended = std::mem::replace(control, json!(""));
    let text = serde_json::to_vec(&document).unwrap();
    assert_refused(&scratch, &text, "/modules/2/loader/entrypoint/control.id: must not be empty");
    assert_eq!(scratch.names(), ["gateway.json"], "nothing was begun for the others");

    document["modules"][2]["loader"]["entrypoint"]["control.id"] = mended;
    let scene = Scene::start(scratch, &document);
    until("the module's host", || scene.scratch.file("begun").exists());
}

pub fn srs_outprocess_module_17_004_a_configuration_is_held_once_however_often_it_is_used() {
    const SIZE: usize = 900_000;
    const WARM: usize = 5;
    const ROUNDS: usize = 60;
    let scene = Scene::with(|document| {
        launch(document, 0, "while [ -e gateway.json ]; do sleep 0.05; done");
        middle(document)["args"] = "x".repeat(SIZE).into();
    });
    let host = scene.host();
    let mut warm = 0;
    for round in 0..ROUNDS {
        let create = host.next_create();
        assert_eq!(create.arguments.len(), SIZE + 2, "with its quotes");
        if round == WARM {
            warm = peak_memory_kib(scene.gateway.pid());
        }
        host.reply(Status::CREATION_ERROR);
    }
    let growth = peak_memory_kib(scene.gateway.pid()) - warm;
    let leak = ((ROUNDS - WARM) * SIZE / 1024) as u64;
    assert!(growth < leak / 2, "{growth} KiB more, where one copy left behind each time would be {leak}");
}
