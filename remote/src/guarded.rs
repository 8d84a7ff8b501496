//! Calls into a module, of which nothing escapes: neither a panic nor an error that panics when it is shown.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sandgate_wire::Message;
use thiserror::Error;

use crate::Broker;
use crate::module::{Instance, ModuleClass, ModuleError};

/// What is kept of a module's last words, in bytes.
const WORDS_MAX: usize = 2048;

/// What became of a call.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The module has returned an error, with these words.
    #[error("{0}")]
    Refused(String),
    /// The module has panicked, with these words; the instance is gone.
    #[error("it panicked: {0}")]
    Panicked(String),
}

/// An instance that is dropped by its first panic.
pub(crate) struct Guarded(Option<Box<dyn Instance>>);

impl Guarded {
    pub(crate) fn create(class: &ModuleClass, arguments: &str, broker: Broker) -> Result<Self, Failure> {
        guard(|| class.create(arguments, broker)).map(|instance| Self(Some(instance)))
    }

    pub(crate) fn start(&mut self) -> Result<(), Failure> {
        self.call(|instance| instance.start())
    }

    pub(crate) fn receive(&mut self, message: Message) -> Result<(), Failure> {
        self.call(|instance| instance.receive(message))
    }

    pub(crate) fn destroy(&mut self) -> Result<(), Failure> {
        self.call(|instance| {
            instance.destroy();
            Ok(())
        })
    }

    fn call(
        &mut self,
        call: impl FnOnce(&mut dyn Instance) -> Result<(), ModuleError>,
    ) -> Result<(), Failure> {
        let Some(instance) = &mut self.0 else { return Ok(()) };
        let result = guard(|| call(&mut **instance));
        if let Err(Failure::Panicked(_)) = result {
            self.discard();
        }
        result
    }

    /// Dropping is a call too.
    fn discard(&mut self) {
        let instance = self.0.take();
        if let Err(failure) = guard(|| {
            drop(instance);
            Ok(())
        }) {
            tracing::error!("a module failed while it was dropped: {failure}");
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.discard();
    }
}

fn guard<T>(call: impl FnOnce() -> Result<T, ModuleError>) -> Result<T, Failure> {
    // What a panic leaves half-changed is the module's own, and is not called again.
    catch_unwind(AssertUnwindSafe(|| call().map_err(|error| Failure::Refused(cut(error.to_string())))))
        .unwrap_or_else(|payload| Err(Failure::Panicked(words(payload))))
}

fn words(payload: Box<dyn Any + Send>) -> String {
    let payload = match payload.downcast::<&str>() {
        Ok(text) => return cut((*text).to_owned()),
        Err(payload) => payload,
    };
    match payload.downcast::<String>() {
        Ok(text) => cut(*text),
        Err(other) => {
            // Its drop is the module's code, and may panic again.
            std::mem::forget(other);
            "without words".to_owned()
        }
    }
}

/// Words go into logs and dead letters, and may hold a whole message.
fn cut(mut words: String) -> String {
    words.truncate(words.floor_char_boundary(WORDS_MAX));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_cut() {
        let long = "ä".repeat(WORDS_MAX);
        let panicked = guard::<()>(|| panic!("{long}")).unwrap_err().to_string();
        assert!(
            panicked.starts_with("it panicked: ä") && panicked.len() < WORDS_MAX + 20,
            "{}",
            panicked.len()
        );
        let refused = guard::<()>(|| Err(long.clone().into())).unwrap_err().to_string();
        assert_eq!(refused.len(), WORDS_MAX);
    }
}
