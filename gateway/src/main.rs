//! The `gateway` program.

#![forbid(unsafe_code)]

use std::env;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{ArgAction, Parser};
use sandgate_gateway::config::Config;
use sandgate_gateway::{gateway, runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

/// The configuration, or the command line, cannot be used (`EX_USAGE` of sysexits.h).
const UNUSABLE: u8 = 64;

const EXAMPLES: &str = "\
Examples:
  gateway samples/proxy_sample/gateway.json
  gateway -v gateway.json                    log more
  RUST_LOG=warn gateway gateway.json         log less
  gateway --v1-lenient old.json              unknown keys are warnings, as V1 ignored them

Exit status:
  0   stopped in good order
  64  the configuration or the command line cannot be used
  1   anything else

The first Ctrl-C or SIGTERM drains and stops, the second stops at once.";

/// Runs an edge gateway from a V1 JSON configuration.
#[derive(Parser)]
#[command(name = "gateway", version, after_help = EXAMPLES)]
struct Cli {
    /// The gateway's configuration, as JSON
    #[arg(value_name = "CONFIG.json")]
    config: PathBuf,
    /// Take unknown keys in the configuration as warnings, not errors
    #[arg(long)]
    v1_lenient: bool,
    /// Log more; twice for everything. The variable RUST_LOG overrides it
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be done if even this cannot be printed.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(UNUSABLE) } else { ExitCode::SUCCESS };
        }
    };
    start_log(cli.verbose);
    let config = match Config::load(&cli.config, cli.v1_lenient) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(UNUSABLE);
        }
    };
    let file = cli.config.display();
    config.warnings.iter().for_each(|warning| warn!("{file}{warning}"));
    config.notes.iter().for_each(|note| info!("{file}{note}"));
    match run(config) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("gateway: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start_log(verbose: u8) {
    let level = ["info", "debug", "trace"][usize::from(verbose.min(2))];
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours).init();
}

fn run(config: Config) -> Result<ExitCode> {
    let runtime = runtime().context("no async runtime; is the number of threads limited?")?;
    let code = runtime.block_on(async {
        let mut signals = Signals::new().context("signals cannot be handled")?;
        let (first, begun) = tokio::sync::oneshot::channel();
        let shutdown = async {
            // An error means that the sender is gone, and this with it.
            let _ = begun.await;
        };
        let at_once = async {
            signals.next().await;
            // An error means that the gateway has ended by itself.
            let _ = first.send(());
            signals.next().await;
        };
        tokio::select! {
            ended = gateway::run(config, shutdown) => ended.map(|()| ExitCode::SUCCESS).context("cannot run"),
            () = at_once => {
                warn!("stopped at once by a second signal; messages may be lost");
                Ok(ExitCode::FAILURE)
            }
        }
    });
    // A thread that hangs in a file or a socket does not keep the program.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Caught so that a file that reaches the user's size limit is an error of the logger and not, as
    /// the system has it, the end of the gateway.
    _file_size: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            _file_size: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    /// The next Ctrl-C or SIGTERM.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
