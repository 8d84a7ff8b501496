//! Every chore of the repository as `cargo xtask VERB`.

#![forbid(unsafe_code)]

mod bench;
mod binaries;
mod check;
mod conformance;
mod demo;
mod fuzz;
mod guests;
mod java;
mod progress;
mod project;
mod tidy;
mod tools;
mod windows;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use progress::Progress;
use project::Project;

/// Every chore of the repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask demo                  the main job, with this machine's own readings, until Ctrl-C
  cargo xtask demo --seconds 20     the same, ended after 20 seconds
  cargo xtask test                  everything that continuous integration checks
  cargo xtask test --all            the same, with guest modules in every language
  cargo xtask bench                 the table of measurements
  cargo xtask bench -- --help       what the benchmark can be asked
  cargo xtask conformance           V1's requirements, number by number
  cargo xtask guests go zig         the example modules in these languages
  cargo xtask fuzz control          ten million arbitrary inputs for one codec

What is missing and can be had without changing the system is fetched into the target directory.
NO_COLOR turns colours off.";

#[derive(Subcommand)]
enum Verb {
    /// Runs the main job: readings of this machine through a sandboxed module, and a host that is killed
    Demo {
        /// End after so many seconds, at least 5 [default: at Ctrl-C]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(5..))]
        seconds: Option<u64>,
    },
    /// Checks everything: rules, formatting, lints, tests, documentation, licences
    Test {
        /// Guest modules in every language too; fetches their toolchains where they are missing
        #[arg(long)]
        all: bool,
    },
    /// Builds the programs and the guest modules
    Build,
    /// Builds the guest modules only: those in Rust and C, or the examples in the languages that are named
    Guests {
        /// rust, or a language of guest-modules/; its toolchain is fetched where it is missing
        #[arg(value_name = "LANGUAGE")]
        languages: Vec<String>,
    },
    /// Builds the library for Java programs with its sample, and tests it; skipped without a JDK
    Java,
    /// Runs the benchmark; its arguments are passed on
    Bench {
        /// Arguments of the benchmark; `-- --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
        arguments: Vec<String>,
    },
    /// Tests every requirement of V1's out-of-process module, and writes docs/conformance.md
    Conformance,
    /// Throws arbitrary bytes at what reads them, guided by coverage
    Fuzz {
        /// One of the targets [default: all, one after the other]
        target: Option<String>,
        /// Inputs for each
        #[arg(long, value_name = "N", default_value_t = 10_000_000)]
        runs: u64,
        /// Add inputs that reach more of the code to the corpus that is committed
        #[arg(long)]
        keep: bool,
    },
    /// Holds the rules that no compiler knows: who may depend on whom, length of files, their headings
    Tidy,
    /// Provides what building needs and this machine lacks
    Tools,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut progress = Progress::new();
    match run(arguments.verb, &mut progress) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress.failed(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb, progress: &mut Progress) -> Result<()> {
    let project = Project::find()?;
    match verb {
        Verb::Demo { seconds } => demo::run(&project, progress, seconds),
        Verb::Test { all } => check::run(&project, progress, all),
        Verb::Build => {
            let tools = tools::provide(&project, progress)?;
            guests::rust::build(&project, progress)?;
            binaries::build(&project, &tools, progress)?;
            guests::always(&project, progress)
        }
        Verb::Guests { languages } => {
            let tools = tools::provide(&project, progress)?;
            guests::chosen(&project, &tools, progress, &languages)
        }
        Verb::Java => java::check(&project, progress),
        Verb::Bench { arguments } => bench::run(&project, progress, &arguments),
        Verb::Conformance => conformance::run(&project, progress),
        Verb::Fuzz { target, runs, keep } => fuzz::run(&project, progress, target.as_deref(), runs, keep),
        Verb::Tidy => progress.step("tidy", "the repository's own rules", || tidy::check(&project)),
        Verb::Tools => tools::provide(&project, progress).map(drop),
    }
}
