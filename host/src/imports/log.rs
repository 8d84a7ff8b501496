//! `log`: lines in the host's log, marked with the module's name.

use wasmtime::Result;

use crate::bindings::sandgate::gateway::log::{Host, Level};
use crate::sandbox::Guest;
use crate::transcript::line;

impl Host for Guest {
    fn log(&mut self, level: Level, text: String) -> Result<()> {
        self.ledger.pass_copy(text.len())?;
        self.transcript.log(|module| {
            let text = line(&text);
            match level {
                Level::Trace => tracing::trace!(target: "module", module, "{text}"),
                Level::Debug => tracing::debug!(target: "module", module, "{text}"),
                Level::Info => tracing::info!(target: "module", module, "{text}"),
                Level::Warn => tracing::warn!(target: "module", module, "{text}"),
                Level::Error => tracing::error!(target: "module", module, "{text}"),
            }
        })?;
        Ok(())
    }
}
