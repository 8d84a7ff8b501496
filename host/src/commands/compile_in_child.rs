//! The hidden command of a host that compiles a component in another process.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Error, Result, bail};
use clap::Args;
use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, set_parent_process_death_signal, setrlimit};
use sandgate_host::{EXIT_REFUSED, compile_into_cache};

/// The arguments, which only a host gives.
#[derive(Args)]
pub struct CompileInChild {
    /// The directory of the cache
    directory: PathBuf,

    /// The guest's stack in bytes
    #[arg(long)]
    stack: usize,

    /// Code that counts fuel
    #[arg(long)]
    fuel: bool,

    /// Address space in bytes
    #[arg(long)]
    memory: u64,

    /// Time of the processors
    #[arg(long)]
    processor_seconds: u64,

    /// The host's process
    #[arg(long)]
    host: i32,
}

/// Compiles what comes in the standard input.
pub fn run(arguments: &CompileInChild) -> Result<ExitCode, (u8, Error)> {
    confine(arguments).map_err(|error| (1, error))?;
    let CompileInChild { directory, fuel, stack, .. } = arguments;
    let compiled = compile_into_cache(directory, *fuel, *stack, &mut std::io::stdin().lock());
    if let Err(error) = compiled {
        eprintln!("{error:#}");
        return Ok(ExitCode::from(EXIT_REFUSED));
    }
    Ok(ExitCode::SUCCESS)
}

/// Gives up what compiling does not need.
fn confine(arguments: &CompileInChild) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot be bound to its host")?;
    if getppid() != Pid::from_raw(arguments.host) {
        bail!("the host has gone");
    }
    let limits = [
        (Resource::As, arguments.memory),
        (Resource::Cpu, arguments.processor_seconds),
        // What it leaves behind when it crashes.
        (Resource::Core, 0),
    ];
    for (resource, limit) in limits {
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
    }
    Ok(())
}
