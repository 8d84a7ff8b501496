//! What the tests stand on: a gateway with the module under test between two others, `source` -> `middle` -> `sink`.

use sandgate_tests::config::attached;
use sandgate_tests::ends::{Ends, around};
use sandgate_tests::pair::Pair;
use sandgate_tests::process::{Process, number};
use sandgate_tests::programs::{command, program, running_gateway_with};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::V1Host;
use sandgate_tests::wait::until;
use serde_json::{Value, json};

use crate::host::Host;

/// The module under test has these channels, in the test's directory. Those of the others are named likewise.
pub const CONTROL: &str = "middle";
pub const MESSAGE: &str = "middle.message";
/// Its arguments.
pub const ARGUMENTS: &str = r#"{"of":"the module"}"#;
/// The counters of a link.
pub const COUNTERS: [&str; 6] = ["offered", "delivered", "dropped", "expired", "dead", "waiting"];
/// Between two Creates, in milliseconds, where a test does not ask for repeated ones.
const SELDOM_MS: u64 = 10_000;

/// A gateway that runs.
pub struct Scene {
    pub gateway: Process,
    pub scratch: Scratch,
}

impl Scene {
    /// `source` -> `middle` -> `sink`.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same with changes to the configuration.
    pub fn with(change: impl FnOnce(&mut Value)) -> Self {
        let scratch = Scratch::new();
        let mut document = document(&scratch);
        change(&mut document);
        Self::start(scratch, &document)
    }

    /// The same with a process that the gateway launches, which ends when the file `done` is made.
    pub fn launching(grace_ms: u64) -> Self {
        // It ends with the test, too, when the directory is removed.
        let script = "while [ ! -e done ] && [ -e gateway.json ]; do sleep 0.05; done";
        Self::with(|document| launch(document, grace_ms, script))
    }

    /// A gateway with this configuration.
    pub fn start(scratch: Scratch, document: &Value) -> Self {
        let gateway = running_gateway_with(&scratch, document, &["--admin", "admin"]);
        Self { gateway, scratch }
    }

    /// The hosts of `source` and `sink`, attached.
    pub fn ends(&self) -> Ends {
        Ends::attach(&self.scratch)
    }

    /// The host of `middle`, which has bound its channels.
    pub fn host(&self) -> Host {
        Host::bind(&self.scratch)
    }

    /// The host of `middle`, attached.
    pub fn attached_host(&self) -> Host {
        let host = self.host();
        host.attach();
        host
    }

    /// A counter of a link, as the gateway tells it now.
    pub fn counter(&self, source: &str, sink: &str, key: &str) -> u64 {
        let mut status = command(&self.scratch, program("gateway"));
        let output = status.args(["status", "--admin", "admin", "--json"]).output().unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        let routes = status["routes"].as_array().unwrap();
        let route = routes.iter().find(|route| route["source"] == source && route["sink"] == sink);
        route.unwrap()[key].as_u64().unwrap()
    }

    /// Waits until a counter of a link has at least this value.
    pub fn wait_for_counter(&self, source: &str, sink: &str, key: &str, value: u64) {
        until(&format!("{key} {value} from {source} to {sink}"), || self.counter(source, sink, key) >= value);
    }

    /// The counters of a link, as a gateway that has stopped told them.
    pub fn last_counters(&self, source: &str, sink: &str) -> [u64; COUNTERS.len()] {
        let (source, sink) = (format!(r#"source="{source}""#), format!(r#"sink="{sink}""#));
        let line = self.gateway.wait_for_line_with(&[": link ", &source, &sink]);
        COUNTERS.map(|key| number(&line, key))
    }

    /// What a gateway that has stopped counted of the module under test.
    pub fn last_statistic(&self, key: &str) -> u64 {
        let line = self.gateway.wait_for_line_with(&["channel statistics", r#"module="middle""#]);
        number(&line, key)
    }

    /// Starts the stop, and waits until it has begun.
    pub fn begin_stop(&self) {
        self.gateway.terminate();
        self.gateway.wait_for_line("gateway stopping");
    }

    /// Starts the stop, and waits until it has come to the module under test: `source` has ended.
    pub fn begin_stop_of_module(&self) {
        self.begin_stop();
        self.gateway.wait_for_line_with(&["channel statistics", r#"module="source""#]);
    }

    /// Waits for the end of the stop, in good order.
    pub fn end_stop(&mut self) {
        let status = self.gateway.wait_exit();
        assert!(status.success(), "the gateway ended with {status}");
    }
}

/// The configuration of a scene. All addresses are fixed.
pub fn document(scratch: &Scratch) -> Value {
    let arguments = serde_json::from_str(ARGUMENTS).unwrap();
    let mut document = around(scratch, patient(&scratch.id(CONTROL)), arguments);
    for module in document["modules"].as_array_mut().unwrap() {
        let name = format!("{}.message", module["name"].as_str().unwrap());
        module["loader"]["entrypoint"]["message.id"] = scratch.id(&name).into();
    }
    document
}

/// The entrypoint of a module whose host the test plays, and whose Create is not repeated within a test.
pub fn patient(control: &str) -> Value {
    let mut entrypoint = attached(control);
    entrypoint["timeout"] = SELDOM_MS.into();
    entrypoint
}

/// The entry of the module under test.
pub fn middle(document: &mut Value) -> &mut Value {
    &mut document["modules"][1]
}

/// Has the gateway launch a process as the module's host. The module's channels are the test's to play all the same.
/// After an attach the next one begins at once, however short it was.
pub fn launch(document: &mut Value, grace_ms: u64, script: &str) {
    let entrypoint = &mut middle(document)["loader"]["entrypoint"];
    entrypoint["activation.type"] = json!("launch");
    entrypoint["launch"] = json!({
        "path": "/bin/sh", "args": ["-c", script], "grace.period.ms": grace_ms, "restart.reset.ms": 0,
    });
}

/// Has Create repeated after this time without an answer.
pub fn repeat_create_after(document: &mut Value, milliseconds: u64) {
    middle(document)["loader"]["entrypoint"]["timeout"] = milliseconds.into();
}

/// A scene with so many modules more, `sender-0` and so on, that publish to the module under test; with the channels of
/// their hosts, attached.
pub fn crowd(senders: u64) -> (Scene, Vec<(V1Host, Pair)>) {
    crowd_with(senders, |_| {})
}

/// The same with changes to the configuration.
pub fn crowd_with(senders: u64, change: impl FnOnce(&mut Value)) -> (Scene, Vec<(V1Host, Pair)>) {
    let names: Vec<_> = (0..senders).map(|number| format!("sender-{number}")).collect();
    let scene = Scene::with(|document| {
        for name in &names {
            let loader =
                json!({"name": "outprocess", "entrypoint": {"activation.type": "none", "control.id": name}});
            let module = json!({"name": name, "loader": loader, "args": null});
            document["modules"].as_array_mut().unwrap().push(module);
            document["links"].as_array_mut().unwrap().push(json!({"source": name, "sink": "middle"}));
        }
        change(document);
    });
    let serve = |name: &String| {
        let host = V1Host::listen(&scene.scratch.id(name));
        let message = host.serve();
        (host, message)
    };
    let hosts = names.iter().map(serve).collect();
    (scene, hosts)
}
