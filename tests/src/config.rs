//! Gateway configurations, put together by the tests.

use std::path::Path;

use serde_json::{Value, json};

/// Modules and links.
#[derive(Default)]
pub struct Configuration {
    modules: Vec<Value>,
    links: Vec<Value>,
}

impl Configuration {
    /// Without modules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a module as it stands.
    #[must_use]
    pub fn module(mut self, module: Value) -> Self {
        self.modules.push(module);
        self
    }

    /// Adds a built-in `hello_world` of this name.
    #[must_use]
    pub fn hello_world(self, name: &str, interval_ms: u64) -> Self {
        let loader = builtin("hello_world");
        self.module(json!({"name": name, "loader": loader, "args": {"interval.ms": interval_ms}}))
    }

    /// Adds a built-in `logger` of this name.
    #[must_use]
    pub fn logger(self, name: &str, file: &Path) -> Self {
        let loader = builtin("logger");
        self.module(json!({"name": name, "loader": loader, "args": {"filename": file.to_str().unwrap()}}))
    }

    /// Adds an out-of-process module of this name.
    #[must_use]
    pub fn remote(self, name: &str, entrypoint: Value, args: Value) -> Self {
        let loader = json!({"name": "outprocess", "entrypoint": entrypoint});
        self.module(json!({"name": name, "loader": loader, "args": args}))
    }

    /// Grants pools of shared memory segments to the module that was added last.
    #[must_use]
    pub fn grant(mut self, pools: &[&str]) -> Self {
        if let Some(module) = self.modules.last_mut() {
            module["segments"] = json!({"grant": pools});
        }
        self
    }

    /// Adds a link.
    #[must_use]
    pub fn link(mut self, source: &str, sink: &str) -> Self {
        self.links.push(json!({"source": source, "sink": sink}));
        self
    }

    /// Adds a link with a policy for a full inbox.
    #[must_use]
    pub fn link_on_full(mut self, source: &str, sink: &str, policy: &str) -> Self {
        self.links.push(json!({"source": source, "sink": sink, "on.full": policy}));
        self
    }

    /// The document.
    #[must_use]
    pub fn json(self) -> Value {
        json!({"modules": self.modules, "links": self.links})
    }
}

fn builtin(module: &str) -> Value {
    json!({"name": "builtin", "entrypoint": {"module.name": module}})
}

/// The entrypoint of a module whose host is started by somebody else. Create is repeated quickly.
#[must_use]
pub fn attached(control: &str) -> Value {
    json!({"activation.type": "none", "control.id": control, "timeout": 200})
}

/// The entrypoint of a module whose host the gateway launches.
#[must_use]
pub fn launched(control: &str, path: &str, args: &[&str], grace_ms: u64) -> Value {
    json!({
        "activation.type": "launch",
        "control.id": control,
        "timeout": 200,
        "launch": {"path": path, "args": args, "grace.period.ms": grace_ms},
    })
}

/// The way through one out-of-process module: `hello` -> `remote` -> `log`, a greeting every 20 ms.
#[must_use]
pub fn pipeline(entrypoint: Value, args: Value, log: &Path) -> Configuration {
    Configuration::new()
        .hello_world("hello", 20)
        .remote("remote", entrypoint, args)
        .logger("log", log)
        .link("hello", "remote")
        .link("remote", "log")
}
