//! What a session holds of an actor.

use std::sync::Arc;

use sandgate_attach::Port;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Actor, Command, End};
use crate::blueprint::Blueprint;

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
    /// There is none: what the gateway has said of it is of no use.
    NoModule(String),
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

/// The actor's ends of what a handle holds, for as long as there is no actor yet.
pub(crate) struct Order {
    inbox: mpsc::Receiver<Command>,
    created: oneshot::Sender<Result<(), Refusal>>,
    ended: oneshot::Sender<Result<(), End>>,
    health: watch::Sender<Health>,
}

impl Order {
    /// The session has let go of the handle, so nobody waits for the module any more.
    pub(crate) fn is_withdrawn(&self) -> bool {
        self.created.is_closed()
    }

    /// There will be no actor.
    pub(crate) fn refuse(self, refusal: Refusal) {
        // Nobody listens when the handle was dropped.
        let _ = self.created.send(Err(refusal));
    }

    /// Starts an actor that creates the module and then waits for commands.
    pub(crate) fn fulfil(self, blueprint: Blueprint, arguments: &str) {
        let arguments = Arc::from(arguments);
        let (label, module) = (blueprint.label.clone(), blueprint.module.clone());
        let life = async move {
            // Another Create has taken its place while this one waited for a thread.
            if self.is_withdrawn() {
                return;
            }
            let Self { inbox, created, ended, health } = self;
            let mut actor = match Actor::create(blueprint, arguments, inbox, health) {
                Ok(actor) => actor,
                Err(refusal) => return drop(created.send(Err(refusal))),
            };
            if created.send(Ok(())).is_ok() {
                let ending = actor.run().await;
                actor.instance.iter().for_each(|instance| instance.report(&label));
                drop(actor);
                // Nobody listens when the handle was dropped.
                let _ = ended.send(ending);
            }
        };
        module.engine.workers().spawn(life);
    }
}

impl ActorHandle {
    /// A handle, and what its actor is to be made with.
    pub(crate) fn order() -> (Self, Order) {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (tell_created, created) = oneshot::channel();
        let (tell_ended, ended) = oneshot::channel();
        let (tell_health, health) = watch::channel(Health::default());
        let order = Order { inbox, created: tell_created, ended: tell_ended, health: tell_health };
        (Self { commands, created, ended, health }, order)
    }

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
