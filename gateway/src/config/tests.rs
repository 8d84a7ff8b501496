mod delivery;
mod segments;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::broker::{OnFull, Source};

fn builtin(name: &str, module: &str, args: Value) -> Value {
    json!({"name": name, "loader": {"name": "builtin", "entrypoint": {"module.name": module}}, "args": args})
}

fn hello(name: &str) -> Value {
    builtin(name, "hello_world", Value::Null)
}

fn remote(name: &str, entrypoint: Value) -> Value {
    json!({"name": name, "loader": {"name": "outprocess", "entrypoint": entrypoint}, "args": null})
}

fn link(source: &str, sink: &str) -> Value {
    json!({"source": source, "sink": sink})
}

fn document(modules: &[Value], links: &[Value]) -> Value {
    json!({"modules": modules, "links": links})
}

/// The faults as `POINTER: text`.
fn faults(document: &Value) -> Vec<String> {
    match Config::check(document, false) {
        Ok(_) => Vec::new(),
        Err(faults) => {
            faults.iter().map(|fault| fault.to_string().trim_start_matches(": ").to_owned()).collect()
        }
    }
}

/// Exactly one fault, at this place, whose text has all of these in it.
#[track_caller]
fn check(document: &Value, pointer: &str, parts: &[&str]) {
    let faults = faults(document);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(pointer.is_empty() || faults[0].starts_with(&format!("{pointer}: ")), "{faults:#?}");
    for part in parts {
        assert!(faults[0].contains(part), "{part:?} is not in {faults:#?}");
    }
}

#[track_caller]
fn check_remote(entrypoint: Value, key: &str, parts: &[&str]) {
    let pointer = format!("/modules/0/loader/entrypoint{key}");
    check(&document(&[remote("a", entrypoint)], &[]), &pointer, parts);
}

#[test]
fn a_whole_configuration_is_read() {
    let modules = [
        builtin("metrics", "machine_metrics", json!({"interval.ms": 500})),
        json!({"name": "alerts", "loader": {"name": "outprocess", "entrypoint": {
            "activation.type": "launch", "control.id": "/run/alerts.control", "timeout": 250,
            "launch": {"path": "wasm-host", "args": ["--control", ""], "grace.period.ms": 2000}}},
            "args": {"threshold": 0.8}, "queue.capacity": 16}),
        builtin("log", "logger", json!({"filename": "log.json"})),
    ];
    let links = [link("metrics", "alerts"), json!({"source": "*", "sink": "log", "on.full": "drop-newest"})];
    let config = Config::check(&document(&modules, &links), false).unwrap();
    assert_eq!(config.modules[1].queue.messages, 16);
    assert_eq!(config.modules[0].queue, Capacity::default());
    let ModuleKind::Outprocess(alerts) = &config.modules[1].kind else { panic!("no remote module") };
    assert_eq!(alerts.arguments, r#"{"threshold":0.8}"#);
    assert_eq!(alerts.timeout, Duration::from_millis(250));
    assert_eq!(alerts.control.as_str(), "ipc:///run/alerts.control");
    assert_eq!(alerts.message, None);
    let launch = alerts.launch.as_ref().unwrap();
    assert_eq!((launch.grace, launch.args.len()), (Duration::from_secs(2), 2));
    assert_eq!(config.links[0].terms.on_full, OnFull::Block);
    assert_eq!(config.links[1].source, Source::Every);
    assert_eq!(config.links[1].terms.on_full, OnFull::DropNewest);
}

#[test]
fn arguments_keep_their_json_text() {
    for (args, text) in
        [(json!("X"), "\"X\""), (Value::Null, "null"), (json!({"b": 1, "a": 2}), r#"{"b":1,"a":2}"#)]
    {
        let mut module = remote("a", json!({"activation.type": "none", "control.id": "/tmp/c"}));
        module["args"] = args;
        let config = Config::check(&document(&[module], &[]), false).unwrap();
        let ModuleKind::Outprocess(module) = &config.modules[0].kind else { panic!("no remote module") };
        assert_eq!(module.arguments, text);
    }
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.json");
    let text = Config::load(&missing, false).unwrap_err().to_string();
    assert!(text.starts_with(&missing.display().to_string()) && text.contains("no such file"), "{text}");
    let text = Config::load(directory.path(), false).unwrap_err().to_string();
    assert!(text.contains("cannot be read"), "{text}");
}

#[test]
fn broken_text_gives_line_and_column() {
    let position = |bytes: &[u8]| Config::parse(bytes, false).unwrap_err()[0].clone();
    let fault = position(b"{\n  \"modules\": [,]\n}");
    assert_eq!(fault.place, Place::Position(2, 15));
    assert!(fault.to_string().starts_with(":2:15: not JSON: "), "{fault}");
    assert!(!fault.to_string().contains("at line"));
    let fault = position(b"{\n \"a\xff\"}");
    assert_eq!(fault.place, Place::Position(2, 4));
    assert!(fault.text.contains("UTF-8"));
    assert_eq!(position(b"").place, Place::Position(1, 0));
}

#[test]
fn the_top_level_is_checked() {
    check(&json!([]), "", &["must be an object, this is an array"]);
    assert_eq!(faults(&json!({})).len(), 2);
    check(&json!({"modules": [], "links": {}}), "/links", &["must be an array"]);
    check(&json!({"modules": [], "links": [], "modulse": 1}), "/modulse", &["did you mean `modules`"]);
    check(&json!({"modules": [1], "links": []}), "/modules/0", &["must be an object, this is a number"]);
}

#[test]
fn unknown_keys_are_faults_or_warnings() {
    let mut module = hello("a");
    module["queue.capacty"] = json!(1);
    let document = document(&[module], &[]);
    check(&document, "/modules/0/queue.capacty", &["unknown key", "did you mean `queue.capacity`?"]);
    let config = Config::check(&document, true).unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].to_string().contains("/modules/0/queue.capacty"));
}

#[test]
fn keys_with_slashes_are_escaped() {
    check(&json!({"modules": [], "links": [], "a/b~c": 1}), "/a~1b~0c", &["unknown key"]);
}

#[test]
fn module_entries_are_checked() {
    let one = |change: &dyn Fn(&mut Value)| {
        let mut module = hello("a");
        change(&mut module);
        document(&[module], &[])
    };
    let remove = |key: &'static str| one(&move |module| drop(module.as_object_mut().unwrap().remove(key)));
    check(&remove("name"), "/modules/0", &["`name` is missing"]);
    check(&remove("args"), "/modules/0", &["`args` is missing", "\"args\": null"]);
    check(&one(&|module| module["name"] = json!("*")), "/modules/0/name", &["cannot be a name"]);
    check(&one(&|module| module["name"] = json!(3)), "/modules/0/name", &["must be a string"]);
    for bad in [json!(0), json!(-1), json!(1.5), json!(1e300), json!("8")] {
        let document = one(&|module| module["queue.capacity"] = bad.clone());
        check(&document, "/modules/0/queue.capacity", &["must be"]);
    }
    check(&document(&[hello("a"), hello("a")], &[]), "/modules/1/name", &["/modules/0/name"]);
}

#[test]
fn loaders_are_checked() {
    let with = |loader: Value| document(&[json!({"name": "a", "loader": loader, "args": null})], &[]);
    check(&with(json!({"name": "native"})), "/modules/0/loader", &["`entrypoint` is missing", "module.path"]);
    check(&with(json!({"entrypoint": {}})), "/modules/0/loader/entrypoint", &["`module.path` is missing"]);
    check(&document(&[json!({"name": "a", "args": null})], &[]), "/modules/0", &["`loader` is missing"]);
    for name in ["java", "node", "dotnet"] {
        check(&with(json!({"name": name})), "/modules/0/loader/name", &[name, "outprocess", "WebAssembly"]);
    }
    check(&with(json!({"name": "outproces"})), "/modules/0/loader/name", &["did you mean `outprocess`?"]);
    check(&with(json!({"name": "builtin"})), "/modules/0/loader", &["`entrypoint` is missing"]);
    check(&with(json!({"name": "outprocess"})), "/modules/0/loader", &["`entrypoint` is missing"]);
    check(
        &with(json!({"name": "builtin", "entrypoint": {"module.name": "loger"}})),
        "/modules/0/loader/entrypoint/module.name",
        &["did you mean `logger`?", "logger, machine_metrics"],
    );
}

#[test]
fn a_native_module_is_the_default_and_keeps_its_arguments() {
    for name in [json!({"name": "native"}), json!({})] {
        let mut loader = name;
        loader["entrypoint"] = json!({"module.path": "./libx.so"});
        let module = json!({"name": "a", "loader": loader, "args": {"b": 1}});
        let config = Config::check(&document(&[module], &[]), false).unwrap();
        let ModuleKind::Native(native) = &config.modules[0].kind else { panic!("no native module") };
        let (library, arguments) = ("./libx.so".to_owned(), r#"{"b":1}"#.to_owned());
        assert_eq!(native, &NativeConfig { library, arguments });
        assert!(config.warnings.is_empty());
    }
}

#[test]
fn where_v1s_module_is_not_there_the_gateways_own_is_named() {
    for path in ["../../modules/hello_world/libhello_world.so", r"..\..\hello_world\Debug\hello_world.dll"] {
        let loader = json!({"name": "native", "entrypoint": {"module.path": path}});
        let module = json!({"name": "a", "loader": loader, "args": null});
        let config = Config::check(&document(&[module], &[]), false).unwrap();
        let warning = config.warnings[0].to_string();
        assert!(warning.contains("/modules/0/loader/entrypoint/module.path"), "{warning}");
        assert!(warning.contains(r#"{"module.name": "hello_world"}"#), "{warning}");
    }
}

#[test]
fn loaders_can_have_other_names() {
    let mut document = document(&[hello("a")], &[]);
    document["modules"][0]["loader"]["name"] = json!("mine");
    document["loaders"] = json!([{"type": "builtin", "name": "mine", "configuration": {"any": 1}}]);
    assert_eq!(faults(&document), Vec::<String>::new());
    document["loaders"] = json!([{"type": "bultin", "name": "builtin"}]);
    document["modules"][0]["loader"]["name"] = json!("builtin");
    check(&document, "/loaders/0/type", &["did you mean `builtin`?"]);
    document["loaders"] = json!([{"type": "node", "name": "x"}, {"type": "java", "name": "x"}]);
    check(&document, "/loaders/1/name", &["/loaders/0/name"]);
}

#[test]
fn arguments_of_built_in_modules_are_checked_here() {
    let args = |module: &str, args: Value| document(&[builtin("a", module, args)], &[]);
    check(&args("logger", Value::Null), "/modules/0/args", &["filename"]);
    check(&args("logger", json!({})), "/modules/0/args", &["`filename` is missing"]);
    check(&args("logger", json!({"filename": 1})), "/modules/0/args/filename", &["must be a string"]);
    check(&args("hello_world", json!({"interval.ms": 0})), "/modules/0/args/interval.ms", &["whole number"]);
    check(
        &args("machine_metrics", json!({"intervall.ms": 5})),
        "/modules/0/args/intervall.ms",
        &["interval.ms"],
    );
    check(&args("machine_metrics", json!("x")), "/modules/0/args", &["must be an object"]);
}

#[test]
fn outprocess_entrypoints_are_checked() {
    let good = || json!({"activation.type": "none", "control.id": "/tmp/c", "message.id": "/tmp/m"});
    let with = |key: &str, value: Value| {
        let mut entrypoint = good();
        entrypoint[key] = value;
        entrypoint
    };
    check_remote(json!({"control.id": "/tmp/c"}), "", &["`activation.type` is missing"]);
    check_remote(json!({"activation.type": "none"}), "", &["`control.id` is missing"]);
    check_remote(with("activation.type", json!("lunch")), "/activation.type", &["did you mean `launch`?"]);
    check_remote(with("activation.type", json!("launch")), "", &["`launch` is missing"]);
    check_remote(with("control.id", json!("x".repeat(200))), "/control.id", &["200 bytes", "107"]);
    check_remote(with("control.id", json!("http://x")), "/control.id", &["`http://`", "tcp://HOST:PORT"]);
    check_remote(with("message.id", json!("tcp://x")), "/message.id", &["lacks a host and a port"]);
    check_remote(with("message.id", json!("/tmp/c")), "/message.id", &["every channel needs its own"]);
    for bad in [json!(0), json!(-5), json!("1000"), json!(0.5)] {
        check_remote(with("timeout", bad), "/timeout", &["must be"]);
    }
    let tcp = json!({"activation.type": "none", "control.id": "tcp://127.0.0.1:1"});
    check_remote(tcp, "/control.id", &["needs a `message.id`"]);
    check_remote(with("launch", json!({"args": []})), "/launch", &["`path` is missing"]);
    check_remote(with("launch", json!({"path": ""})), "/launch/path", &["must not be empty"]);
    check_remote(with("launch", json!({"path": "a\0b"})), "/launch/path", &["NUL"]);
    check_remote(with("launch", json!({"path": "a", "args": "b"})), "/launch/args", &["must be an array"]);
    check_remote(with("launch", json!({"path": "a", "args": [1]})), "/launch/args/0", &["must be a string"]);
    check_remote(
        with("launch", json!({"path": "a", "grace.period.ms": "1"})),
        "/launch/grace.period.ms",
        &["must be a number"],
    );
    check_remote(with("contrl.id", json!(1)), "/contrl.id", &["did you mean `control.id`?"]);
}

#[test]
fn control_channels_are_not_shared() {
    let entrypoint = json!({"activation.type": "none", "control.id": "/tmp/c"});
    let modules = [remote("a", entrypoint.clone()), remote("b", entrypoint)];
    check(
        &document(&modules, &[]),
        "/modules/1/loader/entrypoint/control.id",
        &["/modules/0/loader/entrypoint/control.id"],
    );
}

#[test]
fn arguments_have_a_limit() {
    let mut module = remote("a", json!({"activation.type": "none", "control.id": "/tmp/c"}));
    module["args"] = json!("x".repeat(1 << 20));
    check(&document(&[module], &[]), "/modules/0/args", &["more than the limit"]);
}

#[test]
fn links_are_checked() {
    let check_link = |entry: Value, key: &str, parts: &[&str]| {
        let pointer = format!("/links/0{key}");
        check(&document(&[hello("alpha"), hello("beta")], &[entry]), &pointer, parts);
    };
    check_link(json!({"sink": "beta"}), "", &["`source` is missing"]);
    check_link(link("alpha", "betta"), "/sink", &["no module `betta`", "did you mean `beta`?"]);
    check_link(link("zzz", "beta"), "/source", &["no module `zzz`"]);
    check_link(link("alpha", "*"), "/sink", &["only a source can be `*`"]);
    check_link(link("alpha", "alpha"), "", &["linked to itself"]);
    let policy = json!({"source": "alpha", "sink": "beta", "on.full": "drop_oldest"});
    check_link(policy, "/on.full", &["did you mean `drop-oldest`?"]);
    let twice = [link("alpha", "beta"), link("alpha", "beta")];
    check(&document(&[hello("alpha"), hello("beta")], &twice), "/links/1", &["/links/0"]);
}

#[test]
fn a_link_to_a_module_with_faults_is_no_fault() {
    let mut broken = hello("a");
    broken["loader"]["entrypoint"]["module.name"] = json!("nothing");
    check(
        &document(&[broken, hello("b")], &[link("b", "a")]),
        "/modules/0/loader/entrypoint/module.name",
        &[],
    );
}

#[test]
fn links_on_a_cycle_drop_their_oldest_unless_told_otherwise() {
    let modules = [hello("a"), hello("b"), hello("c"), hello("d")];
    let mut links = vec![link("a", "b"), link("b", "c"), link("c", "a"), link("c", "d")];
    let config = Config::check(&document(&modules, &links), false).unwrap();
    let policies: Vec<_> = config.links.iter().map(|link| link.terms.on_full).collect();
    assert_eq!(policies, [OnFull::DropOldest, OnFull::DropOldest, OnFull::DropOldest, OnFull::Block]);
    assert_eq!(config.notes.len(), 3);

    links[0]["on.full"] = json!("block");
    links[1]["on.full"] = json!("block");
    let config = Config::check(&document(&modules, &links), false).unwrap();
    assert_eq!(config.links[0].terms.on_full, OnFull::Block);
    assert_eq!(config.links[2].terms.on_full, OnFull::DropOldest);

    links[2]["on.full"] = json!("block");
    check(&document(&modules, &links), "/links/0", &["a -> b -> c -> a", "drop-oldest"]);
}

#[test]
fn a_star_can_close_a_cycle() {
    let modules = [hello("a"), hello("b")];
    let links = [json!({"source": "*", "sink": "b"}), link("b", "a")];
    let config = Config::check(&document(&modules, &links), false).unwrap();
    assert_eq!(config.notes.len(), 2);
}

#[test]
fn everything_is_reported_at_once() {
    let modules = [
        builtin("a", "loger", Value::Null),
        builtin("a", "logger", json!({"filname": "x"})),
        remote("c", json!({"activation.type": "launch", "control.id": "http://x", "timeout": 0})),
        json!({"loader": {"name": "node"}}),
    ];
    let found = faults(&document(&modules, &[link("a", "nobody"), json!(7)]));
    for expected in [
        "/modules/0/loader/entrypoint/module.name: ",
        "/modules/1/name: ",
        "/modules/1/args: `filename` is missing",
        "/modules/1/args/filname: unknown key",
        "/modules/2/loader/entrypoint: `launch` is missing",
        "/modules/2/loader/entrypoint/control.id: ",
        "/modules/2/loader/entrypoint/timeout: ",
        "/modules/3: `name` is missing",
        "/modules/3: `args` is missing",
        "/modules/3/loader/name: ",
        "/links/0/sink: ",
        "/links/1: ",
    ] {
        assert!(found.iter().any(|fault| fault.starts_with(expected)), "{expected} is not in {found:#?}");
    }
    assert_eq!(found.len(), 12, "{found:#?}");
    let error = ConfigError {
        file: "gateway.json".into(),
        faults: Config::check(&document(&modules, &[]), false).unwrap_err(),
    };
    assert!(error.to_string().lines().all(|line| line.starts_with("gateway.json: /")));
}

fn any_json() -> impl Strategy<Value = Value> {
    let keys = [
        "modules",
        "links",
        "loaders",
        "name",
        "loader",
        "entrypoint",
        "args",
        "source",
        "sink",
        "on.full",
        "activation.type",
        "control.id",
        "message.id",
        "timeout",
        "launch",
        "path",
        "grace.period.ms",
        "type",
        "module.name",
        "module.path",
        "filename",
        "interval.ms",
        "queue.capacity",
        "queue.bytes",
        "time.to.live.ms",
        "redelivery.max",
        "dead.letter",
        "dead.letter.file",
        "channel",
        "heartbeat.ms",
        "hang.ms",
        "window",
        "window.bytes",
        "restart.max",
        "restart.window.ms",
    ];
    let texts = [
        "builtin",
        "outprocess",
        "native",
        "logger",
        "hello_world",
        "*",
        "a",
        "b",
        "launch",
        "none",
        "block",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(texts.to_vec()).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 128, 6, move |inner| {
        let key = prop_oneof![
            8 => prop::sample::select(keys.to_vec()).prop_map(str::to_owned),
            1 => ".{0,6}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..7)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_read_or_refused(document in any_json(), lenient: bool) {
        if let Err(faults) = Config::check(&document, lenient) {
            prop_assert!(!faults.is_empty());
        }
    }

    #[test]
    fn any_modules_and_links_are_read_or_refused(
        modules in prop::collection::vec(any_json(), 0..4),
        links in prop::collection::vec(any_json(), 0..4),
    ) {
        let _ = Config::check(&document(&modules, &links), false);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Config::parse(&bytes, false);
    }
}
