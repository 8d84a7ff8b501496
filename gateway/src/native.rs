//! Native modules: shared libraries with V1's C interface, in the gateway's own process.
//!
//! Each is called on a thread of its own, for one thing at a time and in order, so it may wait there. It publishes from
//! any thread, and waits while a link that blocks has no room. Its inbox is the only queue on its way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use sandgate_native_loader::{HeldSegment, Instance, ModuleLibrary, Outlet, Refused};
use sandgate_wire::Message;
use sandgate_wire::segments::{Grant, SegmentError, Token};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::broker::{Delivery, Publisher};
use crate::config::NativeConfig;
use crate::module::{Context, Life, Module, ModuleError};
use crate::segments::{LocalSegment, LocalSegments};
use crate::status::State;

/// Messages that are taken from the inbox together, up to this many.
const BATCH: usize = 64;

/// A native module.
pub struct Native {
    config: NativeConfig,
}

impl Native {
    /// The module, whose library is loaded when it runs.
    #[must_use]
    pub fn new(config: NativeConfig) -> Self {
        Self { config }
    }
}

impl Module for Native {
    fn run(self: Box<Self>, context: Context) -> Life {
        Box::pin(async move {
            // Cancelled when this future is dropped, which ends every wait of a module that is ended by force.
            let closed = CancellationToken::new();
            let _closing = closed.clone().drop_guard();
            let (done, ended) = oneshot::channel();
            // A thread's name cannot have a NUL in it.
            let name = context.name.replace('\0', "?");
            let runtime = Handle::current();
            let work = move || {
                // Nobody listens when the module was ended by force.
                let _ = done.send(live(&self.config, context, &runtime, &closed));
            };
            thread::Builder::new().name(name).spawn(work).map_err(failed)?;
            ended.await.unwrap_or_else(|_| Err(ModuleError("its thread panicked".to_owned())))
        })
    }
}

fn failed(error: impl ToString) -> ModuleError {
    ModuleError(error.to_string())
}

/// The module's life, on its own thread.
fn live(
    config: &NativeConfig,
    context: Context,
    runtime: &Handle,
    closed: &CancellationToken,
) -> Result<(), ModuleError> {
    let Context { publisher, mut inbox, segments, status, .. } = context;
    let library = ModuleLibrary::open(&config.library).map_err(failed)?;
    let segments = LocalSegments::new(&segments);
    let outlet =
        ToBroker { publisher, segments: segments.clone(), runtime: runtime.clone(), closed: closed.clone() };
    let mut module = Instance::create(&library, Arc::new(outlet), &config.arguments).map_err(failed)?;
    module.start();
    status.set(State::Running, "");
    let mut batch = VecDeque::with_capacity(BATCH);
    loop {
        let taking = closed.run_until_cancelled(inbox.recv_unsettled_batch(&mut batch, BATCH));
        if runtime.block_on(taking).is_none_or(|taken| taken == 0) {
            break;
        }
        for delivery in batch.drain(..) {
            if closed.is_cancelled() {
                delivery.dropped();
            } else {
                hand_over(&mut module, delivery)?;
            }
        }
    }
    drop(module);
    // What the module has left running may call, and publishes no more and holds nothing.
    closed.cancel();
    segments.give_back();
    Ok(())
}

fn hand_over(module: &mut Instance, delivery: Delivery) -> Result<(), ModuleError> {
    if delivery.can_expire() && delivery.is_expired(Instant::now()) {
        delivery.expired();
        return Ok(());
    }
    module.receive(&delivery.message).map_err(failed)?;
    delivery.delivered();
    Ok(())
}

/// The way from the module to the broker, under the module's name.
struct ToBroker {
    publisher: Publisher,
    segments: LocalSegments,
    runtime: Handle,
    closed: CancellationToken,
}

impl Outlet for ToBroker {
    fn publish(&self, message: Message) -> Result<(), Refused> {
        let publishing = self.closed.run_until_cancelled(self.publisher.publish(message));
        self.runtime.block_on(publishing).ok_or(Refused)
    }

    fn create_segment(&self, pool: &str, size: u64) -> Result<Arc<dyn HeldSegment>, SegmentError> {
        self.unless_closed()?;
        Ok(Arc::new(Held(self.segments.create(pool, size)?)))
    }

    fn open_segment(&self, token: Token) -> Result<Arc<dyn HeldSegment>, SegmentError> {
        self.unless_closed()?;
        Ok(Arc::new(Held(self.segments.open(token)?)))
    }
}

impl ToBroker {
    fn unless_closed(&self) -> Result<(), SegmentError> {
        if self.closed.is_cancelled() { Err(SegmentError::Unavailable) } else { Ok(()) }
    }
}

struct Held(LocalSegment);

impl HeldSegment for Held {
    fn grant(&self) -> &Grant {
        self.0.grant()
    }
}

#[cfg(test)]
mod tests;
