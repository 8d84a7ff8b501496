//! What every instance of a module shares.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::flow::Flow;
use crate::limits::Limits;
use crate::module::Module;
use crate::restart::RestartPolicy;
use crate::verdict::{Archive, Reporter};

/// A module as it is to be run.
#[derive(Clone)]
pub struct Setup {
    /// The compiled component.
    pub module: Module,
    /// What the module is called in logs, verdicts and statistics.
    pub name: String,
    /// What it may use.
    pub limits: Limits,
    /// What happens when it fails.
    pub restart: RestartPolicy,
    /// When it is replaced although it has not failed.
    pub recycle: Recycling,
}

impl Setup {
    /// With limits and policies at their defaults.
    #[must_use]
    pub fn new(module: Module, name: &str) -> Self {
        Self {
            module,
            name: name.to_owned(),
            limits: Limits::default(),
            restart: RestartPolicy::default(),
            recycle: Recycling::default(),
        }
    }

    /// Whether it is the same component, to be run in the same way.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let Self { module, name, limits, restart, recycle } = self;
        module.digest() == other.module.digest()
            && (name, limits, restart, recycle)
                == (&other.name, &other.limits, &other.restart, &other.recycle)
    }
}

/// When an instance that works is replaced by a new one, between two messages: some language runtimes
/// leak. Nothing is lost but what the instance remembers. Each is off unless it is given.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Recycling {
    /// Once it uses so many bytes (the soft limit below `max-memory-size`).
    pub memory: Option<u64>,
    /// After so many messages.
    pub messages: Option<u64>,
    /// After so long.
    pub interval: Option<Duration>,
}

/// A module with all that its instances share.
#[derive(Clone)]
pub(crate) struct Blueprint {
    pub(crate) module: Module,
    pub(crate) label: Arc<str>,
    pub(crate) limits: Limits,
    pub(crate) restart: RestartPolicy,
    pub(crate) recycle: Recycling,
    pub(crate) flow: Arc<Flow>,
    pub(crate) reporter: Reporter,
    /// Where verdicts are kept.
    pub(crate) archive: Option<Archive>,
    /// Where timers tick.
    pub(crate) runtime: Handle,
}

/// What a session has for the modules that it makes, one after the other.
#[derive(Clone)]
pub(crate) struct Sharing {
    pub(crate) flow: Arc<Flow>,
    pub(crate) reporter: Reporter,
    pub(crate) archive: Option<Archive>,
    pub(crate) runtime: Handle,
}

impl Sharing {
    /// A new account. Called in a runtime.
    pub(crate) fn new(reporter: Reporter, archive: Option<Archive>) -> Self {
        Self { flow: Arc::default(), reporter, archive, runtime: Handle::current() }
    }
}

impl Blueprint {
    pub(crate) fn sharing(setup: Setup, sharing: Sharing) -> Self {
        let Setup { module, name, limits, restart, recycle } = setup;
        let Sharing { flow, reporter, archive, runtime } = sharing;
        Self { module, label: name.into(), limits, restart, recycle, flow, reporter, archive, runtime }
    }

    /// What another module of the session gets.
    pub(crate) fn shared(&self) -> Sharing {
        let Self { flow, reporter, archive, runtime, .. } = self.clone();
        Sharing { flow, reporter, archive, runtime }
    }
}
