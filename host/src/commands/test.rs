//! `wasm-host test`: plays cases with a module, and shows where it does otherwise.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Error, Result, bail};
use clap::Args;
use sandgate_host::{Case, Change, Module, Played, junit};

use super::SandboxOptions;
use crate::EXIT_UNUSABLE;
use crate::cli::Verbosity;

/// A case did not pass.
const EXIT_DIFFERENT: u8 = 1;

/// The arguments of `test`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Test {
    /// The module
    module: PathBuf,

    /// Files of cases, or folders of such files
    #[arg(required = true)]
    cases: Vec<PathBuf>,

    /// Play the cases alone whose name contains this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// Write the results to this file, as JUnit's XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    #[command(flatten)]
    sandbox: SandboxOptions,

    #[command(flatten)]
    pub verbosity: Verbosity,
}

const EXAMPLES: &str = "\
Examples:
  wasm-host test annotate.wasm cases
  wasm-host test annotate.wasm cases/refused.json --filter window -v
  wasm-host test annotate.wasm cases --junit results.xml

A case, docs/testing.md has more:
  {\"config\": \"lab\",
   \"steps\": [{\"receive\": {\"text\": \"hello\"}, \"publishes\": [{\"properties\": {\"site\": \"lab\"}, \"text\": \"hello\"}]},
             {\"after\": \"500ms\", \"publishes\": []}]}

Exit status: 0 all passed; 1 some did not; 64 a case, the module or an argument cannot be used.";

/// Plays the cases and says how they went.
pub fn run(arguments: &Test) -> Result<ExitCode, (u8, Error)> {
    let (module, cases) = prepare(arguments).map_err(|error| (EXIT_UNUSABLE, error))?;
    let results = play(arguments, &module, cases).map_err(|error| (1, error))?;
    if let Some(file) = &arguments.junit {
        let name = arguments.module.display().to_string();
        fs::write(file, junit::document(&name, &results))
            .with_context(|| format!("the results cannot be written to {}", file.display()))
            .map_err(|error| (EXIT_UNUSABLE, error))?;
    }
    let all_passed = results.iter().all(|(_, played)| played.difference.is_none());
    Ok(if all_passed { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DIFFERENT) })
}

fn prepare(arguments: &Test) -> Result<(Module, Vec<Case>)> {
    let mut cases = Vec::new();
    for path in &arguments.cases {
        cases.extend(Case::read(path)?);
    }
    if let Some(text) = &arguments.filter {
        cases.retain(|case| case.name.contains(text));
        if cases.is_empty() {
            bail!("no case has `{text}` in its name");
        }
    } else if cases.is_empty() {
        bail!("the files hold no case: their lists are empty");
    }
    let module = Module::load(&arguments.sandbox.engine()?, &arguments.module, &arguments.sandbox.limits())?;
    Ok((module, cases))
}

fn play(arguments: &Test, module: &Module, cases: Vec<Case>) -> Result<Vec<(Case, Played)>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut out = io::stdout().lock();
    let colours = Colours::of(out.is_terminal());
    let mut results = Vec::new();
    for case in cases {
        let played =
            runtime.block_on(case.play(module, arguments.sandbox.limits(), runtime.handle().clone()));
        tell(&mut out, colours, &case, &played)?;
        results.push((case, played));
    }
    let failed = results.iter().filter(|(_, played)| played.difference.is_some()).count();
    writeln!(out, "{} cases: {} passed, {failed} failed", results.len(), results.len() - failed)?;
    Ok(results)
}

fn tell(
    out: &mut impl Write,
    colours: Colours,
    case: &Case,
    Played { difference, .. }: &Played,
) -> io::Result<()> {
    let Colours { good, bad, off } = colours;
    let place = case.file.file_name().unwrap_or_default().to_string_lossy();
    let name = &case.name;
    let Some(difference) = difference else { return writeln!(out, "{good}ok{off}   {place}: {name}") };
    writeln!(out, "{bad}FAIL{off} {place}: {name}")?;
    writeln!(out, "     {}: {bad}- the case{off}, {good}+ the module{off}", difference.place)?;
    for change in &difference.changes {
        let colour = match change {
            Change::Missing(_) => bad,
            Change::Surplus(_) => good,
            Change::Same(_) | Change::Note(_) => "",
        };
        writeln!(out, "     {colour}{change}{off}")?;
    }
    Ok(())
}

/// What a terminal takes for colours, or nothing.
#[derive(Clone, Copy)]
struct Colours {
    good: &'static str,
    bad: &'static str,
    off: &'static str,
}

impl Colours {
    fn of(is_terminal: bool) -> Self {
        match is_terminal && std::env::var_os("NO_COLOR").is_none() {
            true => Self { good: "\x1b[32m", bad: "\x1b[31m", off: "\x1b[0m" },
            false => Self { good: "", bad: "", off: "" },
        }
    }
}
