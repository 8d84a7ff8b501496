//! One instance of a module with its store, and the calls into it, each with a deadline.

use std::sync::Arc;
use std::time::Duration;

use sandgate_wire::Message;
use wasmtime::component::{ResourceTable, TypedFunc};
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

use crate::bindings::GatewayModule;
use crate::bindings::exports::sandgate::gateway::module::{self as contract, ModuleError};
use crate::engine::Engine;
use crate::fault::Fault;
use crate::module::Module;
use crate::outlet::Outlet;
use crate::timers::Timers;
use crate::transcript::{Transcript, line};

/// What one module may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long one call may take.
    pub deadline: Duration,
    /// The size of its linear memory, in bytes.
    pub memory_max: usize,
    /// Timers that it may have at a time.
    pub timers_max: usize,
}

impl Default for Limits {
    /// 5 s a call, 256 MiB, 64 timers.
    fn default() -> Self {
        Self { deadline: Duration::from_secs(5), memory_max: 256 << 20, timers_max: 64 }
    }
}

/// What the host keeps for a guest, and what its imports act on.
pub(crate) struct Guest {
    pub(crate) label: Arc<str>,
    pub(crate) outlet: Outlet,
    pub(crate) timers: Timers,
    pub(crate) handles_timers: bool,
    pub(crate) wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    transcript: Transcript,
    limits: StoreLimits,
}

/// An instance. After a [`Fault`] it must be dropped; nothing more can be called in it.
pub(crate) struct Sandbox {
    store: Store<Guest>,
    module: GatewayModule,
    on_timer: Option<TypedFunc<(u64,), ()>>,
    deadline: Duration,
    epochs: u64,
}

impl Sandbox {
    /// Instantiates the module; nothing of its own is called yet.
    pub(crate) fn new(
        module: &Module,
        label: Arc<str>,
        limits: Limits,
        mut outlet: Outlet,
        timers: Timers,
    ) -> Result<Self, Fault> {
        outlet.begin_call(limits.deadline);
        let transcript = Transcript::new(label.clone());
        let wasi = WasiCtxBuilder::new().stdout(transcript.clone()).stderr(transcript.clone()).build();
        let store_limits = StoreLimitsBuilder::new().memory_size(limits.memory_max).build();
        let guest = Guest {
            label,
            outlet,
            timers,
            handles_timers: module.on_timer.is_some(),
            wasi,
            table: ResourceTable::new(),
            transcript: transcript.clone(),
            limits: store_limits,
        };
        let mut store = Store::new(module.engine.wasmtime(), guest);
        store.limiter(|guest| &mut guest.limits);
        let epochs = Engine::epochs(limits.deadline);
        store.set_epoch_deadline(epochs);
        let failed = |error: wasmtime::Error| {
            Fault::new("instantiate", &error, limits.deadline, transcript.take_last_words())
        };
        let instance = module.instances.instance_pre().instantiate(&mut store).map_err(failed)?;
        let on_timer = match module.on_timer {
            Some(index) => Some(instance.get_typed_func(&mut store, index).map_err(failed)?),
            None => None,
        };
        let module = GatewayModule::new(&mut store, &instance).map_err(failed)?;
        Ok(Self { store, module, on_timer, deadline: limits.deadline, epochs })
    }

    /// Makes the module from its arguments. The inner error is the module's own refusal.
    pub(crate) fn create(&mut self, arguments: &str) -> Result<Result<(), String>, Fault> {
        let refused = self
            .call("create", |module, store| module.sandgate_gateway_module().call_create(store, arguments))?;
        Ok(refused.map_err(|error| match error {
            ModuleError::Configuration(reason) | ModuleError::Other(reason) => line(&reason),
        }))
    }

    /// Opens the way out and tells the module that everything is in place.
    pub(crate) fn start(&mut self) -> Result<(), Fault> {
        self.store.data_mut().outlet.open = true;
        self.call("start", |module, store| module.sandgate_gateway_module().call_start(store))
    }

    /// Hands over one message. The inner error is the module's own.
    pub(crate) fn receive(&mut self, message: &Message) -> Result<Result<(), String>, Fault> {
        let properties: Vec<(&str, &str)> = message.properties().collect();
        let record = contract::Message { properties: &properties, content: message.content() };
        // V1's wire tells neither the source nor whether this is a repetition.
        let delivery = contract::Delivery { source: None, attempt: 1 };
        let handled = self.call("receive", |module, store| {
            module.sandgate_gateway_module().call_receive(store, record, delivery)
        })?;
        Ok(handled.map_err(|reason| line(&reason)))
    }

    /// Tells the module that a timer's time has come.
    pub(crate) fn on_timer(&mut self, timer: u64) -> Result<(), Fault> {
        let Some(on_timer) = self.on_timer else { return Ok(()) };
        self.call("on-timer", |_, store| on_timer.call(store, (timer,)))
    }

    /// The last call.
    pub(crate) fn destroy(&mut self) -> Result<(), Fault> {
        self.call("destroy", |module, store| module.sandgate_gateway_module().call_destroy(store))
    }

    fn call<T>(
        &mut self,
        name: &'static str,
        call: impl FnOnce(&GatewayModule, &mut Store<Guest>) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        self.store.set_epoch_deadline(self.epochs);
        self.store.data_mut().outlet.begin_call(self.deadline);
        call(&self.module, &mut self.store).map_err(|error| {
            let last_words = self.store.data().transcript.take_last_words();
            Fault::new(name, &error, self.deadline, last_words)
        })
    }
}
