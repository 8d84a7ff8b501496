//! What a session holds of an actor.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::{Actor, Command, End};
use crate::blueprint::Blueprint;
use sandgate_attach::Port;

/// Commands that may wait. A session sends a few in an instance's life, and a person some.
const COMMANDS: usize = 8;

/// What the session holds of an actor. Dropping it ends the instance after the call that is going on.
pub(crate) struct ActorHandle {
    commands: mpsc::Sender<Command>,
    created: oneshot::Receiver<Result<(), Refusal>>,
    ended: oneshot::Receiver<Result<(), End>>,
    /// How the module is.
    pub(crate) health: watch::Receiver<Health>,
}

/// Why a module was not created.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It said so itself.
    Module(String),
    /// It failed; the reporter tells how.
    Fault,
    /// The host failed: this is a mistake in it.
    Host,
}

/// How an instance ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// As it was asked to.
    Destroyed,
    /// It failed; the reporter tells how.
    Failed,
    /// The host failed: this is a mistake in it.
    Host,
}

/// How a started module is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Health {
    pub(crate) phase: Phase,
    /// Why it is not running.
    pub(crate) reason: Arc<str>,
}

/// Whether a module handles messages at present.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Phase {
    #[default]
    Running,
    /// It has failed and is created anew after a while.
    Restarting,
    /// It has failed too often and waits to be revived.
    Quarantined,
}

impl Blueprint {
    /// Starts an actor that creates the module and then waits for commands.
    pub(crate) fn create(&self, arguments: &str) -> ActorHandle {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (tell_created, created) = oneshot::channel();
        let (tell_ended, ended) = oneshot::channel();
        let (tell_health, health) = watch::channel(Health::default());
        let (blueprint, arguments) = (self.clone(), Arc::from(arguments));
        let label = self.label.clone();
        let workers = self.module.engine.workers();
        let life = async move {
            // Another Create has taken its place while this one waited for a thread.
            if tell_created.is_closed() {
                return;
            }
            let mut actor = match Actor::create(blueprint, arguments, inbox, tell_health) {
                Ok(actor) => actor,
                Err(refusal) => return drop(tell_created.send(Err(refusal))),
            };
            if tell_created.send(Ok(())).is_ok() {
                let ending = actor.run().await;
                actor.instance.iter().for_each(|instance| instance.report(&label));
                drop(actor);
                // Nobody listens when the handle was dropped.
                let _ = tell_ended.send(ending);
            }
        };
        workers.spawn(life).detach();
        ActorHandle { commands, created, ended, health }
    }
}

impl ActorHandle {
    /// How the creation went. To be awaited once.
    pub(crate) async fn created(&mut self) -> Result<(), Refusal> {
        (&mut self.created).await.unwrap_or(Err(Refusal::Host))
    }

    /// The end of the actor. To be awaited once.
    pub(crate) async fn ended(&mut self) -> Ending {
        match (&mut self.ended).await {
            Ok(Ok(()) | Err(End::Asked)) => Ending::Destroyed,
            Ok(Err(End::Failed)) => Ending::Failed,
            Err(_) => Ending::Host,
        }
    }

    pub(crate) fn start(&self, port: Port) {
        self.command(Command::Start(port));
    }

    pub(crate) fn revive(&self) {
        self.command(Command::Revive);
    }

    pub(crate) fn renew(&self, blueprint: Blueprint) {
        self.command(Command::Renew(Box::new(blueprint)));
    }

    pub(crate) fn destroy(&self) {
        self.command(Command::Destroy);
    }

    fn command(&self, command: Command) {
        // Full or closed only when the instance is on its way out, or stuck in a call.
        let _ = self.commands.try_send(command);
    }
}
