//! The configurations that the documents show: they run, with paths of the test's own and with modules under the names
//! that they have there.

use std::fs;
use std::os::unix::fs::symlink;

use sandgate_tests::book::texts;
use sandgate_tests::config::Configuration;
use sandgate_tests::log_file::{Entry, LogFile};
use sandgate_tests::process::Process;
use sandgate_tests::programs::{command, guest, program, running_gateway};
use sandgate_tests::scratch::Scratch;
use serde_json::{Value, json};

use crate::documents::compile_native;

/// What a document shows, with sockets in the test's own folder.
fn shown(scratch: &Scratch, document: &str) -> Vec<Value> {
    let own = format!("{}/", scratch.path().display());
    let placed = texts(document, "json").into_iter().map(|text| {
        let text = text.replace("/run/user/1000/", "/tmp/").replace("/tmp/", &own);
        serde_json::from_str(&text).unwrap()
    });
    placed.collect()
}

/// Puts a module there under another name.
fn module(scratch: &Scratch, name: &str, file: &str) {
    symlink(guest(&format!("modules/{name}")), scratch.file(file)).unwrap();
}

#[test]
fn the_configuration_of_a_gateway_runs() {
    let scratch = Scratch::new();
    let [configuration] = &shown(&scratch, "docs/configuration.md")[..] else { panic!("one is wanted") };
    module(&scratch, "echo", "alerts.wasm");
    let mut gateway = running_gateway(&scratch, configuration);
    let _ = LogFile::at(&scratch.file("log.json")).wait_for(1);
    gateway.stop();
}

#[test]
fn the_configurations_of_hosts_run() {
    for document in ["docs/delivery.md", "docs/languages/python.md"] {
        let scratch = Scratch::new();
        let [mut host] = shown(&scratch, document).try_into().expect("one is wanted");
        if host.get("modules").is_none() {
            host = json!({"modules": [host]});
        }
        let modules = host["modules"].as_array().unwrap();
        for entry in modules {
            module(&scratch, "echo", entry["module.path"].as_str().unwrap());
        }
        let file = scratch.write("host.json", host.to_string());
        let mut process = Process::start(command(&scratch, program("wasm-host")).arg("--config").arg(file));
        process.wait_for_nth_line(modules.len(), "waiting for a gateway");
        process.stop();
    }
}

/// Has greetings go through a module, and gives the first that comes out.
fn through(scratch: &Scratch, entry: &Value) -> Entry {
    let (name, log) = (entry["name"].as_str().unwrap(), scratch.file("log.json"));
    let configuration = Configuration::new()
        .hello_world("hello", 20)
        .module(entry.clone())
        .logger("log", &log)
        .link("hello", name)
        .link(name, "log");
    let mut gateway = running_gateway(scratch, &configuration.json());
    let messages = LogFile::at(&log).wait_for(1);
    gateway.stop();
    fs::remove_file(log).unwrap();
    messages[0].clone()
}

#[test]
fn the_entries_of_modules_run() {
    let scratch = Scratch::new();
    let host = |arguments: &[&str]| {
        Process::start(command(&scratch, program("wasm-host")).arg("--control").args(arguments))
    };
    module(&scratch, "annotate", "site.wasm");

    let [mut site, naming] = shown(&scratch, "docs/v1.md").try_into().expect("two are wanted");
    let control = scratch.id("site.control");
    let mut with_module = host(&[&control, "site.wasm"]);
    assert_eq!(through(&scratch, &site).property("annotation"), Some("lab"));
    with_module.stop();
    site["args"] = naming;
    let mut without = host(&[&control]);
    assert_eq!(through(&scratch, &site).property("annotation"), Some("lab"));
    without.stop();

    let [camera] = shown(&scratch, "docs/segments.md").try_into().expect("one is wanted");
    let mut grantee = host(&[&scratch.id("camera.control"), "site.wasm"]);
    assert_eq!(through(&scratch, &camera).property("annotated-by"), Some("annotate"));
    grantee.stop();

    let [mut native] = shown(&scratch, "docs/native.md").try_into().expect("one is wanted");
    if compile_native(&scratch) {
        let path = native.pointer_mut("/loader/entrypoint/module.path").unwrap();
        *path = Value::from(path.as_str().unwrap().replace("./", "./target/"));
        assert_eq!(through(&scratch, &native).property("annotation"), Some("in the gateway"));
    }
}
