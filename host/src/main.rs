//! The `wasm-host` program: reads its arguments, loads the module, serves gateways, drains; and the tools of those who
//! write modules.

#![forbid(unsafe_code)]

mod born;
mod cli;
mod commands;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use sandgate_logging::Log;
use tracing_subscriber::EnvFilter;

use cli::{Arguments, Command};

/// What cannot be used as it was given: a bad argument, a file that is no module.
const EXIT_UNUSABLE: u8 = 64;

fn main() -> ExitCode {
    let arguments = Arguments::try_parse().unwrap_or_else(|error| {
        let status = if error.use_stderr() { EXIT_UNUSABLE } else { 0 };
        // Nothing to be done about a terminal that is gone.
        let _ = error.print();
        std::process::exit(status.into());
    });
    let log = match log_to_stderr(arguments.log_levels()) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("wasm-host: there is no thread for the log; is the number of threads limited? {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = match arguments.command {
        Some(Command::New(arguments)) => commands::new::run(&arguments),
        Some(Command::Run(arguments)) => commands::run::run(&arguments),
        Some(Command::Test(arguments)) => commands::test::run(&arguments),
        Some(Command::Inspect(arguments)) => commands::inspect::run(&arguments),
        Some(Command::Replay(arguments)) => commands::replay::run(&arguments),
        Some(Command::Bindings(arguments)) => commands::author::bindings(&arguments),
        Some(Command::Componentize(arguments)) => commands::author::componentize(&arguments),
        Some(Command::Compile(arguments)) => commands::compile::run(&arguments),
        Some(Command::Limits) => commands::limits::run(),
        Some(Command::Completions(arguments)) => commands::completions::run(&arguments),
        Some(Command::Man(arguments)) => commands::man::run(&arguments),
        Some(Command::CompileInChild(arguments)) => commands::compile_in_child::run(&arguments),
        Some(Command::TimeInstances(arguments)) => commands::time_instances::run(&arguments),
        None => commands::serve::run(&arguments.serve),
    };
    // What is said last stands last.
    drop(log);
    result.unwrap_or_else(|(status, error)| {
        eprintln!("wasm-host: {error:#}");
        ExitCode::from(status)
    })
}

fn log_to_stderr((level, of_modules): (&str, &str)) -> io::Result<Log> {
    let own = ["sandgate_attach", "sandgate_host", "sandgate_wire", "wasm_host"];
    let own = own.map(|name| format!("{name}={level}")).join(",");
    let own = format!("warn,{own},module={of_modules}");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(own));
    sandgate_logging::to_stderr(filter)
}
