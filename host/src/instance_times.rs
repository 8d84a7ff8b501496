//! How long instances take, for the benchmark: made, created, started, and given back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_attach::Port;
use sandgate_wire::MemoryChannel;
use tokio::runtime::Handle;

use crate::fault::Fault;
use crate::limits::Limits;
use crate::module::Module;
use crate::outlet::Outlet;
use crate::sandbox::Sandbox;
use crate::timers::Timers;

/// What each instance of a series took, its end included.
#[derive(Clone, Debug, Default)]
pub struct InstanceTimes {
    /// In a place of the pool that nobody had before: all of them lived at a time.
    pub first_touch: Vec<Duration>,
    /// One after the other, in a place that another has left.
    pub reused: Vec<Duration>,
}

/// Makes so many instances of a module, twice, in this thread, with `null` as their arguments. `limits` must be those
/// that the module was loaded with.
///
/// # Errors
/// An instance fails.
pub fn time_instances(
    module: &Module,
    limits: Limits,
    runtime: &Handle,
    count: usize,
) -> Result<InstanceTimes, Fault> {
    let port = Port::pair(Arc::new(MemoryChannel::pair(1).0));
    let make = || {
        let timers = Timers::new(runtime.clone(), limits.max_timers);
        let outlet = Outlet::new(Arc::default());
        let begun = Instant::now();
        let mut sandbox = Sandbox::new(module, "timed".into(), limits, outlet, timers)?;
        // Whether it takes its arguments is not the question.
        let _ = sandbox.create("null")?;
        sandbox.start(port.clone())?;
        Ok((sandbox, begun.elapsed()))
    };
    let give_back = |(sandbox, taken): (Sandbox, Duration)| {
        let begun = Instant::now();
        drop(sandbox);
        taken + begun.elapsed()
    };
    let all = (0..count).map(|_| make()).collect::<Result<Vec<_>, _>>()?;
    let first_touch = all.into_iter().map(give_back).collect();
    let reused = (0..count).map(|_| make().map(give_back)).collect::<Result<_, _>>()?;
    Ok(InstanceTimes { first_touch, reused })
}
