//! Configurations that cannot be used: exit status 64, and every fault with its place and its mend.

use std::path::Path;

use sandgate_tests::process::Process;
use sandgate_tests::programs::{command, program};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::wait::until;
use serde_json::{Value, json};

/// Starts a gateway that must end with this status, and gives what it wrote.
fn refused(scratch: &Scratch, arguments: &[&Path], status: i32) -> String {
    let mut gateway = Process::start(command(scratch, program("gateway")).args(arguments));
    assert_eq!(gateway.wait_exit().code(), Some(status), "{}", gateway.text());
    until("something written", || !gateway.text().is_empty());
    // The last lines come through a pipe and may be a moment behind the end.
    let mut text = gateway.text();
    until("the rest of what was written", || {
        let before = std::mem::replace(&mut text, gateway.text());
        std::thread::sleep(std::time::Duration::from_millis(20));
        before == text && gateway.text() == text
    });
    text
}

/// The faults of a configuration. They have the file in front.
fn faults(configuration: &Value) -> Vec<String> {
    let scratch = Scratch::new();
    let file = scratch.configuration(configuration);
    let text = refused(&scratch, &[&file], 64);
    let prefix = format!("{}: ", file.display());
    text.lines()
        .map(|line| line.strip_prefix(&prefix).unwrap_or_else(|| panic!("no file in {line:?}")).to_owned())
        .collect()
}

/// One fault that has all these parts.
fn assert_fault(configuration: &Value, parts: &[&str]) {
    let faults = faults(configuration);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    for part in parts {
        assert!(faults[0].contains(part), "{part:?} in {:?}", faults[0]);
    }
}

fn builtin(name: &str, module: &str, args: Value) -> Value {
    json!({"name": name, "loader": {"name": "builtin", "entrypoint": {"module.name": module}}, "args": args})
}

fn hello(name: &str) -> Value {
    builtin(name, "hello_world", Value::Null)
}

fn remote(name: &str, control: &str) -> Value {
    let entrypoint = json!({"activation.type": "none", "control.id": control});
    json!({"name": name, "loader": {"name": "outprocess", "entrypoint": entrypoint}, "args": null})
}

fn modules(modules: &[Value]) -> Value {
    json!({"modules": modules, "links": []})
}

#[test]
fn a_file_that_is_missing() {
    let scratch = Scratch::new();
    let file = scratch.file("missing.json");
    let text = refused(&scratch, &[&file], 64);
    assert_eq!(text, format!("{}: no such file; give the path of a gateway configuration", file.display()));
}

#[test]
fn a_directory_is_no_file() {
    let scratch = Scratch::new();
    let text = refused(&scratch, &[scratch.path()], 64);
    assert!(text.contains("cannot be read"), "{text}");
}

#[test]
fn broken_json_has_line_and_column() {
    let scratch = Scratch::new();
    for (text, place) in
        [("{\n  \"modules\": [],\n  \"links\": [}\n", ":3:13:"), ("", ":1:0:"), ("{}}", ":1:3:")]
    {
        let file = scratch.write("gateway.json", text);
        let said = refused(&scratch, &[&file], 64);
        assert!(said.contains(&format!("{}{place} not JSON:", file.display())), "{said}");
    }
    let file = scratch.write("gateway.json", b"{\n \"a\": \"\xFF\"}");
    let said = refused(&scratch, &[&file], 64);
    assert!(said.contains(":2:8: this byte is not UTF-8"), "{said}");
}

#[test]
fn an_unknown_key_with_a_suggestion() {
    assert_fault(&json!({"modules": [], "links": [], "link": []}), &["/link: unknown key", "`links`"]);
    let mut module = remote("a", "/tmp/a");
    module["loader"]["entrypoint"]["control.ip"] = json!(1);
    assert_fault(
        &modules(&[module]),
        &["/modules/0/loader/entrypoint/control.ip: unknown key (did you mean `control.id`?)"],
    );
    let args = builtin("a", "hello_world", json!({"intervalms": 5}));
    assert_fault(&modules(&[args]), &["/modules/0/args/intervalms", "did you mean `interval.ms`?"]);
}

#[test]
fn an_unknown_loader() {
    let mut module = hello("a");
    module["loader"]["name"] = json!("buildin");
    assert_fault(
        &modules(&[module]),
        &["/modules/0/loader/name: unknown loader `buildin` (did you mean `builtin`?)"],
    );
}

#[test]
fn the_native_loader_without_a_library() {
    for loader in [json!({"name": "native"}), json!({}), json!({"entrypoint": {}})] {
        let module = json!({"name": "a", "loader": loader, "args": null});
        assert_fault(&modules(&[module]), &["/modules/0/loader", "is missing", "module.path"]);
    }
    assert_fault(&modules(&[json!({"name": "a", "args": null})]), &["`loader` is missing", "module.path"]);
}

#[test]
fn an_unknown_built_in_module() {
    let module = builtin("a", "loger", Value::Null);
    assert_fault(
        &modules(&[module]),
        &["/modules/0/loader/entrypoint/module.name: unknown built-in module `loger`", "`logger`"],
    );
}

#[test]
fn a_name_that_appears_twice() {
    assert_fault(
        &modules(&[hello("a"), hello("b"), hello("a")]),
        &["/modules/2/name: the module `a` stands at /modules/0/name already; rename one"],
    );
}

#[test]
fn a_control_id_that_appears_twice() {
    let twice = modules(&[remote("a", "/tmp/x"), remote("b", "ipc:///tmp/x")]);
    assert_fault(
        &twice,
        &["/modules/1/loader/entrypoint/control.id", "/modules/0/loader/entrypoint/control.id"],
    );
    let mut module = remote("a", "/tmp/x");
    module["loader"]["entrypoint"]["message.id"] = json!("/tmp/x");
    assert_fault(&modules(&[module]), &["/tmp/x", "already; every channel needs its own"]);
}

#[test]
fn a_link_to_nobody() {
    let configuration =
        json!({"modules": [hello("metrics")], "links": [{"source": "metrics", "sink": "metric"}]});
    assert_fault(
        &configuration,
        &["/links/0/sink: there is no module `metric` (did you mean `metrics`?)", "add it to `modules`"],
    );
    let configuration =
        json!({"modules": [hello("metrics")], "links": [{"source": "zebra", "sink": "metrics"}]});
    assert_fault(&configuration, &["/links/0/source: there is no module `zebra`"]);
}

#[test]
fn an_id_that_is_too_long_for_a_socket() {
    let id = format!("/tmp/{}", "x".repeat(103));
    assert_fault(
        &modules(&[remote("a", &id)]),
        &["/modules/0/loader/entrypoint/control.id", "has 108 bytes, the system allows 107"],
    );
}

#[test]
fn all_faults_at_once() {
    let configuration = json!({
        "modules": [
            hello("a"),
            hello("a"),
            builtin("b", "loger", Value::Null),
            remote("c", "http://x"),
            {"name": "d", "loader": {"name": "native"}, "args": null},
            {"name": "e", "loader": {"name": "outprocess", "entrypoint": {"activation.type": "lunch"}}},
            builtin("f", "logger", json!({"file": "log.json"})),
        ],
        "links": [{"source": "a", "sink": "nobody"}, {"source": "c"}, {"source": "b", "sink": "*"}],
        "extra": true,
    });
    let faults = faults(&configuration);
    let places = [
        "/extra: unknown key",
        "/modules/1/name: ",
        "/modules/2/loader/entrypoint/module.name: ",
        "/modules/3/loader/entrypoint/control.id: `http://`",
        "/modules/4/loader: `entrypoint` is missing",
        "/modules/5: `args` is missing",
        "/modules/5/loader/entrypoint/activation.type: unknown activation `lunch`",
        "/modules/5/loader/entrypoint: `control.id` is missing",
        "/modules/6/args: `filename` is missing",
        "/modules/6/args/file: unknown key",
        "/links/0/sink: there is no module `nobody`",
        "/links/1: `sink` is missing",
        "/links/2/sink: only a source can be `*`",
    ];
    for place in places {
        assert!(faults.iter().any(|fault| fault.starts_with(place)), "{place} in {faults:#?}");
    }
    assert_eq!(faults.len(), places.len(), "{faults:#?}");
}

#[test]
fn a_command_line_that_cannot_be_used() {
    let scratch = Scratch::new();
    for arguments in [&[][..], &["--no-such-option", "x.json"], &["a.json", "b.json"]] {
        let arguments: Vec<_> = arguments.iter().map(Path::new).collect();
        let text = refused(&scratch, &arguments, 64);
        assert!(text.contains("Usage: gateway"), "{text}");
    }
    let help = refused(&scratch, &["--help".as_ref()], 0);
    assert!(help.contains("Usage: gateway") && help.contains("Exit status"), "{help}");
    let version = refused(&scratch, &["--version".as_ref()], 0);
    assert!(version.starts_with("gateway "), "{version}");
}

#[test]
fn unknown_keys_are_warnings_when_asked_for() {
    let scratch = Scratch::new();
    let configuration = json!({"modules": [hello("a")], "links": [], "extra": true});
    let file = scratch.configuration(&configuration);
    let mut gateway = Process::start(command(&scratch, program("gateway")).arg("--v1-lenient").arg(file));
    gateway.wait_for_line_with(&["WARN", "/extra: unknown key"]);
    gateway.wait_for_line("gateway running");
    gateway.stop();
}
