//! The `gateway` program.

#![forbid(unsafe_code)]

use std::env;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{ArgAction, Parser, Subcommand};
use sandgate_gateway::config::Config;
use sandgate_gateway::{admin, gateway, runtime};
use sandgate_logging::Log;
use serde_json::json;
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
  gateway --admin gateway.admin gateway.json
  gateway status --admin gateway.admin       what the modules and links of that gateway are doing
  gateway revive --admin gateway.admin NAME  start a quarantined module again

Exit status:
  0   stopped in good order
  64  the configuration or the command line cannot be used
  1   anything else

The first Ctrl-C or SIGTERM drains and stops, the second stops at once.";

/// Runs an edge gateway from a V1 JSON configuration.
#[derive(Parser)]
#[command(name = "gateway", version, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Cli {
    /// The gateway's configuration, as JSON
    #[arg(value_name = "CONFIG.json", required = true)]
    config: Option<PathBuf>,
    /// Serve administration on this Unix socket, which is made, in a directory where others cannot replace it
    #[arg(long, value_name = "SOCKET")]
    admin: Option<PathBuf>,
    /// Take unknown keys in the configuration as warnings, not errors
    #[arg(long)]
    v1_lenient: bool,
    /// Log more; twice for everything. The variable RUST_LOG overrides it
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    question: Option<Question>,
}

/// What is asked of a gateway that runs.
#[derive(Subcommand)]
enum Question {
    /// Shows what the modules and links of a running gateway are doing
    Status {
        /// The gateway's administration socket
        #[arg(long, value_name = "SOCKET")]
        admin: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Starts a quarantined module again
    Revive {
        /// The gateway's administration socket
        #[arg(long, value_name = "SOCKET")]
        admin: PathBuf,
        /// The module's name
        module: String,
    },
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
    let result = match (&cli.question, &cli.config) {
        (Some(question), _) => ask(question),
        (None, Some(file)) => start(file, &cli),
        (None, None) => Ok(ExitCode::from(UNUSABLE)),
    };
    result.unwrap_or_else(|error| {
        eprintln!("gateway: {error:#}");
        ExitCode::FAILURE
    })
}

fn ask(question: &Question) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    match question {
        Question::Status { admin, json } => {
            let status = admin::request(admin, &json!({ "status": true }))?;
            if *json {
                writeln!(out, "{status}")?;
            } else {
                let colours = out.is_terminal() && env::var_os("NO_COLOR").is_none();
                write!(out, "{}", admin::table(&status, colours))?;
            }
        }
        Question::Revive { admin, module } => {
            admin::request(admin, &json!({ "revive": module }))?;
            writeln!(out, "{module} is revived")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn start(file: &Path, cli: &Cli) -> Result<ExitCode> {
    let _log = start_log(cli.verbose)
        .context("there is no thread for the log; is the number of threads limited?")?;
    let config = match Config::load(file, cli.v1_lenient) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return Ok(ExitCode::from(UNUSABLE));
        }
    };
    let file = file.display();
    config.warnings.iter().for_each(|warning| warn!("{file}{warning}"));
    config.notes.iter().for_each(|note| info!("{file}{note}"));
    run(config, cli.admin.as_deref())
}

fn start_log(verbose: u8) -> io::Result<Log> {
    let level = ["info", "debug", "trace"][usize::from(verbose.min(2))];
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    sandgate_logging::to_stderr(filter)
}

fn run(config: Config, admin: Option<&Path>) -> Result<ExitCode> {
    let runtime = runtime().context("no async runtime; is the number of threads limited?")?;
    let code = runtime.block_on(async {
        let mut signals = Signals::new().context("signals cannot be handled")?;
        let admin = match admin.map(admin::Server::bind) {
            Some(Ok(server)) => Some(server),
            Some(Err(error)) => {
                eprintln!("gateway: --admin: {error}");
                return Ok(ExitCode::from(UNUSABLE));
            }
            None => None,
        };
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
            ended = gateway::run(config, admin, shutdown) => ended.map(|()| ExitCode::SUCCESS).context("cannot run"),
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
