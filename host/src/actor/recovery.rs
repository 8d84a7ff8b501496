//! After a failure: what is told of it, whether the message is given up, and when a new instance comes.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use sandgate_attach::{Incoming, Port};
use sandgate_wire::link::{Lane, LaneSendError, Parcel};
use tokio::sync::oneshot;

use super::{Actor, Command, End, Failure, Health, Instance, Phase};
use crate::blueprint::Blueprint;
use crate::call::Call;
use crate::fault::Fault;
use crate::restart::{Decision, Restarts};
use crate::verdict::{MessageRecord, Verdict, VerdictContext};

/// What is remembered from failure to failure.
pub(super) struct Recovery {
    restarts: Restarts,
    /// How often the current message has ended its instance.
    pub(super) kills: u32,
}

/// What a failure has left to do. It wakes other threads, which could take the processor away: so the message that the
/// instance did not finish is handled first, if it can be at once.
#[derive(Default)]
struct Aftermath {
    remains: Option<Instance>,
    untold: Option<Box<dyn FnOnce() + Send>>,
}

impl Recovery {
    pub(super) fn new(blueprint: &Blueprint) -> Self {
        Self { restarts: Restarts::new(blueprint.restart), kills: 0 }
    }
}

impl Actor {
    /// Puts a new instance in the place of one that has failed, and has it handle the message that the old
    /// one did not finish; again, if that fails too. Ends where V1's channel leaves it to the gateway.
    pub(super) async fn recover(&mut self, mut failure: Failure) -> Result<(), End> {
        loop {
            let remains = self.take_instance();
            let lane = match &self.port {
                Some(Port::Link(lane)) => lane.clone(),
                _ => {
                    self.give_back(remains);
                    self.tell(failure);
                    return Err(End::Failed);
                }
            };
            let mut aftermath = Aftermath { remains, untold: None };
            let is_the_hosts = failure.is_the_hosts();
            self.account_for(failure, &lane, &mut aftermath).await?;
            self.timer = None;
            self.wait_for_restart(is_the_hosts, &mut aftermath).await?;
            let replaced = self.replace();
            self.settle_aftermath(&mut aftermath);
            match replaced {
                Ok(()) => {
                    self.set_health(Phase::Running, "");
                    return Ok(());
                }
                Err(next) => failure = next,
            }
        }
    }

    /// Replaces an instance that works. Should its last call fail, no message is lost by it, for all are settled. Over the
    /// link it is a failure all the same, so that a module which fails each time is not created anew without a pause; on
    /// V1's channels a failure would end the module, and what is on its way there.
    pub(super) fn recycle(&mut self) -> Result<(), Failure> {
        self.blueprint.flow.recycled.add();
        tracing::debug!(module = &*self.blueprint.label, "recycled");
        if let Some(Err(failure)) = self.instance.as_mut().map(Instance::destroy) {
            if matches!(self.port, Some(Port::Link(_))) {
                return Err(failure);
            }
            self.tell(failure);
        }
        let remains = self.take_instance();
        let replaced = self.replace();
        self.give_back(remains);
        replaced
    }

    /// Goes on by another configuration, at once.
    pub(super) fn renew(&mut self, blueprint: Blueprint) -> Result<(), Failure> {
        self.recovery = Recovery::new(&blueprint);
        self.blueprint = blueprint;
        self.recycle()
    }

    /// What is left of the instance. The next one may ask for segments at once, within the same limits.
    fn take_instance(&mut self) -> Option<Instance> {
        let mut instance = self.instance.take()?;
        instance.let_go();
        Some(instance)
    }

    /// Gives back what an instance had, as a task of its own, for nobody shall wait for that.
    fn give_back(&self, remains: Option<Instance>) {
        if let Some(instance) = remains {
            let workers = self.blueprint.module.engine.workers();
            workers.spawn(async move { drop(instance) });
        }
    }

    fn settle_aftermath(&self, aftermath: &mut Aftermath) {
        let Aftermath { remains, untold } = std::mem::take(aftermath);
        untold.into_iter().for_each(|tell| tell());
        self.give_back(remains);
    }

    /// Makes an instance, and gives it the message that the one before had in hand.
    fn replace(&mut self) -> Result<(), Failure> {
        let instance = self.instance.insert(Instance::create(&self.blueprint, &self.arguments)?);
        let Some(port) = self.port.clone() else { return Ok(()) };
        instance.start(port)?;
        match self.current.take() {
            Some(incoming) => self.receive(incoming),
            None => Ok(()),
        }
    }

    /// Tells of a failure, and gives up the message that has brought it about too often.
    async fn account_for(
        &mut self,
        failure: Failure,
        lane: &Lane,
        aftermath: &mut Aftermath,
    ) -> Result<(), End> {
        let killed = matches!(&failure, Failure::Fault(fault) if fault.post_mortem.call == Call::Receive);
        let Some(incoming) = self.current.as_mut().filter(|_| killed) else {
            aftermath.untold = Some(Box::new(self.word_of(failure)));
            return Ok(());
        };
        incoming.attempt = incoming.attempt.saturating_add(1);
        let most = u32::from(incoming.redelivery_max.unwrap_or(1));
        self.recovery.kills += u32::from(!failure.is_the_hosts());
        if failure.is_the_hosts() || self.recovery.kills < most {
            aftermath.untold = Some(Box::new(self.word_of(failure)));
            return Ok(());
        }
        self.settle_aftermath(aftermath);
        let (tell, mut told) = oneshot::channel();
        self.report(failure, move |verdict| drop(tell.send(verdict.to_json())))();
        let sequence = incoming_sequence(self.current.as_ref());
        let verdict = loop {
            if let Some(verdict) = self.unless_asked_to_end(&mut told).await? {
                // Without a verdict, because too many were under way, the message is given up all the same.
                break verdict.unwrap_or_default();
            }
        };
        self.send(lane, Parcel::dead_letter(sequence, verdict.into())).await?;
        self.blueprint.flow.dead.add();
        self.done_with_current();
        Ok(())
    }

    /// Tells the log of a failure, and a Sandgate gateway.
    pub(super) fn tell(&self, failure: Failure) {
        self.word_of(failure)();
    }

    /// The same, to be told later, of what is so now.
    fn word_of(&self, failure: Failure) -> impl FnOnce() + Send + use<> {
        let lane = match &self.port {
            Some(Port::Link(lane)) => Some(lane.clone()),
            _ => None,
        };
        let sequence = incoming_sequence(self.current.as_ref());
        let flow = self.blueprint.flow.clone();
        self.report(failure, move |verdict| {
            let Some(lane) = lane else { return };
            // A gateway that does not keep up with messages gets no verdicts; the log has them.
            if lane.try_send(Parcel::verdict(sequence, verdict.to_json().into())).is_err() {
                flow.verdicts_dropped.add();
            }
        })
    }

    fn context(&self) -> VerdictContext {
        VerdictContext {
            module: self.blueprint.label.to_string(),
            arguments: self.arguments.to_string(),
            message: self.current.as_ref().map(|incoming| MessageRecord {
                frame: incoming.frame.clone(),
                sequence: incoming.sequence,
                source: incoming.source.as_deref().map(str::to_owned),
                attempt: incoming.attempt,
            }),
            timer: self.timer,
            kills: self.blueprint.flow.faults.get(),
        }
    }

    /// Counts a failure. What is given back tells of it.
    fn report<F>(&self, failure: Failure, then: F) -> impl FnOnce() + Send + use<F>
    where
        F: FnOnce(&Verdict) + Send + 'static,
    {
        self.blueprint.flow.faults.add();
        let (blueprint, context) = (self.blueprint.clone(), self.context());
        move || match failure {
            Failure::Refused(reason) => {
                let module = &*blueprint.label;
                tracing::error!(module, "refused its arguments when it was created anew: {reason}");
            }
            Failure::Fault(fault) => submit(&blueprint, fault, context, then),
        }
    }

    /// Sends what must not be lost, however long the gateway takes.
    async fn send(&mut self, lane: &Lane, mut parcel: Parcel) -> Result<(), End> {
        loop {
            parcel = match lane.try_send(parcel) {
                Ok(_) => return Ok(()),
                // The session will say what is next.
                Err(LaneSendError::Closed) => return Err(End::Asked),
                // No verdict is: what it is made of is bounded.
                Err(LaneSendError::TooLarge(_)) => return Ok(()),
                Err(LaneSendError::Full(parcel)) => parcel,
            };
            let room = poll_fn(|context| lane.poll_ready(context));
            let _ = self.unless_asked_to_end(room).await?;
        }
    }

    /// Waits as long as the policy says.
    async fn wait_for_restart(&mut self, is_the_hosts: bool, aftermath: &mut Aftermath) -> Result<(), End> {
        let (module, now) = (self.blueprint.label.clone(), Instant::now());
        let (decision, reason) = match is_the_hosts {
            true => {
                (Decision::After(self.recovery.restarts.set_back(now)), "the host could not go on with it")
            }
            false => (self.recovery.restarts.failed(now), "it has failed several times in a row"),
        };
        if decision != Decision::After(Duration::ZERO) {
            // It may be long until there is another instance.
            self.settle_aftermath(aftermath);
        }
        match decision {
            Decision::After(Duration::ZERO) => self.blueprint.flow.restarts.add(),
            Decision::After(wait) => {
                tracing::warn!(
                    module = &*module,
                    wait_ms = wait.as_millis() as u64,
                    reason,
                    "created anew after a while"
                );
                self.set_health(Phase::Restarting, reason);
                let sleep = {
                    let _entered = self.blueprint.runtime.enter();
                    tokio::time::sleep(wait)
                };
                self.unless_asked_to_end(sleep).await?;
                self.blueprint.flow.restarts.add();
            }
            Decision::Quarantine { failures } => {
                let window = self.blueprint.restart.window.as_secs();
                let reason = format!("{failures} failures within {window} s");
                tracing::error!(module = &*module, reason, "quarantined until it is revived");
                self.blueprint.flow.quarantines.add();
                self.set_health(Phase::Quarantined, &reason);
                self.unless_asked_to_end(std::future::pending::<()>()).await?;
                self.recovery.restarts.revive();
                tracing::info!(module = &*module, "revived");
            }
        }
        Ok(())
    }

    /// Waits for a future, or for a command that makes waiting needless.
    async fn unless_asked_to_end<T>(&mut self, future: impl Future<Output = T>) -> Result<Option<T>, End> {
        let mut future = pin!(future);
        let command = poll_fn(|context| match self.commands.poll_recv(context) {
            Poll::Ready(command) => Poll::Ready(Err(command)),
            Poll::Pending => future.as_mut().poll(context).map(Ok),
        });
        match command.await {
            Ok(output) => Ok(Some(output)),
            Err(Some(Command::Revive)) => Ok(None),
            Err(Some(Command::Renew(blueprint))) => {
                self.recovery = Recovery { kills: self.recovery.kills, ..Recovery::new(&blueprint) };
                self.blueprint = *blueprint;
                Ok(None)
            }
            // The port is for the instance that comes.
            Err(Some(Command::Start(port))) => {
                self.port = Some(port);
                Ok(None)
            }
            // What the instance had in hand is not settled, and goes to the next one.
            Err(Some(Command::Destroy) | None) => Err(End::Asked),
        }
    }

    fn set_health(&self, phase: Phase, reason: &str) {
        self.health.send_if_modified(|health| {
            let changed = health.phase != phase;
            *health = Health { phase, reason: reason.into() };
            changed
        });
    }
}

/// Tells of a failure outside an actor's life: there is no message, and nobody else to tell.
pub(super) fn report(blueprint: &Blueprint, arguments: &str, fault: Fault) {
    blueprint.flow.faults.add();
    let (module, arguments) = (blueprint.label.to_string(), arguments.to_owned());
    let kills = blueprint.flow.faults.get();
    let context = VerdictContext { module, arguments, kills, ..VerdictContext::default() };
    submit(blueprint, fault, context, |_| {});
}

/// Has the reporter work out the verdict; the log gets its sentence.
fn submit(
    blueprint: &Blueprint,
    fault: Fault,
    context: VerdictContext,
    then: impl FnOnce(&Verdict) + Send + 'static,
) {
    let (module, archive) = (blueprint.label.clone(), blueprint.archive.clone());
    let then = move |verdict: Verdict| {
        tracing::error!(module = &*module, "{}", verdict.summary);
        archive.iter().for_each(|archive| drop(archive.keep(&verdict)));
        then(&verdict);
    };
    if !blueprint.reporter.submit(*fault.post_mortem, blueprint.module.clone(), context, then) {
        blueprint.flow.verdicts_dropped.add();
    }
}

fn incoming_sequence(incoming: Option<&Incoming>) -> u64 {
    incoming.and_then(|incoming| incoming.sequence).unwrap_or_default()
}
