//! V1's JSON configuration, checked: everything that is wrong is reported at once.

mod cycles;
pub(crate) mod fault;
mod links;
mod loader;
mod modules;
mod native;
mod outprocess;
pub(crate) mod reader;
mod segments;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandgate_wire::Address;
use sandgate_wire::link::{Beats, Window};
use serde_json::Value;

use crate::broker::{Capacity, Link};
use crate::builtin::Builtin;
use crate::dead_letters::DeadLetters;
use crate::segments::SegmentRights;
pub use fault::{ConfigError, Fault, Place};
use reader::{Findings, Node};

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The modules, in the file's order. Names are unique.
    pub modules: Vec<ModuleConfig>,
    /// The links, in the file's order, with their policies decided.
    pub links: Vec<Link>,
    /// The file for dead letters (`dead.letter.file`). Of a configuration that was loaded from a file, a
    /// relative one is relative to that file.
    pub dead_letter_file: PathBuf,
    /// Unknown keys, in the lenient mode.
    pub warnings: Vec<Fault>,
    /// Decisions worth knowing: links on a cycle that got a policy.
    pub notes: Vec<Fault>,
}

/// One module.
#[derive(Clone, Debug)]
pub struct ModuleConfig {
    /// Its name.
    pub name: String,
    /// How much its inbox holds (`queue.capacity`, `queue.bytes`).
    pub queue: Capacity,
    /// Which shared memory segments it may have (`segments`).
    pub segments: SegmentRights,
    /// What it is.
    pub kind: ModuleKind,
}

/// What a module is.
#[derive(Clone, Debug)]
pub enum ModuleKind {
    /// A module of the gateway's own.
    Builtin(Builtin),
    /// A module of a shared library.
    Native(NativeConfig),
    /// A module in another process.
    Outprocess(Box<OutprocessConfig>),
}

/// A module of a shared library: V1's `native` entrypoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NativeConfig {
    /// The library (`module.path`). With a `/` it is relative to the working directory; without one the system
    /// looks for it, as in V1.
    pub library: String,
    /// The module's `args` as JSON text.
    pub arguments: String,
}

/// A module in another process: V1's `outprocess` entrypoint.
#[derive(Clone, Debug)]
pub struct OutprocessConfig {
    /// Address of the control channel (`control.id`), which the module host binds; or of the socket of the host's link
    /// (`link.id`), where the host has many modules.
    pub control: Address,
    /// The module's name in its host (`link.module`), where it is found on the link.
    pub hosted: Option<String>,
    /// Address of the message channel (`message.id`); without it every attach makes one up.
    pub message: Option<Address>,
    /// How long to wait for a Reply before Create is sent again (`timeout`).
    pub timeout: Duration,
    /// The module's `args` as JSON text.
    pub arguments: String,
    /// The host to start, when `activation.type` is `launch`.
    pub launch: Option<LaunchConfig>,
    /// How the host link is used, if the host has it.
    pub link: HostLinkConfig,
}

/// How a module's data goes to its host.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ChannelKind {
    /// Over the host link with a host that offers it, through shared memory if it can; else over V1's message channel
    /// (`auto`).
    #[default]
    Auto,
    /// As `auto`, but over the link's socket and never through shared memory (`socket`).
    Socket,
    /// Over V1's message channel whatever the host offers (`pair`).
    Pair,
}

impl ChannelKind {
    /// Whether the host link carries messages, if the host has it.
    #[must_use]
    pub fn uses_link(self) -> bool {
        matches!(self, Self::Auto | Self::Socket)
    }
}

/// How the host link is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HostLinkConfig {
    /// Whether it is used (`channel`).
    pub channel: ChannelKind,
    /// How often a host is asked whether it is there (`heartbeat.ms`).
    pub heartbeat: Duration,
    /// How long a host may be silent before it counts as hung (`hang.ms`); at least two heartbeats.
    pub hang: Duration,
    /// How many messages may be in flight to the host (`window`).
    pub window: u32,
    /// How many bytes may be (`window.bytes`).
    pub window_bytes: u64,
}

impl Default for HostLinkConfig {
    fn default() -> Self {
        Self {
            channel: ChannelKind::Auto,
            heartbeat: Duration::from_millis(250),
            hang: Duration::from_millis(900),
            window: 256,
            window_bytes: 32 << 20,
        }
    }
}

impl HostLinkConfig {
    /// How a host's silence is noticed.
    #[must_use]
    pub fn beats(&self) -> Beats {
        Beats { every: self.heartbeat, patience: self.hang }
    }

    /// What may be in flight.
    #[must_use]
    pub fn window(&self) -> Window {
        Window { messages: self.window, bytes: self.window_bytes }
    }
}

/// A host process to start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LaunchConfig {
    /// The program. Without a `/` it is looked for beside the gateway's own program, then on `PATH`; a
    /// relative path with one is relative to the working directory, as in V1.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// How long it may take to exit after Destroy (`grace.period.ms`).
    pub grace: Duration,
    /// How long it may take from its start until something is heard of it (`start.timeout.ms`).
    pub start_timeout: Duration,
    /// When it is no longer started again.
    pub restart: RestartConfig,
}

impl LaunchConfig {
    /// Five minutes: a host compiles its modules before it is heard of, each for up to a minute.
    pub const START_TIMEOUT: Duration = Duration::from_secs(300);
}

/// When a host that exits is no longer started again: after more than `max` exits within `window`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RestartConfig {
    /// Exits (`restart.max`).
    pub max: u32,
    /// A host that has run for so long ran fine: when it exits it is started again at once (`restart.reset.ms`).
    pub reset: Duration,
    /// The time that they are counted in (`restart.window.ms`).
    pub window: Duration,
}

impl Default for RestartConfig {
    /// 20 in two minutes. The waits between launches grow to five seconds, so a host that exits at once has
    /// come there within 81 seconds.
    fn default() -> Self {
        Self { max: 20, window: Duration::from_secs(120), reset: Duration::from_secs(10) }
    }
}

impl Config {
    /// Reads and checks a file. `lenient` turns unknown keys into warnings, as V1 ignored them.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn load(file: &Path, lenient: bool) -> Result<Self, ConfigError> {
        let failed = |faults| ConfigError { file: file.to_owned(), faults };
        let bytes = fs::read(file).map_err(|error| {
            failed(vec![Fault::file(match error.kind() {
                ErrorKind::NotFound => "no such file; give the path of a gateway configuration".to_owned(),
                _ => format!("cannot be read: {error}"),
            })])
        })?;
        let mut config = Self::parse(&bytes, lenient).map_err(failed)?;
        if let Some(directory) = file.parent() {
            config.dead_letter_file = directory.join(config.dead_letter_file);
        }
        Ok(config)
    }

    /// Checks a configuration's bytes.
    ///
    /// # Errors
    /// Every fault, at least one.
    pub fn parse(bytes: &[u8], lenient: bool) -> Result<Self, Vec<Fault>> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = &bytes[..error.valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
            let text = "this byte is not UTF-8; save the file in UTF-8".to_owned();
            vec![Fault { place: Place::Position(line, column), text }]
        })?;
        // Windows editors put a byte order mark there, and V1's parser skipped it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let document: Value = serde_json::from_str(text).map_err(|error| {
            let place = Place::Position(error.line(), error.column());
            let text = error.to_string();
            // serde_json repeats the position in words.
            let text = text.split(" at line ").next().unwrap_or(&text);
            vec![Fault { place, text: format!("not JSON: {text}") }]
        })?;
        Self::check(&document, lenient)
    }

    /// Checks a configuration that is JSON already.
    ///
    /// # Errors
    /// Every fault, at least one.
    pub fn check(document: &Value, lenient: bool) -> Result<Self, Vec<Fault>> {
        let findings = Findings::new(lenient);
        let config = read(&Node::root(document, &findings));
        let (faults, warnings) = findings.into_parts();
        match config {
            Some(config) if faults.is_empty() => Ok(Self { warnings, ..config }),
            _ => Err(faults),
        }
    }
}

/// Reads the document as far as it can be read; the findings say whether the result can be used.
fn read(root: &Node<'_>) -> Option<Config> {
    let top = root.object()?;
    let loaders = loader::Loaders::read(top.optional("loaders"));
    let modules = top.required("modules", "write `\"modules\": []` for none").and_then(|node| node.array());
    let links = top.required("links", "write `\"links\": []` for none").and_then(|node| node.array());
    let file = top.optional("dead.letter.file").map(|node| node.path());
    top.finish();
    let (modules, names) = modules::read(&modules.unwrap_or_default(), &loaders);
    let (links, notes) = links::read(&links.unwrap_or_default(), &names);
    let dead_letter_file = file.unwrap_or_else(|| Some(PathBuf::from(DeadLetters::FILE)))?;
    Some(Config { modules, links, dead_letter_file, warnings: Vec::new(), notes })
}

#[cfg(test)]
mod tests;
