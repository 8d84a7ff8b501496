//! `wasm-host --control ID MODULE` and `wasm-host --config FILE`: waiting for gateways.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Error, Result};
use clap::ArgAction;
use sandgate_host::{
    Archive, Host, HostConfig, Module, Recycling, Reporter, Residents, RestartPolicy, Setup, Surroundings,
};
use sandgate_wire::Address;
use tokio::signal::unix::{SignalKind, signal};

use super::SandboxOptions;
use crate::EXIT_UNUSABLE;
use crate::born::{Birth, stop_signal};

/// What to serve.
#[derive(clap::Args)]
pub struct Serve {
    /// The module: a component of the world sandgate:gateway/gateway-module
    #[arg(required_unless_present = "config")]
    module: Option<PathBuf>,

    /// Where the gateway finds this host: the `control.id` of its configuration. A socket path (a
    /// relative one is relative to the working directory, on both sides), ipc://PATH or tcp://HOST:PORT
    #[arg(long, value_name = "ID", required_unless_present = "config")]
    control: Option<Address>,

    /// Run the modules of this file, each with its own control id, limits and policies; read again on SIGHUP
    #[arg(long, value_name = "FILE", conflicts_with_all = ["module", "control", "limits", "cache_dir", "no_cache"])]
    config: Option<PathBuf>,

    #[command(flatten)]
    sandbox: SandboxOptions,

    /// Keep the verdicts on failures in this directory, the newest 100
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    verdicts: Option<PathBuf>,

    /// Offer V1's channels alone, also to a Sandgate gateway
    #[arg(long)]
    no_link: bool,

    /// Say more; twice for everything. The variable RUST_LOG overrides it
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
}

/// The modules that are to be served, loaded.
struct Loaded {
    engine: sandgate_host::Engine,
    setups: Vec<(Address, Setup)>,
    verdict_directory: Option<PathBuf>,
}

/// Serves until it is asked to stop.
pub fn run(serve: &Serve) -> Result<ExitCode, (u8, Error)> {
    let loaded = serve.load().map_err(|error| (EXIT_UNUSABLE, error))?;
    let birth = Birth::of_this_process().map_err(|error| (1, error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .thread_name("session")
        .build()
        .context("cannot start the runtime")
        .map_err(|error| (1, error))?;
    runtime.block_on(serve.serve(loaded, birth)).map_err(|error| (1, error))?;
    Ok(ExitCode::SUCCESS)
}

impl Serve {
    /// Everything that can fail for the person who typed the command, before anybody can see this host.
    fn load(&self) -> Result<Loaded> {
        let Some(file) = &self.config else {
            let engine = self.sandbox.engine()?;
            let (path, control) =
                self.module.as_ref().zip(self.control.clone()).context("no module is given")?;
            let limits = self.sandbox.limits();
            let module = load(&engine, path, &limits)?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let setup = Setup { limits, ..Setup::new(module, &name) };
            let verdict_directory = self.verdicts.clone();
            return Ok(Loaded { engine, setups: vec![(control, setup)], verdict_directory });
        };
        let config = HostConfig::load(file)?;
        let engine = SandboxOptions::engine_in(config.cache_directory.as_deref())?;
        let setups = setups(&engine, &config)?;
        Ok(Loaded { engine, setups, verdict_directory: config.verdict_directory })
    }

    async fn serve(&self, loaded: Loaded, mut birth: Birth) -> Result<()> {
        let Loaded { engine, setups, verdict_directory } = loaded;
        let stop = stop_signal()?;
        let mut hang_ups = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
        let reporter = Reporter::start().context("no thread for verdicts")?;
        let archive = verdict_directory.as_deref().map(Archive::new).transpose();
        let archive = archive.context("the directory for verdicts cannot be made")?;
        let residents = birth.is_launched().then(Residents::default);
        let (link, unlinked) = birth.link(self.no_link)?;
        let mut host = Host::new(Surroundings { reporter, archive, link, residents });
        for (control, setup) in setups {
            let module = setup.name.clone();
            host.start(control.clone(), setup)?;
            tracing::info!(module, %control, pid = std::process::id(), "waiting for a gateway");
        }
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
                () = host.destroyed() => break,
                Some(()) = hang_ups.recv() => match &self.config {
                    Some(file) => reload(&mut host, &engine, file).await,
                    None => tracing::info!("there is no configuration to read again; use --config"),
                },
            }
        }
        host.stop().await;
        Ok(())
    }
}

/// Goes over to what the file says now. One that cannot be used changes nothing.
async fn reload(host: &mut Host, engine: &sandgate_host::Engine, file: &Path) {
    let (engine, file) = (engine.clone(), file.to_owned());
    // Compiling takes seconds, and sessions go on meanwhile.
    let loading = tokio::task::spawn_blocking(move || setups(&engine, &HostConfig::load(&file)?));
    match loading.await {
        Ok(Ok(setups)) => {
            let names: Vec<_> =
                setups.iter().map(|(control, setup)| (setup.name.clone(), control.clone())).collect();
            let failed = host.apply(setups);
            for (control, error) in &failed {
                tracing::error!(%control, %error, "a module of the configuration cannot be started");
            }
            for (module, control) in names {
                if !failed.iter().any(|(address, _)| *address == control) {
                    tracing::info!(module, %control, "waiting for a gateway");
                }
            }
        }
        Ok(Err(error)) => tracing::error!("the configuration is not changed: {error:#}"),
        Err(error) => tracing::error!(%error, "the configuration cannot be read again"),
    }
}

fn setups(engine: &sandgate_host::Engine, config: &HostConfig) -> Result<Vec<(Address, Setup)>> {
    let setup = |module: &sandgate_host::ModuleConfig| {
        let loaded = load(engine, &module.path, &module.limits)?;
        let (restart, recycle): (RestartPolicy, Recycling) = (module.restart, module.recycle);
        let name = module.name.clone();
        Ok((module.control.clone(), Setup { module: loaded, name, limits: module.limits, restart, recycle }))
    };
    config.modules.iter().map(setup).collect()
}

fn load(engine: &sandgate_host::Engine, path: &Path, limits: &sandgate_host::Limits) -> Result<Module> {
    let begun = Instant::now();
    let module = Module::load(engine, path, limits)?;
    let milliseconds = begun.elapsed().as_millis() as u64;
    tracing::info!(module = %path.display(), milliseconds, "loaded");
    Ok(module)
}
