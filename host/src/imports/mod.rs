//! What a module may import: one file an interface, and WASI with nothing granted.

mod broker;
mod encoded;
mod log;
mod poll;
mod random;
mod segments;
mod timers;

use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::{WasiCtxView, WasiView};

use crate::bindings::sandgate::gateway;
use crate::sandbox::Guest;

/// Offers everything that a component of the world may import.
///
/// WASI is there because language runtimes ask for it; its context grants nothing: no files, no
/// environment, no network, an empty standard input.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    poll::add_to_linker(linker)?;
    random::add_to_linker(linker)?;
    broker::add_to_linker(linker)?;
    encoded::add_to_linker(linker)?;
    gateway::log::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    gateway::segments::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    gateway::timers::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
