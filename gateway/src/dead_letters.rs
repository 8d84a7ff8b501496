//! Dead letters: messages that killed their module too often, kept for somebody to look at.

mod file;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sandgate_wire::{EncodeError, Message};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tracing::{error, warn};

use crate::broker::{Broker, Delivery};
use file::{Letter, LetterFile, LetterTally};

pub use file::LetterCounts;

/// How much of a verdict becomes a property: 64 KiB.
const VERDICT_MAX: usize = 64 << 10;

/// Takes dead letters to the link's `dead.letter` module or, without one or when its inbox is full, to a file.
/// Clones share the file.
#[derive(Clone)]
pub struct DeadLetters {
    broker: Broker,
    path: Arc<Path>,
    tally: Arc<LetterTally>,
    file: Arc<Mutex<LetterFile>>,
}

impl DeadLetters {
    /// The file's name unless the configuration gives one.
    pub const FILE: &str = "dead-letters.ndjson";

    /// Dead letters of a broker's links. The file is made when the first one comes to it.
    #[must_use]
    pub fn new(broker: Broker, file: PathBuf) -> Self {
        let (path, tally) = (Arc::from(&*file), Arc::default());
        let file = LetterFile::new(file, Arc::clone(&tally));
        Self { broker, path, tally, file: Arc::new(Mutex::new(file)) }
    }

    /// Keeps a message that is given up, with the verdict on it (a JSON document; anything else is kept as
    /// text, and where it is none with marks in the places of what is not) and a reason in a few words, and settles it as dead.
    ///
    /// It waits for the file at most, never for a module. It goes on to its end when the future is dropped.
    pub async fn bury(&self, delivery: Delivery, verdict: Bytes, reason: &str) {
        let (graves, reason) = (self.clone(), reason.to_owned());
        // Files block, and a large message takes its time to be encoded.
        let work = spawn_blocking(move || {
            graves.bury_here(delivery, &String::from_utf8_lossy(&verdict), &reason);
        });
        if let Err(error) = work.await {
            error!(%error, "a dead letter is lost");
        }
    }

    /// What became of the letters that came to the file.
    #[must_use]
    pub fn counts(&self) -> LetterCounts {
        self.tally.counts()
    }

    /// The same for somebody who asks, and which file it is.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let LetterCounts { written, lost, thrown_away } = self.counts();
        let path = self.path.display().to_string();
        json!({ "file": path, "written": written, "lost": lost, "thrown.away": thrown_away })
    }

    /// It is held while the disk is waited for.
    fn file(&self) -> MutexGuard<'_, LetterFile> {
        // A panic leaves a file to which letters can be appended.
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bury_here(&self, delivery: Delivery, verdict: &str, reason: &str) {
        let route = delivery.route().clone();
        let (source, sink) = (route.source(), route.sink());
        let refused = route.dead_letter().is_some_and(|to| {
            let message = marked(&delivery.message, source, sink, verdict, reason);
            let taken = message.is_ok_and(|message| self.broker.offer_dead_letter(sink, to, message).is_ok());
            if !taken {
                warn!(source, sink, to, "a dead letter finds no room with its module; it goes to the file");
            }
            !taken
        });
        if refused || route.dead_letter().is_none() {
            let (attempts, message) = (delivery.attempts(), &delivery.message);
            let letter = Letter { source, sink, attempts, reason, verdict, message };
            self.file().append(&letter);
        }
        delivery.dead();
    }
}

/// The message with properties that say what became of it, in the place of any of the same names.
fn marked(
    message: &Message,
    source: &str,
    sink: &str,
    verdict: &str,
    reason: &str,
) -> Result<Message, EncodeError> {
    let verdict = &verdict[..verdict.floor_char_boundary(VERDICT_MAX)];
    // A property ends at a NUL, which no text of a peer can be trusted not to have.
    let [reason, verdict] = [reason, verdict].map(|text| text.replace('\0', "\u{fffd}"));
    let marks = [
        ("sandgate.dead.source", source),
        ("sandgate.dead.sink", sink),
        ("sandgate.dead.reason", &reason),
        ("sandgate.dead.verdict", &verdict),
    ];
    let kept = message.properties().filter(|(key, _)| marks.iter().all(|(mark, _)| mark != key));
    let properties: Vec<_> = kept.chain(marks).collect();
    Message::new(&properties, message.content())
}

#[cfg(test)]
mod tests;
