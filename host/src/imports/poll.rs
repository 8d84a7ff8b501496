//! `wasi:io/poll`: waiting, for no longer than the call that it is made from may take.
//!
//! A guest that sleeps executes nothing, so the epoch that ends a spinning one does not reach it. All of a
//! guest's waiting goes through this interface, since it is granted neither files nor a network.

use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::timeout_at;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime::{Result, Trap};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::io::poll as unbounded;
use wasmtime_wasi::p2::bindings::sync::io::poll::{self, Host, HostPollable};
use wasmtime_wasi::runtime::in_tokio;

use crate::fault::Condemned;
use crate::sandbox::Guest;
use crate::workers;

/// How often a guest that waits looks whether it must give way.
const LOOK: Duration = Duration::from_millis(20);

/// Replaces the interface that WASI has brought.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    linker.allow_shadowing(true);
    poll::add_to_linker::<Guest, Bounded>(linker, |guest| Waiter {
        table: &mut guest.table,
        deadline: guest.outlet.deadline,
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

struct Bounded;

impl HasData for Bounded {
    type Data<'a> = Waiter<'a>;
}

struct Waiter<'a> {
    table: &'a mut ResourceTable,
    deadline: Instant,
}

impl Host for Waiter<'_> {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> Result<Vec<u32>> {
        wait(self.deadline, unbounded::Host::poll(self.table, pollables))
    }
}

impl HostPollable for Waiter<'_> {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> Result<bool> {
        wait(self.deadline, unbounded::HostPollable::ready(self.table, pollable))
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        wait(self.deadline, unbounded::HostPollable::block(self.table, pollable))
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        unbounded::HostPollable::drop(self.table, pollable)
    }
}

/// Blocks this worker thread, whose seat another one takes meanwhile, and ends the guest at the deadline,
/// or when its thread is needed more by others.
fn wait<T>(deadline: Instant, future: impl Future<Output = Result<T>>) -> Result<T> {
    let waiting = async {
        let mut future = pin!(future);
        loop {
            let look = deadline.min(Instant::now() + LOOK);
            if let Ok(result) = timeout_at(look.into(), &mut future).await {
                return result;
            }
            if workers::is_condemned() {
                return Err(Condemned.into());
            }
            if Instant::now() >= deadline {
                return Err(Trap::Interrupt.into());
            }
        }
    };
    workers::while_it_waits(|| in_tokio(waiting))
}
