//! `wasm-host new`: a project to begin with.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Error;
use clap::Args;
use sandgate_author::scaffold::{self, ScaffoldError};

use crate::EXIT_UNUSABLE;

/// The arguments of `new`.
#[derive(Args)]
#[command(after_help = examples())]
pub struct New {
    /// The language
    language: String,

    /// The module's name: lower-case letters, digits and dashes
    name: String,

    /// The folder, which must not be there or be empty; else a folder of the module's name
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

fn examples() -> String {
    format!(
        "Languages: {}\n\nExamples:\n  wasm-host new rust my-module\n  wasm-host new rust my-module \
         modules/first\n\nThe project's README.md says how to build it and how to test it.",
        scaffold::languages().join(", ")
    )
}

/// Makes the project and says what is in it.
pub fn run(arguments: &New) -> Result<ExitCode, (u8, Error)> {
    let New { language, name, folder } = arguments;
    let folder = folder.clone().unwrap_or_else(|| PathBuf::from(name));
    scaffold::create(language, name, &folder).map_err(|error| {
        let status = if matches!(error, ScaffoldError::Write { .. }) { 1 } else { EXIT_UNUSABLE };
        (status, error.into())
    })?;
    println!(
        "{}: a module in {language}; its README.md says how to build it and how to test it",
        folder.display()
    );
    Ok(ExitCode::SUCCESS)
}
