//! One life of a module: its sandbox, its timers, and how much it has done.

use std::pin::Pin;
use std::task::{Context, Poll};

use sandgate_attach::{Incoming, Port};
use sandgate_wire::Message;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::blueprint::{Blueprint, Recycling};
use crate::deliveries::{DELIVERIES_MAX, Delivery};
use crate::fault::{Fault, FaultKind};
use crate::outlet::Outlet;
use crate::sandbox::Sandbox;
use crate::timers::Timers;

/// With two it is found out that a module has become faster; for a slow one it costs nothing that is noticed.
const BATCH_MIN: usize = 2;

/// An instance, which is called until it fails or is replaced.
pub(super) struct Instance {
    sandbox: Sandbox,
    pub(super) timers: Timers,
    messages: u64,
    /// How many deliveries the next call is given at most, where the module takes several.
    batch: usize,
    end: Option<Pin<Box<Sleep>>>,
}

/// Why an instance is of no use any more.
#[derive(Debug)]
pub(super) enum Failure {
    /// The module has refused its arguments, with these words.
    Refused(String),
    /// A call has failed.
    Fault(Fault),
}

impl Failure {
    /// Whether it is the host that could not go on, so that neither the module nor its message is to blame.
    pub(super) fn is_the_hosts(&self) -> bool {
        matches!(self, Self::Fault(fault) if matches!(fault.post_mortem.kind, FaultKind::Host { .. }))
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Instance {
    /// Instantiates the module and calls `create`.
    pub(super) fn create(blueprint: &Blueprint, arguments: &str) -> Result<Self, Failure> {
        let Blueprint { module, label, limits, flow, runtime, recycle, .. } = blueprint;
        let timers = Timers::new(runtime.clone(), limits.max_timers);
        let outlet = Outlet::new(flow.clone());
        let mut sandbox = Sandbox::new(module, label.clone(), *limits, outlet, timers.clone())?;
        sandbox.create(arguments)?.map_err(Failure::Refused)?;
        let end = recycle.interval.and_then(|interval| {
            let _entered = runtime.enter();
            // A time that no clock can hold is as good as never.
            Instant::now().checked_add(interval).map(|end| Box::pin(sleep_until(end)))
        });
        Ok(Self { sandbox, timers, messages: 0, batch: DELIVERIES_MAX, end })
    }

    pub(super) fn start(&mut self, port: Port) -> Result<(), Failure> {
        Ok(self.sandbox.start(port)?)
    }

    /// The inner error is the module's own.
    pub(super) fn receive(
        &mut self,
        message: &Message,
        incoming: &Incoming,
    ) -> Result<Result<(), String>, Failure> {
        self.messages += 1;
        Ok(self.sandbox.receive(message, incoming.source.as_deref(), incoming.attempt)?)
    }

    /// How many deliveries one call may be given now, and how many bytes of them.
    pub(super) fn batch(&self, recycle: &Recycling) -> (usize, usize) {
        if !self.sandbox.takes_encoded() {
            return (1, 0);
        }
        let left = recycle.messages.map_or(usize::MAX, |most| most.saturating_sub(self.messages) as usize);
        (self.batch.min(left), self.sandbox.room())
    }

    /// Hands over several at once, all of which can be packed. The first number of them is handled, also after a
    /// failure, which is that of the next one.
    ///
    /// The next call is given more when all were handled in time; else about as many as were handled.
    pub(super) fn receive_all(&mut self, deliveries: &[(Message, Incoming)]) -> (usize, Result<(), Failure>) {
        let called = self.sandbox.receive_encoded(deliveries.iter().map(|(message, incoming)| Delivery {
            message,
            source: incoming.source.as_deref(),
            attempt: incoming.attempt,
        }));
        let handled = self.sandbox.answers().handled();
        self.messages += handled as u64;
        self.batch = if handled < deliveries.len() {
            handled.max(BATCH_MIN)
        } else {
            self.batch.max(2 * handled).min(DELIVERIES_MAX)
        };
        (handled, called.map_err(Failure::from))
    }

    /// The reason for which one of the last call's deliveries was refused.
    pub(super) fn take_refusal(&mut self, number: usize) -> Option<String> {
        self.sandbox.answers().take_refusal(number)
    }

    pub(super) fn on_timer(&mut self, timer: u64) -> Result<(), Failure> {
        Ok(self.sandbox.on_timer(timer)?)
    }

    pub(super) fn destroy(&mut self) -> Result<(), Failure> {
        Ok(self.sandbox.destroy()?)
    }

    /// Gives back what it holds of others; it is not called again.
    pub(super) fn let_go(&mut self) {
        self.sandbox.let_go();
    }

    /// What it had used, for who wants to know.
    pub(super) fn report(&self, module: &str) {
        let sandbox = &self.sandbox;
        let (memory_used, memory_peak) = (sandbox.memory_used(), sandbox.memory_peak());
        let lines_dropped = sandbox.lines_dropped();
        tracing::debug!(module, memory_used, memory_peak, lines_dropped, "the instance has ended");
    }

    /// Ready when the instance is to be replaced before it can do harm. One that has handled nothing is
    /// left alone, so that a limit below a module's size at rest cannot keep it from working.
    pub(super) fn poll_worn_out(&mut self, context: &mut Context<'_>, recycle: &Recycling) -> Poll<()> {
        let has_worked = self.messages > 0;
        let heavy = recycle.memory.is_some_and(|most| has_worked && self.sandbox.memory_used() >= most);
        let done = recycle.messages.is_some_and(|most| self.messages >= most.max(1));
        let old = || self.end.as_mut().is_some_and(|end| end.as_mut().poll(context).is_ready());
        if heavy || done || { old }() { Poll::Ready(()) } else { Poll::Pending }
    }
}
