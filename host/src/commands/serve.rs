//! `wasm-host --control ID MODULE` and `wasm-host --config FILE`: waiting for gateways.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail};
use sandgate_host::{
    Archive, Engine, Host, HostConfig, Limits, Naming, Place, Reporter, Residents, Setup, Surroundings,
    Watchdog, Workers,
};
use sandgate_precedence::Turns;
use sandgate_wire::Address;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use super::SandboxOptions;
use super::loading::{Loading, Step, load};
use crate::EXIT_UNUSABLE;
use crate::born::{Birth, stop_signal};

/// What to serve.
#[derive(clap::Args)]
pub struct Serve {
    /// The module: a component of the world sandgate:gateway/gateway-module. Without it the gateway's args name
    /// it: { "outprocess.loader": { "name": "wasm", "entrypoint": { "module.path": "..." } }, "module.args": ... }
    module: Option<PathBuf>,

    /// Where the gateway finds this host: the `control.id` of its configuration. A socket path (a
    /// relative one is relative to the working directory, on both sides), ipc://PATH or tcp://HOST:PORT
    #[arg(long, value_name = "ID", required_unless_present = "config")]
    control: Option<Address>,

    /// Run the modules of this file, each with its own control id, limits and policies; read again on SIGHUP
    #[arg(long, value_name = "FILE", conflicts_with_all = ["module", "control", "limits", "cache_dir", "no_cache"])]
    config: Option<PathBuf>,

    /// Let gateways name components in this folder alone; relative paths are relative to it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["module", "config"])]
    modules: Option<PathBuf>,

    #[command(flatten)]
    sandbox: SandboxOptions,

    /// Keep the verdicts on failures in this directory, the newest 100
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    verdicts: Option<PathBuf>,

    /// Offer V1's channels alone, also to a Sandgate gateway
    #[arg(long)]
    no_link: bool,
}

/// What is to be served, and where.
struct Loaded {
    work: Work,
    workers: Workers,
    verdict_directory: Option<PathBuf>,
    /// Where gateways find modules by their names.
    link_socket: Option<PathBuf>,
}

enum Work {
    /// One module, loaded.
    Module(Address, Box<Setup>),
    /// Those that gateways name.
    Named(Address, Naming),
    /// The modules of a configuration, which are being loaded.
    Modules(Loading),
}

/// Tasks that have their turn between two looks at the sockets: few, so that a module with much traffic keeps no other's
/// waiting.
const TASKS: u32 = 3;

/// The turns of the session's thread when it has much to do.
const LONG_TURN: Duration = Duration::from_micros(200);

thread_local! {
    static TURNS: Turns = const { Turns::new(LONG_TURN) };
}

/// Serves until it is asked to stop.
pub fn run(serve: &Serve) -> Result<ExitCode, (u8, Error)> {
    let loaded = serve.load().map_err(|error| (EXIT_UNUSABLE, error))?;
    let failed = |error| (1, error);
    let birth = Birth::of_this_process().map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .event_interval(TASKS)
        .enable_all()
        .thread_name("session")
        .on_thread_park(|| TURNS.with(Turns::before_sleep))
        .on_thread_unpark(|| TURNS.with(Turns::after_sleep))
        .build()
        .context("cannot start the runtime")
        .map_err(failed)?;
    runtime.block_on(serve.serve(loaded, birth))?;
    Ok(ExitCode::SUCCESS)
}

impl Serve {
    /// Everything that can fail for the person who typed the command, before anybody can see this host.
    fn load(&self) -> Result<Loaded> {
        let Some(file) = &self.config else {
            let engine = self.sandbox.engine()?;
            let control = self.control.clone().context("no control id is given")?;
            let limits = self.sandbox.limits();
            let Some(path) = &self.module else {
                let workers = engine.workers().clone();
                let work = Work::Named(control.clone(), self.naming(engine, limits, &control)?);
                return Ok(Loaded {
                    work,
                    workers,
                    verdict_directory: self.verdicts.clone(),
                    link_socket: None,
                });
            };
            let module = load(&engine, path, &limits)?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let setup = Setup { limits, ..Setup::new(module, &name) };
            let (work, workers) = (Work::Module(control, Box::new(setup)), engine.workers().clone());
            return Ok(Loaded { work, workers, verdict_directory: self.verdicts.clone(), link_socket: None });
        };
        let config = HostConfig::load(file)?;
        let engine = self.sandbox.engine_of_many(config.cache_directory.as_deref())?;
        let (workers, verdict_directory) = (engine.workers().clone(), config.verdict_directory.clone());
        let link_socket = config.link.clone();
        let work = Work::Modules(Loading::begin(engine, file, config));
        Ok(Loaded { work, workers, verdict_directory, link_socket })
    }

    /// Where the modules come from that gateways name. Who may connect to a socket file is this user or root; to a
    /// TCP port it is anybody, who then chooses among a folder's components and not among all files.
    fn naming(&self, engine: Engine, limits: Limits, control: &Address) -> Result<Naming> {
        if control.path().is_none() && self.modules.is_none() {
            bail!(
                "whoever reaches {control} could name any file as the module; give the module, or with --modules \
                 the folder of those that may be named"
            );
        }
        let folder = self.modules.as_deref();
        Naming::start(engine, limits, folder).with_context(|| match folder {
            Some(folder) => format!("the folder {} of --modules cannot be used", folder.display()),
            None => "no thread to load modules with".to_owned(),
        })
    }

    async fn serve(&self, loaded: Loaded, mut birth: Birth) -> Result<(), (u8, Error)> {
        let Loaded { work, workers, verdict_directory, link_socket } = loaded;
        let failed = |error| (1, error);
        let stop = stop_signal().map_err(failed)?;
        let hang_ups = signal(SignalKind::hangup()).context("cannot wait for SIGHUP");
        let mut hang_ups = hang_ups.map_err(failed)?;
        let reporter = Reporter::start().context("no thread for verdicts").map_err(failed)?;
        let archive = verdict_directory.as_deref().map(Archive::new).transpose();
        let archive = archive.context("the directory for verdicts cannot be made").map_err(failed)?;
        let residents = birth.is_launched().then(Residents::default);
        let (link, unlinked) = birth.link(self.no_link).map_err(failed)?;
        link.iter().for_each(|link| link.watched_by(Arc::new(workers.clone())));
        let host = Host::new(Surroundings { reporter, archive, link, residents });
        let mut tenants = Tenants { host, link_socket, loaded: 0, has_begun: false };
        let mut loading = match work {
            Work::Module(control, setup) => {
                let name = setup.name.clone();
                tenants
                    .host
                    .set(Place::Control(control.clone()), *setup)
                    .map_err(|error| failed(error.into()))?;
                tell_start(&name, &control);
                None
            }
            Work::Named(control, naming) => {
                tenants.host.set_named(control.clone(), naming).map_err(|error| failed(error.into()))?;
                tell_start("named by the gateway", &control);
                None
            }
            Work::Modules(loading) => Some(loading),
        };
        let watchdog = Watchdog::start(&workers, &Handle::current()).context("no thread to watch the others");
        let _watchdog = watchdog.map_err(failed)?;
        let mut stop = std::pin::pin!(stop);
        let mut unlinked = std::pin::pin!(unlinked);
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = birth.orphaned() => {
                    tracing::warn!("the gateway that launched this host has ended");
                    break;
                }
                () = &mut unlinked => {
                    tracing::warn!("the link to the gateway that launched this host has ended");
                    break;
                }
                () = tenants.host.destroyed() => break,
                step = next(&mut loading) => tenants.take(step)?,
                Some(()) = hang_ups.recv() => match &mut loading {
                    Some(loading) => loading.ask_again(),
                    None => tracing::info!("there is no configuration to read again; use --config"),
                },
            }
        }
        tenants.host.stop().await;
        Ok(())
    }
}

async fn next(loading: &mut Option<Loading>) -> Step {
    match loading {
        Some(loading) => loading.next().await,
        None => std::future::pending().await,
    }
}

/// The host, and how its modules come into it.
struct Tenants {
    host: Host,
    /// Where gateways find modules by their names, until it is listened there.
    link_socket: Option<PathBuf>,
    /// Modules that could be loaded, of the first reading.
    loaded: usize,
    /// The first reading of the configuration is over.
    has_begun: bool,
}

impl Tenants {
    /// Goes over to what the file says now, a step further. A module that cannot be loaded stays as it was, or away.
    fn take(&mut self, step: Step) -> Result<(), (u8, Error)> {
        match step {
            Step::Unusable(error) => tracing::error!("the configuration is not changed: {error}"),
            Step::Listed(places) => {
                self.host.expect_only(&places);
                // Now, so that none of them is taken for unknown.
                if let Some(socket) = self.link_socket.take() {
                    let listening = self.host.listen_at(&socket);
                    let reason = || format!("cannot listen at {}, the `link.id`", socket.display());
                    listening.with_context(reason).map_err(|error| (1, error))?;
                }
            }
            Step::Loaded(module, place, Err(error)) => {
                self.host.give_up(&place);
                tracing::error!(module, control = %place, "a module of the configuration cannot be used: {error}");
            }
            Step::Loaded(module, place, Ok(setup)) => {
                self.loaded += 1;
                match self.host.set(place.clone(), *setup) {
                    Ok(()) => tell_start(&module, &place),
                    Err(error) => {
                        self.host.give_up(&place);
                        tracing::error!(module, control = %place, %error, "a module of the configuration cannot be started");
                    }
                }
            }
            Step::Done if !self.has_begun && self.host.is_empty() => {
                let status = if self.loaded == 0 { EXIT_UNUSABLE } else { 1 };
                return Err((status, anyhow!("no module of the configuration can be run")));
            }
            Step::Done => self.has_begun = true,
        }
        Ok(())
    }
}

fn tell_start(module: &str, control: &dyn std::fmt::Display) {
    tracing::info!(module, %control, pid = std::process::id(), "waiting for a gateway");
}
