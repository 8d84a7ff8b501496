//! The command line: serving, which needs no command, and what else the program does.

use clap::{ArgAction, Args, Parser, Subcommand};
use sandgate_host::COMPILE_COMMAND;

use crate::commands::author::{Bindings, Componentize};
use crate::commands::compile::Compile;
use crate::commands::compile_in_child::CompileInChild;
use crate::commands::completions::Completions;
use crate::commands::inspect::Inspect;
use crate::commands::man::Manual;
use crate::commands::new::New;
use crate::commands::replay::Replay;
use crate::commands::run::Run;
use crate::commands::serve::Serve;
use crate::commands::test::Test;
use crate::commands::time_instances::TimeInstances;

/// Runs a gateway module, a WebAssembly component, in a sandbox.
#[derive(Parser)]
#[command(name = "wasm-host", version, about, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Arguments {
    #[command(flatten)]
    pub serve: Serve,

    #[command(flatten)]
    pub verbosity: Verbosity,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// How much the log says.
#[derive(Args, Clone)]
pub struct Verbosity {
    /// Say more; twice for everything. The variable RUST_LOG overrides it
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
}

/// What else the program does.
#[derive(Subcommand)]
pub enum Command {
    /// Makes a project to begin with: a module that builds, its test, the contract
    New(New),
    /// Runs a module without a gateway: messages in as JSON lines, what it publishes out
    Run(Run),
    /// Tests a module with cases: configuration, messages, time that passes, and what must come of it
    Test(Test),
    /// Says what a module is, what it needs, what it was made with, and whether this host could load it
    Inspect(Inspect),
    /// Does again what a verdict tells of, without a gateway
    Replay(Replay),
    /// Writes the bindings of the contract, and the layer above them, for a module's sources
    Bindings(Bindings),
    /// Makes a component of the core module that a compiler left behind
    Componentize(Componentize),
    /// Compiles a module ahead of time, for hosts that are not to compile
    Compile(Compile),
    /// Shows every limit that -W can set, with its default and its range
    #[command(after_help = "Example:\n  wasm-host limits")]
    Limits,
    /// Writes completions for a shell
    Completions(Completions),
    /// Writes the manual, a page for each command
    Man(Manual),
    /// Compiles a component for a host
    #[command(name = COMPILE_COMMAND, hide = true)]
    CompileInChild(CompileInChild),
    /// Says how long instances of a module take
    #[command(hide = true)]
    TimeInstances(TimeInstances),
}

impl Arguments {
    /// The level of the host's own log, and of what modules write: commands that answer on standard output say less.
    pub fn log_levels(&self) -> (&'static str, &'static str) {
        let level = |verbosity: &Verbosity, quiet: usize| {
            ["off", "warn", "info", "debug", "trace"][(quiet + usize::from(verbosity.verbose)).min(4)]
        };
        match &self.command {
            None => (level(&self.verbosity, 2), level(&self.verbosity, 2)),
            Some(Command::Run(run)) => (level(&run.verbosity, 1), level(&run.verbosity, 2)),
            Some(Command::Test(test)) if test.verbosity.verbose == 0 => ("warn", "off"),
            Some(Command::Test(test)) => (level(&test.verbosity, 0), level(&test.verbosity, 1)),
            Some(_) => ("info", "info"),
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  wasm-host --control /tmp/proxy_sample.control annotate.wasm
  wasm-host --control tcp://127.0.0.1:4000 -W timeout=200ms threshold.wasm
  wasm-host --control /tmp/proxy_sample.control --modules /usr/lib/modules
  wasm-host --config modules.json
  wasm-host run annotate.wasm --config '{\"site\": \"lab\"}' < messages.ndjson
  wasm-host test annotate.wasm cases

The host waits for a gateway, and for the next one after that, until Ctrl-C (twice: at once).
A host that a gateway launches ends with its gateway.

Exit status: 0 stopped as asked; 64 an argument or the module cannot be used; 1 anything else.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_can_be_given_and_shows_an_example() {
        let mut command = Arguments::command();
        command.build();
        command.clone().debug_assert();
        for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name();
            let help = command.clone().render_long_help().to_string();
            assert!(name == "help" || help.contains(&format!("wasm-host {name}")), "{name}: {help}");
        }
    }

    #[test]
    fn the_forms_of_before_are_understood() {
        for line in [
            "wasm-host --control /tmp/c annotate.wasm",
            "wasm-host -v --control /tmp/c -W timeout=1s annotate.wasm",
            "wasm-host --control /tmp/c --modules /tmp",
            "wasm-host --config hosts.json -vv",
            "wasm-host limits",
            "wasm-host replay verdict.json annotate.wasm --force",
        ] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        assert!(Arguments::try_parse_from(["wasm-host"]).is_err());
    }
}
