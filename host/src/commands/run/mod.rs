//! `wasm-host run`: a module without a gateway, fed by hand.

mod input;
mod player;
mod watch;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};
use clap::Args;
use sandgate_host::{Engine, Module, parse_time};
use serde_json::Value;

use super::SandboxOptions;
use crate::EXIT_UNUSABLE;
use crate::cli::Verbosity;
use watch::Watched;

/// The module has failed: a trap, or a limit.
const EXIT_FAILED: u8 = 2;
/// The module has refused its configuration.
const EXIT_REFUSED: u8 = 3;
/// A longer configuration is none, in bytes.
const CONFIGURATION_MAX: u64 = 1 << 20;

/// The arguments of `run`.
#[derive(Args, Clone)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    /// The module
    module: PathBuf,

    /// The module's `args`: JSON, or a file of JSON as @FILE
    #[arg(long, value_name = "JSON", default_value = "null")]
    config: String,

    /// Let the module run for so long, as in 500ms or 10s: timers go on although the input has ended, and end although
    /// it has not
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    time: Option<Duration>,

    /// Make a new instance when the module's file or @FILE changes, until Ctrl-C; messages that come go to the newest
    #[arg(long)]
    watch: bool,

    /// Keep the verdicts on failures in this directory, the newest 100, for `wasm-host replay`
    #[arg(long, value_name = "DIR")]
    verdicts: Option<PathBuf>,

    #[command(flatten)]
    sandbox: SandboxOptions,

    #[command(flatten)]
    pub verbosity: Verbosity,
}

const EXAMPLES: &str = "\
Examples:
  echo '{\"properties\": {\"a\": \"1\"}, \"text\": \"hello\"}' | wasm-host run annotate.wasm --config '{\"site\": \"lab\"}'
  wasm-host run threshold.wasm --config @threshold.json < messages.ndjson > published.ndjson
  wasm-host run sampler.wasm --config '{\"interval.ms\": 100, \"text\": \"tick\"}' --for 2s < /dev/null
  wasm-host run annotate.wasm --watch
  wasm-host run annotate.wasm --verdicts verdicts < messages.ndjson

A line of the input is a message: an object with properties, and the content as \"text\", as \"json\" (any value) or as
\"content\" (Base64). What the module publishes comes out in the same form.

Exit status: 0 all went well; 2 the module failed (trap or limit); 3 it refused its configuration;
64 an argument, the module or a line of the input cannot be used; 1 anything else.";

fn duration(text: &str) -> Result<Duration, String> {
    parse_time(text).ok_or_else(|| "give a time as in 500ms or 10s".to_owned())
}

/// Runs the module until the input or the time is over.
pub fn run(arguments: &Run) -> Result<ExitCode, (u8, Error)> {
    let unusable = |error| (EXIT_UNUSABLE, error);
    let engine = arguments.sandbox.engine().map_err(unusable)?;
    let watched = arguments.watch.then(|| {
        let files = [Some(arguments.module.as_path()), arguments.configuration_file()];
        Watched::new(files.into_iter().flatten().map(Path::to_owned).collect())
    });
    let loaded = arguments.load(&engine).map_err(unusable)?;
    let failed = |error: std::io::Error| (1, error.into());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(failed)?;
    let status = runtime.block_on(player::play(arguments, engine, loaded, watched))?;
    Ok(ExitCode::from(status))
}

/// What an instance is made of.
struct Loaded {
    module: Module,
    configuration: String,
}

impl Run {
    fn load(&self, engine: &Engine) -> Result<Loaded> {
        let configuration = self.configuration()?;
        let module = Module::load(engine, &self.module, &self.sandbox.limits())?;
        Ok(Loaded { module, configuration })
    }

    fn configuration_file(&self) -> Option<&Path> {
        self.config.strip_prefix('@').map(Path::new)
    }

    /// JSON text.
    fn configuration(&self) -> Result<String> {
        let (text, place) = match self.configuration_file() {
            Some(file) => {
                let shown = file.display();
                let text = || -> Result<String> {
                    if fs::metadata(file)?.len() > CONFIGURATION_MAX {
                        bail!("it has more than {CONFIGURATION_MAX} bytes");
                    }
                    Ok(fs::read_to_string(file)?)
                };
                (text().with_context(|| format!("cannot read the configuration {shown}"))?, shown.to_string())
            }
            None => (self.config.clone(), "--config".to_owned()),
        };
        serde_json::from_str::<Value>(&text)
            .with_context(|| format!("{place} is no JSON (a text is written in quotes, as in '\"lab\"')"))?;
        Ok(text.trim().to_owned())
    }
}
