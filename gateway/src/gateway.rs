//! A gateway: a broker with modules and links, which come and go by value.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::admin;
use crate::broker::{Broker, BrokerError, Capacity, Counters, Route};
use crate::config::{Config, ModuleConfig, ModuleKind};
use crate::dead_letters::{DeadLetters, LetterCounts};
use crate::module::{Context, Module};
use crate::native::Native;
use crate::outprocess::{Links, PairConnector, Proxy};
use crate::segments::{SegmentRights, Segments};
use crate::status::{State, StatusBoard};

/// How long a module of this process may take to finish what waits in its inbox.
const LOCAL_STOP: Duration = Duration::from_secs(5);
/// Kinds of modules, as a status names them.
const BUILTIN: &str = "builtin";
const NATIVE: &str = "native";
const OUTPROCESS: &str = "outprocess";

/// Runs what a configuration says until `shutdown` completes, then drains and stops. An administration socket
/// is served all the while.
///
/// Draining goes along the links: a module is stopped when all that publish to it have ended, so what
/// they published last still gets through. Every step has a time limit. A module or host that fails does
/// not end the gateway.
///
/// # Errors
/// A configuration that was made by hand and names modules twice, or not at all. One that was read from
/// a file has been checked.
pub async fn run(
    config: Config,
    admin: Option<admin::Server>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), BrokerError> {
    let mut gateway = Gateway::with_dead_letters(config.dead_letter_file);
    let (modules, links) = (config.modules.len(), config.links.len());
    for module in config.modules {
        gateway.add_module(module)?;
    }
    gateway.broker.add_links(config.links)?;
    gateway.start();
    let (broker, dead_letters) = (gateway.broker.clone(), gateway.dead_letters.clone());
    let view = admin::View { broker, dead_letters, board: gateway.board.clone() };
    let mut served = JoinSet::new();
    if let Some(server) = admin {
        served.spawn(server.serve(view));
    }
    info!(modules, links, "gateway running");
    shutdown.await;
    info!("gateway stopping");
    gateway.stop().await;
    info!("gateway stopped");
    Ok(())
}

/// A gateway with its modules. Dropping it ends all of them at once.
pub struct Gateway {
    broker: Broker,
    dead_letters: DeadLetters,
    links: Links,
    segments: Segments,
    board: StatusBoard,
    modules: Vec<Entry>,
}

struct Entry {
    name: String,
    stop: CancellationToken,
    longest_stop: Duration,
    phase: Phase,
}

enum Phase {
    Created(Box<dyn Module>, Context),
    Running(JoinHandle<()>),
    Ended,
}

impl Default for Gateway {
    fn default() -> Self {
        Self::new()
    }
}

impl Gateway {
    /// A gateway without modules, whose dead letters go to [`DeadLetters::FILE`] in the working directory.
    #[must_use]
    pub fn new() -> Self {
        Self::with_dead_letters(DeadLetters::FILE.into())
    }

    /// A gateway without modules, whose dead letters go to this file.
    #[must_use]
    pub fn with_dead_letters(file: PathBuf) -> Self {
        let broker = Broker::new();
        let dead_letters = DeadLetters::new(broker.clone(), file);
        let (links, segments, board) = (Links::default(), Segments::new(), StatusBoard::new());
        Self { broker, dead_letters, links, segments, board, modules: Vec::new() }
    }

    /// What the modules are doing.
    #[must_use]
    pub fn board(&self) -> &StatusBoard {
        &self.board
    }

    /// The shared memory segments that there are.
    #[must_use]
    pub fn segments(&self) -> &Segments {
        &self.segments
    }

    /// The broker: links are added to it and removed from it at any time.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Adds a module of a configuration. It runs from the next [`Gateway::start`] on.
    ///
    /// # Errors
    /// [`BrokerError::DuplicateModule`].
    pub fn add_module(&mut self, config: ModuleConfig) -> Result<(), BrokerError> {
        let ModuleConfig { name, queue, segments, kind } = config;
        let (kind, module, longest_stop): (_, Box<dyn Module>, _) = match kind {
            ModuleKind::Builtin(builtin) => (BUILTIN, builtin.create(), LOCAL_STOP),
            ModuleKind::Native(native) => (NATIVE, Box::new(Native::new(native)), LOCAL_STOP),
            ModuleKind::Outprocess(outprocess) => {
                let longest_stop = Proxy::<PairConnector>::longest_stop(&outprocess);
                let proxy = Proxy::new(*outprocess, PairConnector, self.links.clone());
                (OUTPROCESS, Box::new(proxy), longest_stop)
            }
        };
        self.add_of_kind(kind, &name, queue, segments, module, longest_stop)
    }

    /// Adds a module of any kind. It runs from the next [`Gateway::start`] on; when it is stopped it may
    /// take as long as `longest_stop` before it is ended by force.
    ///
    /// # Errors
    /// [`BrokerError::DuplicateModule`].
    pub fn add(
        &mut self,
        name: &str,
        queue_capacity: impl Into<Capacity>,
        module: Box<dyn Module>,
        longest_stop: Duration,
    ) -> Result<(), BrokerError> {
        self.add_of_kind(BUILTIN, name, queue_capacity.into(), SegmentRights::default(), module, longest_stop)
    }

    fn add_of_kind(
        &mut self,
        kind: &'static str,
        name: &str,
        queue: Capacity,
        rights: SegmentRights,
        module: Box<dyn Module>,
        longest_stop: Duration,
    ) -> Result<(), BrokerError> {
        let (publisher, inbox) = self.broker.add_module(name, queue)?;
        let (stop, status) = (CancellationToken::new(), self.board.add(name, kind));
        let context = Context {
            name: name.to_owned(),
            publisher,
            inbox,
            dead_letters: self.dead_letters.clone(),
            segments: self.segments.of_module(rights, status.clone()),
            status,
            stop: stop.clone(),
        };
        let phase = Phase::Created(module, context);
        self.modules.push(Entry { name: name.to_owned(), stop, longest_stop, phase });
        Ok(())
    }

    /// Starts the modules that have not been started. Each runs by itself; none waits for another.
    pub fn start(&mut self) {
        for entry in &mut self.modules {
            entry.phase = match std::mem::replace(&mut entry.phase, Phase::Ended) {
                Phase::Created(module, context) => Phase::Running(tokio::spawn(live(module, context))),
                other => other,
            };
        }
    }

    /// Stops one module, drained, and removes it with its links. Gives back the routes that ended, for
    /// their counters.
    ///
    /// # Errors
    /// [`BrokerError::NoSuchModule`].
    pub async fn remove_module(&mut self, name: &str) -> Result<Vec<Arc<Route>>, BrokerError> {
        let missing = || BrokerError::NoSuchModule(name.to_owned());
        let position = self.modules.iter().position(|entry| entry.name == name).ok_or_else(missing)?;
        let mut entry = self.modules.remove(position);
        entry.tell(&self.broker);
        entry.wait().await;
        self.board.remove(name);
        self.broker.remove_module(name)
    }

    /// Stops all modules, those that publish before those that they publish to, and logs what became of
    /// the messages.
    pub async fn stop(mut self) {
        let routes = self.broker.routes();
        let mut remaining = std::mem::take(&mut self.modules);
        while !remaining.is_empty() {
            let wave = next_wave(&remaining, &routes);
            let (mut ending, others): (Vec<_>, Vec<_>) =
                remaining.into_iter().partition(|entry| wave.contains(&entry.name));
            remaining = others;
            ending.iter().for_each(|entry| entry.tell(&self.broker));
            for entry in &mut ending {
                entry.wait().await;
            }
        }
        for route in self.broker.routes() {
            let Counters { offered, delivered, dropped, expired, dead, waiting, redelivered } =
                route.counters();
            info!(
                source = route.source(),
                sink = route.sink(),
                offered,
                delivered,
                dropped,
                expired,
                dead,
                waiting,
                in_flight = route.in_flight(),
                redelivered,
                "link"
            );
        }
        let LetterCounts { written, lost, thrown_away } = self.dead_letters.counts();
        if written + lost + thrown_away > 0 {
            info!(written, lost, thrown_away, "dead letters in the file");
        }
    }
}

impl Entry {
    /// Asks the module to finish.
    fn tell(&self, broker: &Broker) {
        self.stop.cancel();
        // A module that the broker does not know has no inbox to close.
        let _ = broker.close_inbox(&self.name);
    }

    /// Waits until the module has ended, and ends it when it takes too long.
    async fn wait(&mut self) {
        let Phase::Running(task) = &mut self.phase else { return };
        if timeout(self.longest_stop, &mut *task).await.is_err() {
            warn!(module = self.name, "module has not stopped in time; it is ended");
            task.abort();
        }
        self.phase = Phase::Ended;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Phase::Running(task) = &self.phase {
            task.abort();
        }
    }
}

/// The names of the modules that no other remaining one publishes to. When all are on cycles or behind
/// them: the first.
fn next_wave(remaining: &[Entry], routes: &[Arc<Route>]) -> HashSet<String> {
    let names: HashSet<_> = remaining.iter().map(|entry| entry.name.as_str()).collect();
    let feeding = routes.iter().filter(|route| names.contains(route.source()));
    let fed: HashSet<_> = feeding.map(|route| route.sink()).collect();
    let wave: HashSet<_> = names.into_iter().filter(|name| !fed.contains(name)).map(str::to_owned).collect();
    match remaining.first() {
        Some(first) if wave.is_empty() => HashSet::from([first.name.clone()]),
        _ => wave,
    }
}

/// A module's life, with a wall around it: an error or a panic ends this module alone.
async fn live(module: Box<dyn Module>, context: Context) {
    let (name, status) = (context.name.clone(), context.status.clone());
    // A remote module runs when its host does, which its proxy knows, and a native one when it was created.
    if status.kind() == BUILTIN {
        status.set(State::Running, "");
    }
    // A set, because it ends its task when this future is dropped.
    let mut life = JoinSet::new();
    life.spawn(async move { module.run(context).await });
    match life.join_next().await {
        Some(Ok(Ok(()))) | None => status.set(State::Stopped, ""),
        Some(Ok(Err(error))) => {
            error!(module = name, %error, "module failed; the others go on");
            status.set(State::Stopped, format!("failed: {error}"));
        }
        Some(Err(error)) => {
            error!(module = name, %error, "module panicked; the others go on");
            status.set(State::Stopped, "panicked");
        }
    }
}

#[cfg(test)]
mod tests;
