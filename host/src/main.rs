//! The `wasm-host` program: reads its arguments, loads the module, serves gateways, drains.

#![forbid(unsafe_code)]

use std::future::{Future, pending};
use std::io::IsTerminal;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{ArgAction, Parser};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use sandgate_host::{Code, Engine, Limits, Module, PairTransport, Session};
use sandgate_wire::Address;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

/// What cannot be used as it was given: a bad argument, a file that is no module.
const EXIT_UNUSABLE: u8 = 64;
/// Set by a gateway that launches a host, to its own process id.
const LAUNCHED_BY: &str = "SANDGATE_LAUNCHED_BY";

/// Runs a gateway module, a WebAssembly component, in a sandbox.
#[derive(Parser)]
#[command(name = "wasm-host", version, about, after_help = EXAMPLES)]
struct Arguments {
    /// The module: a component of the world sandgate:gateway/gateway-module
    module: PathBuf,

    /// Where the gateway finds this host: the `control.id` of its configuration. A socket path (a
    /// relative one is relative to the working directory, on both sides), ipc://PATH or tcp://HOST:PORT
    #[arg(long, value_name = "ID")]
    control: Address,

    /// How long one call of the module may take, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..))]
    deadline_ms: u64,

    /// Keep compiled code in this directory instead of the user's cache. It is native code: nobody
    /// else may be able to write there
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    cache_dir: Option<PathBuf>,

    /// Compile at every start
    #[arg(long)]
    no_cache: bool,

    /// Say more; twice for everything. The variable RUST_LOG overrides it
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

const EXAMPLES: &str = "\
Examples:
  wasm-host --control /tmp/proxy_sample.control annotate.wasm
  wasm-host --control tcp://127.0.0.1:4000 --deadline-ms 200 threshold.wasm

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
    log_to_stderr(arguments.verbose);
    let started = prepare(&arguments).map_err(|error| (EXIT_UNUSABLE, error));
    let result = started.and_then(|module| serve(module, &arguments).map_err(|error| (1, error)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err((status, error)) => {
            eprintln!("wasm-host: {error:#}");
            ExitCode::from(status)
        }
    }
}

fn log_to_stderr(verbose: u8) {
    let level = ["info", "debug", "trace"][usize::from(verbose.min(2))];
    let own = format!("warn,sandgate_host={level},sandgate_wire={level},wasm_host={level},module={level}");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(own));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
}

/// Everything that can fail for the person who typed the command, before anybody can see this host.
fn prepare(arguments: &Arguments) -> Result<Module> {
    let code = match (&arguments.cache_dir, arguments.no_cache) {
        (Some(directory), _) => Code::Directory(directory.clone()),
        (None, true) => Code::NotCached,
        (None, false) => Code::UserCache,
    };
    let engine = Engine::new(&code)?;
    let begun = std::time::Instant::now();
    let module = Module::load(&engine, &arguments.module)?;
    let milliseconds = begun.elapsed().as_millis() as u64;
    tracing::info!(module = %arguments.module.display(), milliseconds, "loaded");
    Ok(module)
}

fn serve(module: Module, arguments: &Arguments) -> Result<()> {
    let launcher = launcher()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .thread_name("session")
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let label = arguments.module.file_stem().unwrap_or_default().to_string_lossy();
        let limits = Limits { deadline: Duration::from_millis(arguments.deadline_ms), ..Limits::default() };
        let transport = Arc::new(PairTransport::new(arguments.control.clone()));
        let stop = stop_signal()?;
        let session = Session::bind(module, &label, limits, transport, launcher.is_some())?;
        tracing::info!(control = %arguments.control, pid = std::process::id(), "waiting for a gateway");
        let shutdown = async {
            tokio::select! {
                () = stop => {}
                () = ended(launcher) => tracing::warn!("the gateway that launched this host has ended"),
            }
        };
        session.serve(shutdown).await;
        Ok(())
    })
}

/// A host that a gateway has launched ends when that gateway ends, however that comes about and however
/// many shells stand between the two. `None`: nobody has launched this one.
fn launcher() -> Result<Option<OwnedFd>> {
    let Some(launcher) = std::env::var_os(LAUNCHED_BY) else { return Ok(None) };
    let launcher = launcher.to_str().and_then(|text| text.parse().ok()).and_then(Pid::from_raw);
    let launcher = launcher.with_context(|| format!("the variable {LAUNCHED_BY} is no process id"))?;
    let watched = pidfd_open(launcher, PidfdFlags::NONBLOCK);
    watched.map(Some).context("the gateway that launched this host is gone")
}

/// Completes when the process has ended.
async fn ended(process: Option<OwnedFd>) {
    let Some(process) = process else { return pending().await };
    let (tell, told) = oneshot::channel();
    // A thread of its own: what the runtime offers for descriptors of other kinds is unsafe.
    let watching = thread::Builder::new().name("launcher".into()).spawn(move || {
        let mut ends = [PollFd::new(&process, PollFlags::IN)];
        while let Err(Errno::INTR) = poll(&mut ends, None) {}
        // Nobody waits any more when the host stops for another reason.
        let _ = tell.send(());
    });
    match watching {
        Ok(_) => drop(told.await),
        Err(error) => {
            tracing::warn!(%error, "cannot follow the launching gateway");
            pending::<()>().await;
        }
    }
}

/// Completes with the first Ctrl-C or SIGTERM; the second ends the process.
fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let mut tell = Some(tell);
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            match tell.take() {
                Some(tell) => drop(tell.send(())),
                None => std::process::exit(1),
            }
        }
    });
    Ok(async move { drop(told.await) })
}
