//! The hostile tenants: for every fixture what it does, what stops it and how that shows. The tests are made from
//! this table, and so is `docs/hostile-tenants.md`.

mod calls;
mod lies;
mod loading;
mod logging;
mod memory;
mod publishing;
mod system;
mod timers;

use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::programs::guest;
use crate::scratch::Scratch;

include!(concat!(env!("OUT_DIR"), "/fixtures.rs"));

/// A module that misbehaves, and what is expected to come of it.
pub struct Tenant {
    /// What it does: a sentence without an end.
    pub does: &'static str,
    /// When it does that.
    pub when: When,
    /// Its `args`.
    pub arguments: &'static str,
    /// Limits that the test sets, mostly lower than the default, to see them reached soon: `NAME=VALUE`.
    pub limits: Vec<&'static str>,
    /// What stops it; the name of a limit stands between backticks.
    pub stopped_by: &'static str,
    /// How it ends.
    pub end: End,
    /// Whether it is busy until it is stopped, on a processor that others have to share with it.
    pub is_busy: bool,
}

/// What provokes a tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum When {
    /// It is loaded.
    Loaded,
    /// It is created.
    Created,
    /// It is started, or one of its timers ticks.
    Started,
    /// It receives this many messages with a property of this key.
    Received(&'static str, usize),
    /// It is destroyed.
    Destroyed,
}

/// What comes of a misbehaviour, and the words that a sentence about it must have.
#[derive(Clone, Debug)]
pub enum End {
    /// The host does not start: exit status 64.
    Unusable(Vec<&'static str>),
    /// It is not created, and that is tried again later.
    Refused(Vec<&'static str>),
    /// The call is ended and the instance with it; the module is created anew.
    Ended(Vec<&'static str>),
    /// The module gets an error, lives on, and publishes what it got as property `outcome`.
    Told(Vec<&'static str>),
    /// It lives on, and the host writes a line about it.
    Logged(Vec<&'static str>),
    /// It lives on, for it did nothing that it may not.
    Unharmed,
}

/// One that misbehaves when it receives a message with the property `misbehave`, and is not stopped.
fn tenant(does: &'static str) -> Tenant {
    Tenant {
        does,
        when: When::Received("misbehave", 1),
        arguments: "null",
        limits: Vec::new(),
        stopped_by: "nothing",
        end: End::Unharmed,
        is_busy: false,
    }
}

impl Tenant {
    fn when(self, when: When) -> Self {
        Self { when, ..self }
    }

    fn arguments(self, arguments: &'static str) -> Self {
        Self { arguments, ..self }
    }

    fn limit(mut self, limit: &'static str) -> Self {
        self.limits.push(limit);
        self
    }

    fn stopped_by(self, stopped_by: &'static str) -> Self {
        Self { stopped_by, ..self }
    }

    fn busy(self) -> Self {
        Self { is_busy: true, ..self }
    }

    fn unusable(self, words: &[&'static str]) -> Self {
        Self { end: End::Unusable(words.to_vec()), ..self }
    }

    fn refused(self, words: &[&'static str]) -> Self {
        Self { end: End::Refused(words.to_vec()), ..self }
    }

    fn ended(self, words: &[&'static str]) -> Self {
        Self { end: End::Ended(words.to_vec()), ..self }
    }

    fn told(self, words: &[&'static str]) -> Self {
        Self { end: End::Told(words.to_vec()), ..self }
    }

    fn logged(self, words: &[&'static str]) -> Self {
        Self { end: End::Logged(words.to_vec()), ..self }
    }

    /// The options of a host that runs it alone.
    #[must_use]
    pub fn options(&self) -> Vec<&str> {
        self.limits.iter().flat_map(|limit| ["-W", limit]).collect()
    }

    /// Its limits as the configuration of a host with many modules has them.
    ///
    /// # Panics
    /// One has no `=`.
    #[must_use]
    pub fn limits_document(&self) -> Value {
        let pairs = self.limits.iter().map(|limit| limit.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<Map<_, _>>().into()
    }
}

/// All tenants, with their names: the fixtures, and those that are made when they are needed.
#[must_use]
pub fn all() -> Vec<(&'static str, Tenant)> {
    let mut tenants = fixtures();
    tenants.push(("huge_component", loading::huge_component()));
    tenants
}

/// The tenant of this name.
///
/// # Panics
/// There is none.
#[must_use]
pub fn named(name: &str) -> Tenant {
    let found = all().into_iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("there is no tenant {name}")).1
}

/// Where the component of this tenant is.
#[must_use]
pub fn component(scratch: &Scratch, name: &str) -> PathBuf {
    match name {
        "huge_component" => loading::write_huge_component(scratch),
        fixture => guest(&format!("fixtures/{fixture}")),
    }
}

/// A fixture is listed by a function of its name. The compiler says which one has none.
fn fixtures() -> Vec<(&'static str, Tenant)> {
    use calls::*;
    use lies::*;
    use loading::*;
    use logging::*;
    use memory::*;
    use publishing::*;
    use system::*;
    use timers::*;

    macro_rules! list {
        ($($fixture:ident)*) => { vec![$((stringify!($fixture), $fixture())),*] };
    }
    foreach_fixture!(list)
}
