//! A gateway in this process, as the program `gateway` has it, whose own modules do what the benchmark asks of them.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use sandgate_gateway::broker::{Link, OnFull, Route, Source};
use sandgate_gateway::config::Config;
use sandgate_gateway::gateway::Gateway;
use sandgate_gateway::module::{Context as ModuleContext, Life, Module};
use sandgate_gateway::runtime;
use sandgate_gateway::status::ModuleStatus;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// No answer for so long is a failure, not a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Messages that the inbox of an end holds.
pub(crate) const CAPACITY: usize = 1024;

/// The gateway. What is added to it later runs from the next [`LocalGateway::start`] on.
pub(crate) struct LocalGateway {
    gateway: Gateway,
    runtime: Runtime,
    /// Held: dead letters go there.
    _directory: tempfile::TempDir,
}

impl LocalGateway {
    pub(crate) fn new() -> Result<Self> {
        let directory = tempfile::tempdir().context("no temporary directory")?;
        let gateway = Gateway::with_dead_letters(directory.path().join("dead-letters"));
        Ok(Self { gateway, runtime: runtime()?, _directory: directory })
    }

    /// Adds a module in another process: its name and entrypoint, as a configuration has them.
    pub(crate) fn add_remote(&mut self, name: &str, entrypoint: Value, args: &Value) -> Result<()> {
        let loader = json!({"name": "outprocess", "entrypoint": entrypoint});
        self.add_module(json!({"name": name, "loader": loader, "args": args}))
    }

    /// Adds a module as a configuration has it.
    pub(crate) fn add_module(&mut self, module: Value) -> Result<()> {
        let config = Config::check(&json!({"modules": [module], "links": []}), false);
        for module in config.map_err(|faults| anyhow!("{faults:?}"))?.modules {
            self.gateway.add_module(module)?;
        }
        Ok(())
    }

    /// Adds a module of this process, with links to and from another one.
    pub(crate) fn add_end(&mut self, name: &str, other: &str) -> Result<End> {
        let end = self.add_end_without_links(name)?;
        for (source, sink) in [(name, other), (other, name)] {
            let source = Source::Module(source.into());
            let terms = OnFull::Block.into();
            self.add_link(Link { source, sink: sink.into(), terms })?;
        }
        Ok(end)
    }

    /// Adds a module of this process.
    pub(crate) fn add_end_without_links(&mut self, name: &str) -> Result<End> {
        let (orders, received) = mpsc::channel(1);
        self.gateway.add(name, CAPACITY, Box::new(Played { orders: received }), PATIENCE)?;
        Ok(End { orders })
    }

    /// Adds a link.
    pub(crate) fn add_link(&self, link: Link) -> Result<()> {
        Ok(self.gateway.broker().add_link(link)?)
    }

    /// Adds links.
    pub(crate) fn add_links(&self, links: impl IntoIterator<Item = Link>) -> Result<()> {
        Ok(self.gateway.broker().add_links(links)?)
    }

    /// The routes by which a module gets messages.
    pub(crate) fn routes_to(&self, sink: &str) -> Vec<Arc<Route>> {
        self.gateway.broker().routes().into_iter().filter(|route| route.sink() == sink).collect()
    }

    pub(crate) fn statuses(&self) -> Vec<ModuleStatus> {
        self.gateway.board().modules()
    }

    /// Starts what has been added.
    pub(crate) fn start(&mut self) {
        let _entered = self.runtime.enter();
        self.gateway.start();
    }

    pub(crate) fn status(&self, name: &str) -> Result<ModuleStatus> {
        let found = self.gateway.board().modules().into_iter().find(|module| module.name() == name);
        found.with_context(|| format!("the gateway has no module {name}"))
    }

    pub(crate) fn stop(self) -> Result<()> {
        let Self { gateway, runtime, .. } = self;
        let stopped = runtime.block_on(async { timeout(PATIENCE, gateway.stop()).await });
        stopped.context("the gateway does not stop")
    }
}

/// What an end is asked to do, in its own task.
type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type Order = Box<dyn for<'a> FnOnce(&'a mut ModuleContext) -> Work<'a, ()> + Send>;

/// A module of the gateway's process, in the benchmark's hands. It does one thing after the other.
pub(crate) struct End {
    orders: mpsc::Sender<Order>,
}

/// What an end has been asked for and has not done yet.
pub(crate) struct Pending<T>(oneshot::Receiver<Result<T>>);

impl End {
    /// Has it do something, and waits for what comes of it.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut ModuleContext) -> Work<'a, Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.begin(work)?.wait()
    }

    /// Has it begin something.
    pub(crate) fn begin<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut ModuleContext) -> Work<'a, Result<T>> + Send + 'static,
    ) -> Result<Pending<T>> {
        let (tell, told) = oneshot::channel();
        let order: Order = Box::new(move |context| {
            Box::pin(async move {
                let result = work(context).await;
                // Nobody waits any more when the benchmark is given up.
                drop(tell.send(result));
            })
        });
        if self.orders.blocking_send(order).is_err() {
            bail!("a module of the gateway has ended");
        }
        Ok(Pending(told))
    }
}

impl<T> Pending<T> {
    pub(crate) fn wait(self) -> Result<T> {
        self.0.blocking_recv().context("a module of the gateway has ended")?
    }
}

struct Played {
    orders: mpsc::Receiver<Order>,
}

impl Module for Played {
    fn run(mut self: Box<Self>, mut context: ModuleContext) -> Life {
        Box::pin(async move {
            let stop = context.stop.clone();
            while let Some(Some(order)) = stop.run_until_cancelled(self.orders.recv()).await {
                order(&mut context).await;
            }
            Ok(())
        })
    }
}
