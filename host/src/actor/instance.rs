//! One life of a module: its sandbox, its timers, and how much it has done.

use std::pin::Pin;
use std::task::{Context, Poll};

use sandgate_attach::{Incoming, Port};
use sandgate_wire::Message;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::blueprint::{Blueprint, Recycling};
use crate::fault::Fault;
use crate::outlet::Outlet;
use crate::sandbox::Sandbox;
use crate::timers::Timers;

/// An instance, which is called until it fails or is replaced.
pub(super) struct Instance {
    sandbox: Sandbox,
    pub(super) timers: Timers,
    messages: u64,
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
        Ok(Self { sandbox, timers, messages: 0, end })
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
