//! The `native-host` program: runs one native module, a shared library with V1's C interface, in a process of its own.
//!
//! A gateway attaches to it as to any module host, and its `args` say which module it is. A module that crashes ends
//! this program and nothing else.

#![forbid(unsafe_code)]

mod hosted;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::{env, process, thread};

use anyhow::{Context, Result};
use clap::{ArgAction, Parser};
use sandgate_remote::{AttachError, Ended, Launcher, ModuleClass, ModuleConfiguration, ProxyGateway};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

/// The command line cannot be used (`EX_USAGE` of sysexits.h).
const UNUSABLE: u8 = 64;

const NOTES: &str = "\
The module is named by the args of the gateway's configuration:
  \"args\": { \"outprocess.loader\": { \"entrypoint\": { \"module.path\": \"./libmodule.so\" } },
            \"module.args\": null }

Exit status:
  0   stopped as asked
  64  the command line cannot be used
  1   anything else

The first Ctrl-C or SIGTERM ends the module and stops, the second stops at once.";

/// Runs a native module, a shared library with V1's C interface, for a gateway in another process.
#[derive(Parser)]
#[command(name = "native-host", version, after_help = NOTES)]
struct Cli {
    /// Where the gateway finds this host: its control.id, a socket path, ipc://PATH or tcp://HOST:PORT
    #[arg(long, value_name = "ID")]
    control: String,
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
    run(cli.control).unwrap_or_else(|error| {
        eprintln!("native-host: {error:#}");
        let is_identifier = matches!(error.downcast_ref(), Some(AttachError::Transport(_)));
        if is_identifier { ExitCode::from(UNUSABLE) } else { ExitCode::FAILURE }
    })
}

fn start_log(verbose: u8) {
    let level = ["info", "debug", "trace"][usize::from(verbose.min(2))];
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = std::io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
}

fn run(control: String) -> Result<ExitCode> {
    let configuration =
        ModuleConfiguration { identifier: control.clone(), module: ModuleClass::from_fn(hosted::create) };
    let mut gateway = ProxyGateway::new(configuration);
    if let Some(launcher) = Launcher::of_this_process()? {
        gateway = gateway.launched_by(launcher);
    }
    let gateway = Arc::new(gateway);
    stop_on_signals(gateway.clone())?;
    gateway.attach()?;
    info!(control, pid = process::id(), "waiting for a gateway");
    let ended = gateway.wait();
    info!("stopped: {}", gateway.statistics());
    Ok(if ended == Ended::Failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Waits for signals on a thread of its own. A module that is busy keeps the program until the second one.
fn stop_on_signals(gateway: Arc<ProxyGateway>) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("signals cannot be handled")?;
    let wait = move || {
        let mut asked = false;
        for _ in signals.forever() {
            if asked {
                warn!("stopped at once by a second signal; messages may be lost");
                process::exit(1);
            }
            asked = true;
            gateway.detach();
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait).context("there is no thread for signals")?;
    Ok(())
}
