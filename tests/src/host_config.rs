//! Configurations of a host with many modules.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::process::Process;
use crate::programs::{command, guest, program};
use crate::scratch::Scratch;

const FILE: &str = "host.json";

/// The modules of one host.
#[derive(Default)]
pub struct HostConfiguration {
    modules: Vec<Value>,
    link: Option<String>,
}

impl HostConfiguration {
    /// Without modules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a module; `more` has its limits and policies.
    #[must_use]
    pub fn module(self, name: &str, control: &str, guest_name: &str, more: Value) -> Self {
        self.component(name, control, &guest(guest_name), more)
    }

    /// Lets gateways find modules by their names at this socket.
    #[must_use]
    pub fn link(mut self, socket: &str) -> Self {
        self.link = Some(socket.to_owned());
        self
    }

    /// Adds a module that is found by its name.
    #[must_use]
    pub fn module_on_link(mut self, name: &str, guest_name: &str, more: Value) -> Self {
        let mut module = json!({"name": name, "module.path": guest(guest_name)});
        module.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.modules.push(module);
        self
    }

    /// Adds a module whose component is in this file.
    #[must_use]
    pub fn component(mut self, name: &str, control: &str, path: &Path, more: Value) -> Self {
        let mut module = json!({"name": name, "control.id": control, "module.path": path});
        module.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.modules.push(module);
        self
    }

    /// Writes the file.
    pub fn write(&self, scratch: &Scratch) -> PathBuf {
        let mut document = json!({"modules": self.modules, "verdict.dir": "verdicts"});
        if let Some(link) = &self.link {
            document["link.id"] = json!(link);
        }
        scratch.write(FILE, serde_json::to_vec_pretty(&document).unwrap())
    }

    /// Starts a host with it, and waits until all control channels are bound.
    #[must_use]
    pub fn start(&self, scratch: &Scratch) -> Process {
        self.start_with(scratch, &[])
    }

    /// The same, with further options.
    #[must_use]
    pub fn start_with(&self, scratch: &Scratch, options: &[&str]) -> Process {
        let file = self.write(scratch);
        let mut command = command(scratch, program("wasm-host"));
        let host = Process::start(command.args(options).arg("--config").arg(file));
        host.wait_for_nth_line(self.modules.len(), "waiting for a gateway");
        host
    }

    /// Starts a host with it, whatever comes of it.
    #[must_use]
    pub fn start_anyhow(&self, scratch: &Scratch) -> Process {
        let file = self.write(scratch);
        Process::start(command(scratch, program("wasm-host")).arg("--config").arg(file))
    }
}
