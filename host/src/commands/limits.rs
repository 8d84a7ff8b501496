//! `wasm-host limits`: the table of limits, as the documents have it.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Error;
use sandgate_host::Limits;

/// Prints the table, in Markdown.
pub fn run() -> Result<ExitCode, (u8, Error)> {
    let mut out = std::io::stdout().lock();
    out.write_all(Limits::table().as_bytes()).map_err(|error| (1, error.into()))?;
    Ok(ExitCode::SUCCESS)
}
