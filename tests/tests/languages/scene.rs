//! A host with the three modules of a language, and a gateway that the test plays.

use sandgate_tests::host_config::HostConfiguration;
use sandgate_tests::languages::{Language, MODULES};
use sandgate_tests::process::Process;
use sandgate_tests::programs::workspace;
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::V1Gateway;
use sandgate_wire::{Message, Status};

use super::toolchain::passes;

/// Messages that are under way at a time.
const WINDOW: usize = 50;

pub struct Scene<'a> {
    pub language: &'a Language,
    scratch: Scratch,
    host: Process,
}

/// A gateway's end of one module.
pub struct Attached<'a> {
    scene: &'a Scene<'a>,
    module: &'static str,
    pub gateway: V1Gateway,
}

impl<'a> Scene<'a> {
    pub fn open(language: &'a Language) -> Self {
        let scratch = Scratch::new();
        let mut modules = HostConfiguration::new();
        for name in MODULES {
            let component = language.component(name);
            // It also has each compiled, one after the other and with more patience than a start of a host gets.
            passes(&scratch, &component, &workspace().join("guest-modules/cases").join(name));
            modules = modules.component(name, &scratch.id(name), &component, language.settings());
        }
        let host = modules.start_with(&scratch, &["-v"]);
        Self { language, scratch, host }
    }

    /// The end of the host, which has had no fault that nobody wanted.
    pub fn close(mut self) {
        self.host.stop();
        for module in MODULES {
            let line = self.host.wait_for_line_with(&[": stopped", &format!("module=\"{module}\"")]);
            assert_eq!(sandgate_tests::process::number(&line, "faults"), 0, "{line}");
        }
    }

    /// A gateway for a module.
    pub fn gateway(&self, module: &'static str) -> V1Gateway {
        V1Gateway::dial(&self.scratch.id(module), &self.scratch.id(&format!("{module}.message")))
    }

    /// A module that is refused its configuration, with all these words in the log.
    pub fn is_refused(&self, module: &'static str, arguments: &str, words: &[&str]) {
        let gateway = self.gateway(module);
        assert_eq!(gateway.create(arguments), Status::CREATION_ERROR, "{module} with {arguments}");
        let label = format!("module=\"{module}\"");
        let words: Vec<_> = ["refused its arguments", &label].iter().chain(words).copied().collect();
        self.host.wait_for_line_with(&words);
    }

    /// A module that runs.
    pub fn attach(&'a self, module: &'static str, arguments: &str) -> Attached<'a> {
        let gateway = self.gateway(module);
        gateway.attach(arguments);
        Attached { scene: self, module, gateway }
    }
}

impl Attached<'_> {
    /// A line of the module's in the host's log.
    pub fn says(&self, words: &[&str]) {
        let label = format!("module=\"{}\"", self.module);
        let words: Vec<_> = [label.as_str()].iter().chain(words).copied().collect();
        self.scene.host.wait_for_line_with(&words);
    }

    /// What comes of a message.
    pub fn exchange(&self, properties: &[(&str, &str)], content: &[u8]) -> Message {
        self.gateway.publish(properties, content);
        self.gateway.receive()
    }

    /// Sends so many numbered messages, and has each come back once and in order.
    pub fn exchange_many(&self, count: usize) {
        let mut sent = 0;
        for received in 0..count {
            while sent < count && sent < received + WINDOW {
                self.gateway.publish(&[("number", &sent.to_string())], b"content");
                sent += 1;
            }
            let message = self.gateway.receive();
            assert_eq!(message.property("number"), Some(received.to_string().as_str()));
        }
    }

    /// Has the module destroyed; the most memory that its instances have used at a time, in bytes.
    pub fn destroy(self) -> u64 {
        let host = &self.scene.host;
        let label = format!("module=\"{}\"", self.module);
        let ended = |line: &&str| line.contains("the instance has ended") && line.contains(&label);
        let before = host.text().lines().filter(ended).count();
        self.gateway.destroy();
        sandgate_tests::wait::until("the instance has ended", || {
            host.text().lines().filter(ended).count() > before
        });
        let text = host.text();
        sandgate_tests::process::number(text.lines().rfind(ended).unwrap(), "memory_peak")
    }

    /// How often an instance was replaced for its memory.
    pub fn recycled(&self) -> usize {
        let label = format!("module=\"{}\"", self.module);
        let is_recycled = |line: &&str| line.contains("recycled") && line.contains(&label);
        self.scene.host.text().lines().filter(is_recycled).count()
    }
}
