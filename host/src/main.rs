//! The `wasm-host` program: reads its arguments, loads the module, serves gateways, drains.

#![forbid(unsafe_code)]

mod born;
mod commands;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sandgate_host::COMPILE_COMMAND;
use tracing_subscriber::EnvFilter;

use commands::serve::Serve;

/// What cannot be used as it was given: a bad argument, a file that is no module.
const EXIT_UNUSABLE: u8 = 64;

/// Runs a gateway module, a WebAssembly component, in a sandbox.
#[derive(Parser)]
#[command(name = "wasm-host", version, about, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    #[command(flatten)]
    serve: Serve,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Shows every limit that -W can set, with its default and its range
    Limits,
    /// Does again what a verdict tells of, without a gateway: in a fresh instance, with the limits given.
    /// Exit status 0 if the same came of it, 1 if not, 64 if a file cannot be used
    Replay(commands::replay::Replay),
    /// Writes the bindings of the contract, and the layer above them, for a module's sources
    Bindings(commands::author::Bindings),
    /// Makes a component of the core module that a compiler left behind
    Componentize(commands::author::Componentize),
    /// Compiles a component for a host
    #[command(name = COMPILE_COMMAND, hide = true)]
    Compile(commands::compile::Compile),
}

const EXAMPLES: &str = "\
Examples:
  wasm-host --control /tmp/proxy_sample.control annotate.wasm
  wasm-host --control tcp://127.0.0.1:4000 -W timeout=200ms threshold.wasm
  wasm-host --control /tmp/proxy_sample.control --modules /usr/lib/modules
  wasm-host --config modules.json
  wasm-host limits
  wasm-host replay verdict.json threshold.wasm
  wasm-host bindings c sandgate
  wasm-host componentize core.wasm -o site.wasm

The host waits for a gateway, and for the next one after that, until Ctrl-C (twice: at once).
A host that a gateway launches ends with its gateway.

Exit status: 0 stopped as asked; 64 an argument or the module cannot be used; 1 anything else.";

fn main() -> ExitCode {
    let arguments = Arguments::try_parse().unwrap_or_else(|error| {
        let status = if error.use_stderr() { EXIT_UNUSABLE } else { 0 };
        // Nothing to be done about a terminal that is gone.
        let _ = error.print();
        std::process::exit(status.into());
    });
    log_to_stderr(arguments.serve.verbose);
    let result = match arguments.command {
        Some(Command::Limits) => commands::limits::run(),
        Some(Command::Replay(arguments)) => commands::replay::run(&arguments),
        Some(Command::Bindings(arguments)) => commands::author::bindings(&arguments),
        Some(Command::Componentize(arguments)) => commands::author::componentize(&arguments),
        Some(Command::Compile(arguments)) => commands::compile::run(&arguments),
        None => commands::serve::run(&arguments.serve),
    };
    result.unwrap_or_else(|(status, error)| {
        eprintln!("wasm-host: {error:#}");
        ExitCode::from(status)
    })
}

fn log_to_stderr(verbose: u8) {
    let level = ["info", "debug", "trace"][usize::from(verbose.min(2))];
    let own = ["sandgate_attach", "sandgate_host", "sandgate_wire", "wasm_host", "module"];
    let own = own.map(|name| format!("{name}={level}")).join(",");
    let own = format!("warn,{own}");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(own));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
}
