//! What the modules are doing, for somebody who asks, and the way to revive one.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use thiserror::Error;
use tokio::sync::watch;

/// What a module is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// It has not run yet.
    Starting,
    /// It runs.
    Running,
    /// It failed, and is started again.
    Restarting,
    /// It failed too often, and is not started again until it is revived.
    Quarantined,
    /// Its host is not there.
    Absent,
    /// It has ended, as asked or for good.
    Stopped,
}

/// Why a module was not revived.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ReviveError {
    /// No module has that name.
    #[error("there is no module `{0}`")]
    NoSuchModule(String),
    /// Nothing holds it back.
    #[error("the module `{0}` is {1}; only a quarantined module can be revived")]
    NotQuarantined(String, State),
}

/// The statuses of all modules, in the order in which they were added. Clones share them.
#[derive(Clone, Default)]
pub struct StatusBoard {
    modules: Arc<Mutex<Vec<ModuleStatus>>>,
}

/// The status of one module. Clones share it; each call takes one short lock.
#[derive(Clone)]
pub struct ModuleStatus {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    kind: &'static str,
    current: Mutex<Current>,
    /// How many times it was revived.
    revivals: watch::Sender<u64>,
}

struct Current {
    own: Standing,
    /// What the launcher says, which stands above the module's own.
    launch: Option<Standing>,
    figures: Map<String, Value>,
}

#[derive(Clone)]
struct Standing {
    state: State,
    since: Timestamp,
    reason: String,
}

impl StatusBoard {
    /// A board without modules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a module, which is starting. `kind` is `builtin`, `native` or `outprocess`.
    pub fn add(&self, name: &str, kind: &'static str) -> ModuleStatus {
        let status = ModuleStatus::new(name, kind);
        self.lock().push(status.clone());
        status
    }

    /// Forgets a module.
    pub fn remove(&self, name: &str) {
        self.lock().retain(|module| module.name() != name);
    }

    /// The modules there are.
    #[must_use]
    pub fn modules(&self) -> Vec<ModuleStatus> {
        self.lock().clone()
    }

    /// Revives a quarantined module.
    ///
    /// # Errors
    /// There is no such module, or it is not quarantined.
    pub fn revive(&self, name: &str) -> Result<(), ReviveError> {
        let found = self.lock().iter().find(|module| module.name() == name).cloned();
        found.ok_or_else(|| ReviveError::NoSuchModule(name.to_owned()))?.revive()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ModuleStatus>> {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ModuleStatus {
    /// The status of a module that is on no board.
    #[must_use]
    pub fn new(name: &str, kind: &'static str) -> Self {
        let current = Current { own: Standing::new(State::Starting, ""), launch: None, figures: Map::new() };
        let (current, revivals) = (Mutex::new(current), watch::channel(0).0);
        Self { shared: Arc::new(Shared { name: name.to_owned(), kind, current, revivals }) }
    }

    /// The module's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// What kind of module it is.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.shared.kind
    }

    /// What it is doing, with a reason in a few words; empty where it needs none.
    pub fn set(&self, state: State, reason: impl Into<String>) {
        let mut current = self.lock();
        current.own = Standing::after(&current.own, state, reason.into());
    }

    /// What stands above the module's own state until it is taken away with `None`: what the launcher of
    /// its host says.
    pub fn set_launch(&self, launch: Option<(State, String)>) {
        let mut current = self.lock();
        current.launch = launch.map(|(state, reason)| {
            let before = current.launch.as_ref().unwrap_or(&current.own);
            Standing::after(before, state, reason)
        });
    }

    /// A figure to show beside the state, such as `attaches`; `null` takes it away.
    pub fn set_figure(&self, name: &str, value: impl Into<Value>) {
        let (mut current, value) = (self.lock(), value.into());
        if value.is_null() {
            current.figures.shift_remove(name);
        } else {
            current.figures.insert(name.to_owned(), value);
        }
    }

    /// Adds to a figure that counts.
    pub fn count(&self, name: &str, more: u64) {
        let mut current = self.lock();
        let figure = current.figures.entry(name.to_owned()).or_insert(Value::from(0));
        *figure = Value::from(figure.as_u64().unwrap_or_default().saturating_add(more));
    }

    /// What it is doing now.
    #[must_use]
    pub fn state(&self) -> State {
        let current = self.lock();
        current.launch.as_ref().unwrap_or(&current.own).state
    }

    /// The number of revivals, which changes when there is another. A module that is quarantined waits for it
    /// with a receiver of its own, made just before it says so, so that an earlier revival does not count
    /// and none is missed.
    #[must_use]
    pub fn revivals(&self) -> watch::Receiver<u64> {
        self.shared.revivals.subscribe()
    }

    /// Revives it.
    ///
    /// # Errors
    /// It is not quarantined.
    pub fn revive(&self) -> Result<(), ReviveError> {
        let state = self.state();
        if state != State::Quarantined {
            return Err(ReviveError::NotQuarantined(self.name().to_owned(), state));
        }
        self.shared.revivals.send_modify(|revivals| *revivals += 1);
        Ok(())
    }

    /// Name, kind, state, since when, reason, and all figures.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let current = self.lock();
        let Standing { state, since, reason } = current.launch.as_ref().unwrap_or(&current.own);
        let mut json = json!({
            "name": self.shared.name,
            "kind": self.shared.kind,
            "state": state.to_string(),
            "since": since.to_string(),
            "reason": reason,
        });
        if let Value::Object(map) = &mut json {
            map.extend(current.figures.clone());
        }
        json
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.shared.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn new(state: State, reason: &str) -> Self {
        Self { state, since: Timestamp::now(), reason: reason.to_owned() }
    }

    /// The same state goes on from when it began.
    fn after(before: &Self, state: State, reason: String) -> Self {
        let since = if before.state == state { before.since } else { Timestamp::now() };
        Self { state, since, reason }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Quarantined => "quarantined",
            Self::Absent => "absent",
            Self::Stopped => "stopped",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_state_reason_and_figures() {
        let board = StatusBoard::new();
        let status = board.add("a", "builtin");
        status.set(State::Running, "");
        status.count("attaches", 1);
        status.count("attaches", 2);
        status.set_figure("digest", "abc");
        let json = status.to_json();
        assert_eq!(
            (&json["state"], &json["attaches"], &json["digest"]),
            (&"running".into(), &3.into(), &"abc".into())
        );
        status.set_figure("digest", Value::Null);
        assert_eq!(status.to_json().get("digest"), None);
        let since = json["since"].clone();
        status.set(State::Running, "still");
        assert_eq!((&status.to_json()["since"], &status.to_json()["reason"]), (&since, &"still".into()));
        board.remove("a");
        assert!(board.modules().is_empty());
    }

    #[test]
    fn what_the_launcher_says_stands_above() {
        let status = ModuleStatus::new("a", "outprocess");
        status.set_launch(Some((State::Quarantined, "too many exits".into())));
        status.set(State::Absent, "host gone");
        assert_eq!(status.state(), State::Quarantined);
        status.set_launch(None);
        assert_eq!(status.state(), State::Absent);
    }

    #[tokio::test]
    async fn only_what_is_quarantined_is_revived() {
        let board = StatusBoard::new();
        let status = board.add("a", "outprocess");
        let error = board.revive("a").unwrap_err();
        assert_eq!(error.to_string(), "the module `a` is starting; only a quarantined module can be revived");
        assert_eq!(board.revive("b"), Err(ReviveError::NoSuchModule("b".into())));
        status.set(State::Quarantined, "crash loop");
        let mut revivals = status.revivals();
        board.revive("a").unwrap();
        revivals.changed().await.unwrap();
        assert!(!status.revivals().has_changed().unwrap(), "an earlier revival does not count");
    }
}
