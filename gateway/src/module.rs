//! What a module in the gateway's own process is.

use std::pin::Pin;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::broker::{Inbox, Publisher};
use crate::dead_letters::DeadLetters;
#[cfg(unix)]
use crate::segments::ModuleSegments;
use crate::status::ModuleStatus;

/// What a module gets to live with.
pub struct Context {
    /// The module's name.
    pub name: String,
    /// Publishes under the module's name.
    pub publisher: Publisher,
    /// What others publish to the module. It ends when the module is to finish. A module that receives
    /// nothing drops it, so that nobody waits for room in it.
    pub inbox: Inbox,
    /// Takes the messages that killed the module too often.
    pub dead_letters: DeadLetters,
    /// The shared memory segments that the module may have.
    #[cfg(unix)]
    pub segments: ModuleSegments,
    /// Where the module says what it is doing, and is told to go on after a quarantine.
    pub status: ModuleStatus,
    /// Cancelled when the module is to publish nothing of its own accord any more.
    pub stop: CancellationToken,
}

/// Why a module ended before its time.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct ModuleError(pub String);

/// A module's whole life, from Start to its end.
pub type Life = Pin<Box<dyn Future<Output = Result<(), ModuleError>> + Send>>;

/// A module in the gateway's process. It runs as a task of its own; a panic ends this module alone.
pub trait Module: Send + 'static {
    /// Runs until the stop token is cancelled and the inbox is empty. It must not block its thread.
    fn run(self: Box<Self>, context: Context) -> Life;
}
