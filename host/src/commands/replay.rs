//! `wasm-host replay`: does again what a verdict tells of, and says whether the same came of it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Error, Result, bail};
use clap::Args;
use sandgate_host::{Module, Verdict, replay};

use super::SandboxOptions;
use crate::EXIT_UNUSABLE;

/// A larger file is no verdict: what a verdict holds is bounded.
const VERDICT_MAX: u64 = 32 << 20;
/// The same did not happen again.
const EXIT_DIFFERENT: u8 = 1;

/// The arguments of `replay`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Replay {
    /// The verdict, a JSON file
    verdict: PathBuf,

    /// The module that it tells of
    module: PathBuf,

    /// Go on although the module is not the one that the verdict tells of
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    sandbox: SandboxOptions,
}

const EXAMPLES: &str = "\
Examples:
  wasm-host replay verdict.json threshold.wasm
  wasm-host replay verdict.json threshold.wasm -W timeout=20s

The call is made in a fresh instance, with the limits given.

Exit status: 0 the same came of it; 1 something else; 64 a file cannot be used.";

/// Does it again and prints what came of it.
pub fn run(arguments: &Replay) -> Result<ExitCode, (u8, Error)> {
    let (verdict, module) = prepare(arguments).map_err(|error| (EXIT_UNUSABLE, error))?;
    again(arguments, &verdict, &module).map_err(|error| (EXIT_UNUSABLE, error))
}

fn prepare(arguments: &Replay) -> Result<(Verdict, Module)> {
    let path = &arguments.verdict;
    let verdict = read(path).with_context(|| format!("{} cannot be used", path.display()))?;
    let module = Module::load(&arguments.sandbox.engine()?, &arguments.module, &arguments.sandbox.limits())?;
    // A gateway's verdict on a message whose hosts died knows no digest.
    if !verdict.digest.is_empty() && module.digest() != verdict.digest {
        let path = arguments.module.display();
        if !arguments.force {
            bail!("{path} is not the module that the verdict tells of: its digest differs; --force goes on");
        }
        tracing::warn!("{path} is not the module that the verdict tells of: its digest differs");
    }
    if verdict.message.as_ref().is_some_and(|message| message.truncated) {
        tracing::warn!("the verdict holds a part of the message only");
    }
    Ok((verdict, module))
}

fn read(path: &Path) -> Result<Verdict> {
    let mut text = String::new();
    File::open(path)?.take(VERDICT_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > VERDICT_MAX {
        bail!("it has more than {VERDICT_MAX} bytes");
    }
    Ok(Verdict::from_json(&text)?)
}

fn again(arguments: &Replay, verdict: &Verdict, module: &Module) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let played = replay(verdict, module, arguments.sandbox.limits(), runtime.handle().clone())?;
    println!("verdict:   {verdict}");
    match (&played.verdict, &played.refusal) {
        (Some(again), _) => println!("replay:    {again}"),
        (None, Some(reason)) => println!("replay:    the module answered with an error: {reason}"),
        (None, None) => println!("replay:    the call of `{}` went well", verdict.call),
    }
    println!("published: {}", played.published);
    let is_again = played.verdict.is_some_and(|again| verdict.is_again(&again));
    println!("the same:  {}", if is_again { "yes" } else { "no" });
    Ok(if is_again { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DIFFERENT) })
}
