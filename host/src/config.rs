//! The configuration of a host with many modules: `wasm-host --config FILE`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, fs};

use sandgate_wire::Address;
use sandgate_wire::link::TEXT_MAX;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::blueprint::Recycling;
use crate::limits::Limits;
use crate::limits::value::parse_size;
use crate::restart::RestartPolicy;

/// The longest time that a configuration can ask for, in milliseconds: a day.
const LONGEST: u64 = 86_400_000;
/// The shortest time between two recyclings.
const SHORTEST_LIFE: u64 = 10;

/// What a host runs, checked.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// The modules, in the file's order; at least one.
    pub modules: Vec<ModuleConfig>,
    /// The socket at which gateways find the modules without a control id.
    pub link: Option<PathBuf>,
    /// Where compiled code is kept; the user's cache when it is not given.
    pub cache_directory: Option<PathBuf>,
    /// Where verdicts are kept; nowhere when it is not given.
    pub verdict_directory: Option<PathBuf>,
}

/// One module of a host.
#[derive(Clone, Debug, PartialEq)]
pub struct ModuleConfig {
    /// What it is called in logs.
    pub name: String,
    /// Where the gateway finds it.
    pub place: Place,
    /// The component.
    pub path: PathBuf,
    /// What it may use.
    pub limits: Limits,
    /// What happens when it fails.
    pub restart: RestartPolicy,
    /// When it is replaced although it has not failed.
    pub recycle: Recycling,
}

/// Where gateways find a module.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Place {
    /// At a control channel of its own (`control.id`).
    Control(Address),
    /// On the host link, by its name.
    Link(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control(address) => address.fmt(f),
            Self::Link(name) => write!(f, "{name} on the host link"),
        }
    }
}

/// A configuration that cannot be used: everything that is wrong, a line each.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[error("{}", faults.join("\n"))]
pub struct HostConfigError {
    /// Each names the file, the place and the mend.
    pub faults: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    modules: Vec<RawModule>,
    #[serde(rename = "link.id")]
    link: Option<PathBuf>,
    #[serde(rename = "cache.dir")]
    cache_directory: Option<PathBuf>,
    #[serde(rename = "verdict.dir")]
    verdict_directory: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModule {
    name: Option<String>,
    #[serde(rename = "control.id")]
    control: Option<String>,
    #[serde(rename = "module.path")]
    path: PathBuf,
    #[serde(default)]
    limits: BTreeMap<String, Value>,
    #[serde(default)]
    restart: RawRestart,
    #[serde(default)]
    recycle: RawRecycling,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRestart {
    max: Option<u32>,
    #[serde(rename = "window.ms")]
    window: Option<u64>,
    #[serde(rename = "backoff.ms")]
    backoff: Option<u64>,
    #[serde(rename = "longest.backoff.ms")]
    longest_backoff: Option<u64>,
    #[serde(rename = "reset.ms")]
    reset: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRecycling {
    memory: Option<Value>,
    messages: Option<u64>,
    #[serde(rename = "interval.ms")]
    interval: Option<u64>,
}

impl HostConfig {
    /// Reads and checks a file. Relative paths in it are relative to the file, but for `control.id` and
    /// `link.id`, which are relative to the working directory, as in V1.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn load(file: &Path) -> Result<Self, HostConfigError> {
        let fault = |text: String| HostConfigError { faults: vec![format!("{}: {text}", file.display())] };
        let text = fs::read_to_string(file).map_err(|error| fault(format!("cannot be read: {error}")))?;
        let base = file.parent().unwrap_or(Path::new(""));
        Self::parse(&text, base).map_err(|error| HostConfigError {
            faults: error.faults.iter().map(|text| format!("{}: {text}", file.display())).collect(),
        })
    }

    /// Checks a configuration's text; `base` is what relative paths are relative to.
    ///
    /// # Errors
    /// Everything that is wrong, at least one fault.
    pub fn parse(text: &str, base: &Path) -> Result<Self, HostConfigError> {
        let raw: RawConfig = serde_json::from_str(text)
            .map_err(|error| HostConfigError { faults: vec![error.to_string()] })?;
        let mut faults = Vec::new();
        if raw.modules.is_empty() {
            faults.push("/modules: there is nothing to run; add a module".to_owned());
        }
        let (mut places, has_link) = (HashMap::new(), raw.link.is_some());
        let modules = raw.modules.into_iter().enumerate();
        let check = |(index, raw): (_, RawModule)| raw.check(index, base, has_link, &mut places, &mut faults);
        let modules: Vec<_> = modules.filter_map(check).collect();
        if !faults.is_empty() {
            return Err(HostConfigError { faults });
        }
        Ok(Self {
            modules,
            link: raw.link,
            cache_directory: raw.cache_directory.map(|path| base.join(path)),
            verdict_directory: raw.verdict_directory.map(|path| base.join(path)),
        })
    }
}

impl RawModule {
    fn check(
        self,
        index: usize,
        base: &Path,
        has_link: bool,
        places: &mut HashMap<Place, usize>,
        faults: &mut Vec<String>,
    ) -> Option<ModuleConfig> {
        let before = faults.len();
        let mut fault = |key: &str, text: &str| faults.push(format!("/modules/{index}/{key}: {text}"));
        let path = base.join(&self.path);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = self.name.filter(|name| !name.is_empty()).unwrap_or(stem);
        let place = match self.control.as_deref().map(str::parse) {
            Some(Ok(address)) => Some(Place::Control(address)),
            Some(Err(error)) => {
                fault("control.id", &format!("{error}"));
                None
            }
            None if !has_link => {
                fault("control.id", "is missing; give one, or a `link.id` for all modules that have none");
                None
            }
            None if name.len() > TEXT_MAX => {
                fault("name", &format!("has more than {TEXT_MAX} bytes, which is too long for the link"));
                None
            }
            None => Some(Place::Link(name.clone())),
        };
        if let Some(first) = place.clone().and_then(|place| places.insert(place, index)) {
            let key = if self.control.is_some() { "control.id" } else { "name" };
            fault(key, &format!("/modules/{first} has this one already; every module needs its own"));
        }
        let mut limits = Limits::default();
        for (name, value) in &self.limits {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => {
                    fault(
                        &format!("limits/{name}"),
                        "must be a number, or a text such as \"64MiB\" or \"200ms\"",
                    );
                    continue;
                }
            };
            if let Err(error) = limits.set(name, &text) {
                fault(&format!("limits/{name}"), &error.to_string());
            }
        }
        let mut time = |key: &str, value: Option<u64>, shortest: u64, default: Duration| match value {
            None => default,
            Some(value) if (shortest..=LONGEST).contains(&value) => Duration::from_millis(value),
            Some(_) => {
                fault(key, &format!("must be a whole number of milliseconds from {shortest} to {LONGEST}"));
                default
            }
        };
        let policy = RestartPolicy::default();
        let restart = RestartPolicy {
            max: self.restart.max.unwrap_or(policy.max),
            window: time("restart/window.ms", self.restart.window, 1, policy.window),
            backoff: time("restart/backoff.ms", self.restart.backoff, 1, policy.backoff),
            longest_backoff: time(
                "restart/longest.backoff.ms",
                self.restart.longest_backoff,
                1,
                policy.longest_backoff,
            ),
            reset: time("restart/reset.ms", self.restart.reset, 0, policy.reset),
        };
        let interval = time("recycle/interval.ms", self.recycle.interval, SHORTEST_LIFE, Duration::ZERO);
        if restart.longest_backoff < restart.backoff {
            fault("restart/longest.backoff.ms", "is shorter than backoff.ms; give a longer time");
        }
        if restart.max as usize > 10_000 {
            fault("restart/max", "must be at most 10000");
        }
        if self.recycle.messages == Some(0) {
            fault("recycle/messages", "must be at least 1; leave it out for never");
        }
        let memory = self.recycle.memory.and_then(|value| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let size = parse_size(&text);
            if size.is_none() {
                fault("recycle/memory", "must be a size in bytes, such as 67108864 or \"64MiB\"");
            }
            size
        });
        let recycle = Recycling {
            memory,
            messages: self.recycle.messages,
            interval: (!interval.is_zero()).then_some(interval),
        };
        let place = place.filter(|_| faults.len() == before)?;
        Some(ModuleConfig { name, place, path, limits, restart, recycle })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<HostConfig, HostConfigError> {
        HostConfig::parse(text, Path::new("/base"))
    }

    #[test]
    fn a_module_needs_a_path_and_a_control_id_and_gets_defaults() {
        let config =
            parse(r#"{"modules": [{"control.id": "/tmp/a.control", "module.path": "a.wasm"}]}"#).unwrap();
        let [module] = &config.modules[..] else { panic!("one module") };
        assert_eq!((module.name.as_str(), module.path.as_path()), ("a", Path::new("/base/a.wasm")));
        assert_eq!(module.restart, RestartPolicy::default());
        assert_eq!(module.recycle, Recycling::default());
    }

    #[test]
    fn a_module_without_a_control_id_is_found_on_the_link_by_its_name() {
        let config = r#"{"link.id": "/tmp/l", "modules": [{"module.path": "a.wasm"}, {"name": "b", "module.path": "a.wasm"},
            {"control.id": "/tmp/a.control", "module.path": "a.wasm"}]}"#;
        let config = parse(config).unwrap();
        let places: Vec<_> = config.modules.iter().map(|module| module.place.to_string()).collect();
        assert_eq!(places, ["a on the host link", "b on the host link", "ipc:///tmp/a.control"]);
        assert_eq!(config.link.as_deref(), Some(Path::new("/tmp/l")));
        for (modules, place) in [
            (r#"{"modules": [{"module.path": "a.wasm"}]}"#, "/modules/0/control.id: is missing"),
            (
                r#"{"link.id": "l", "modules": [{"module.path": "a.wasm"}, {"module.path": "b/a.wasm"}]}"#,
                "/modules/1/name: /modules/0 has",
            ),
        ] {
            let error = parse(modules).unwrap_err().to_string();
            assert!(error.contains(place), "{error}");
        }
    }

    #[test]
    fn limits_policies_and_directories_are_read() {
        let config = parse(
            r#"{"modules": [{"name": "n", "control.id": "/tmp/a.control", "module.path": "/m/a.wasm",
                "limits": {"timeout": "200ms", "max-timers": 3},
                "restart": {"max": 2, "window.ms": 1000, "backoff.ms": 1, "longest.backoff.ms": 9, "reset.ms": 0},
                "recycle": {"memory": "1MiB", "messages": 7, "interval.ms": 500}}],
                "cache.dir": "c", "verdict.dir": "/v"}"#,
        )
        .unwrap();
        let module = &config.modules[0];
        assert_eq!(module.limits.max_timers, 3);
        assert_eq!((module.restart.max, module.restart.reset), (2, Duration::ZERO));
        let recycle = Recycling {
            memory: Some(1 << 20),
            messages: Some(7),
            interval: Some(Duration::from_millis(500)),
        };
        assert_eq!(module.recycle, recycle);
        assert_eq!(config.cache_directory.as_deref(), Some(Path::new("/base/c")));
        assert_eq!(config.verdict_directory.as_deref(), Some(Path::new("/v")));
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_place() {
        let error = parse(
            r#"{"modules": [
                {"control.id": "/tmp/a.control", "module.path": "a.wasm", "limits": {"timeoutt": 1, "fuel": []}},
                {"control.id": "/tmp/a.control", "module.path": "b.wasm", "recycle": {"messages": 0, "memory": "big"},
                 "restart": {"backoff.ms": 10, "longest.backoff.ms": 5, "window.ms": 0}}]}"#,
        )
        .unwrap_err();
        let text = error.to_string();
        for place in [
            "/modules/0/limits/timeoutt: ",
            "/modules/0/limits/fuel: ",
            "/modules/1/control.id: ",
            "/modules/1/restart/window.ms: ",
            "/modules/1/restart/longest.backoff.ms: ",
            "/modules/1/recycle/messages: ",
            "/modules/1/recycle/memory: ",
        ] {
            assert!(text.contains(place), "{place} is missing in\n{text}");
        }
    }

    #[test]
    fn an_unknown_key_is_told_with_its_line_and_the_known_ones() {
        let text = parse("{\n\"modules\": [],\n\"modulez\": 1}").unwrap_err().to_string();
        assert!(
            text.contains("modulez") && text.contains("line 3") && text.contains("verdict.dir"),
            "{text}"
        );
        assert!(parse(r#"{"modules": []}"#).unwrap_err().to_string().contains("nothing to run"));
    }
}
