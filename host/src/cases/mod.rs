//! Test cases for a module: what it is given, and what must come of it. `docs/testing.md` describes the files.

mod difference;
pub mod junit;
mod play;
mod reading;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

pub use difference::{Change, Difference};
pub use play::Played;
pub use reading::CaseError;

use crate::message_document::MessageDocument;

/// A case.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// Where it is written.
    pub file: PathBuf,
    configuration: Value,
    create: Expected,
    start: Expected,
    steps: Vec<(Step, Expected)>,
    destroy: Expected,
}

/// What happens to a started module.
#[derive(Clone, Debug)]
enum Step {
    /// A message comes.
    Receive(MessageDocument),
    /// So much time passes.
    After(Duration),
}

/// What must come of a call.
#[derive(Clone, Debug, Default)]
struct Expected {
    publishes: Vec<MessageDocument>,
    end: ExpectedEnd,
}

/// How a call must end.
#[derive(Clone, Debug, Default)]
enum ExpectedEnd {
    #[default]
    Well,
    /// With an error of the module that contains these texts.
    Error(Vec<String>),
    /// With the end of the instance, of which a sentence that contains these texts is told.
    Trap(Vec<String>),
}
