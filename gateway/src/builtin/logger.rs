//! V1's `logger`: every message becomes an entry of a JSON array in a file.

use std::collections::VecDeque;
use std::path::PathBuf;

use tokio::task::spawn_blocking;
use tracing::{error, warn};

use super::log_file::{LogFile, LogFileError, Storage, event_entry, message_entry, time_text};
use crate::broker::Delivery;
use crate::config::reader::Node;
use crate::module::{Context, Life, Module, ModuleError};

/// Messages that are written together: one write for all that wait, up to this many.
const BATCH: usize = 256;

/// Writes what it receives to a file, in V1's format.
///
/// A file that cannot be written does not end the module: entries are lost and counted, and one line
/// says so when it begins and when it ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Logger {
    /// `filename`; a relative one is relative to the working directory, as in V1.
    pub file: PathBuf,
}

impl Logger {
    pub(super) fn read(args: &Node<'_>) -> Option<Self> {
        if args.value.is_null() {
            args.fault("the logger needs a file; write {\"filename\": \"log.json\"}");
            return None;
        }
        let args = args.object()?;
        let file = args.required("filename", "write `\"filename\": \"log.json\"`");
        args.finish();
        Some(Self { file: file?.path()? })
    }
}

impl Module for Logger {
    fn run(self: Box<Self>, context: Context) -> Life {
        Box::pin(async move {
            let Context { name, mut inbox, .. } = context;
            let mut journal = off_thread(move || Journal::open(name, self.file)).await?;
            let mut batch = VecDeque::new();
            while inbox.recv_batch(&mut batch, BATCH).await > 0 {
                (journal, batch) = off_thread(move || {
                    journal.write(batch.iter());
                    batch.clear();
                    (journal, batch)
                })
                .await?;
            }
            off_thread(move || journal.finish()).await
        })
    }
}

/// Files block, so they are written on threads that may.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ModuleError> {
    spawn_blocking(work).await.map_err(|error| ModuleError(format!("writing failed: {error}")))
}

/// A log file, or what to do without one, and the account of what was lost.
pub(super) struct Journal<S: Storage = std::fs::File> {
    module: String,
    file: PathBuf,
    log: Option<LogFile<S>>,
    /// Entries lost since the last that was written.
    lost: u64,
}

impl Journal {
    fn open(module: String, file: PathBuf) -> Self {
        let log = LogFile::open(&file);
        Self::start(module, file, log)
    }
}

impl<S: Storage> Journal<S> {
    pub(super) fn start(module: String, file: PathBuf, log: Result<LogFile<S>, LogFileError>) -> Self {
        let log = match log {
            Ok(log) => Some(log),
            Err(error) => {
                error!(%module, file = %file.display(), %error, "the log file cannot be used; entries are lost");
                None
            }
        };
        let mut journal = Self { module, file, log, lost: 0 };
        journal.append(&[event_entry(&time_text(), "Log started")]);
        journal
    }

    pub(super) fn write<'a>(&mut self, batch: impl Iterator<Item = &'a Delivery>) {
        let time = time_text();
        let entries: Vec<_> = batch.map(|delivery| message_entry(&time, &delivery.message)).collect();
        self.append(&entries);
    }

    pub(super) fn finish(mut self) {
        self.append(&[event_entry(&time_text(), "Log stopped")]);
        if self.lost > 0 {
            warn!(module = %self.module, file = %self.file.display(), lost = self.lost, "log entries were lost");
        }
    }

    fn append(&mut self, entries: &[String]) {
        let Some(log) = &mut self.log else {
            // Told when the file was opened.
            self.lost += entries.len() as u64;
            return;
        };
        let file = self.file.display();
        match log.append(entries) {
            Ok(()) if self.lost > 0 => {
                warn!(module = %self.module, %file, lost = self.lost, "the log is written again; entries were lost");
                self.lost = 0;
            }
            Ok(()) => {}
            Err(error) => {
                if self.lost == 0 {
                    let module = &self.module;
                    error!(%module, %file, %error, "cannot write the log; entries are lost until it works again");
                }
                self.lost += entries.len() as u64;
            }
        }
    }

    #[cfg(test)]
    pub(super) fn append_texts(&mut self, entries: &[String]) {
        self.append(entries);
    }

    #[cfg(test)]
    pub(super) fn storage(&mut self) -> &mut S {
        self.log.as_mut().expect("the log can be used").storage()
    }

    #[cfg(test)]
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}
