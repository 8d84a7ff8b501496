//! One instance of a module with its store, and the calls into it, each within its limits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_attach::Port;
use sandgate_wire::Message;
use wasmtime::component::{ResourceTable, TypedFunc};
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

use crate::bindings::GatewayModule;
use crate::bindings::exports::sandgate::gateway::module::{self as contract, ModuleError};
use crate::call::Call;
use crate::deliveries::{Answers, BYTES_MAX, Delivery};
use crate::engine::Engine;
use crate::fault::{Condemned, Fault, PostMortem, Usage};
use crate::ledger::Ledger;
use crate::limits::{Exceeded, Limits};
use crate::module::Module;
use crate::outlet::Outlet;
use crate::timers::Timers;
use crate::transcript::{Transcript, line};
use crate::workers::{self, TICK};

/// Ticks after which a call that still runs looks whether it must end. A store's deadline cannot be changed
/// by another thread, so a call that others need to end looks by itself; short calls never come to it.
const LOOK: u64 = 10;
/// How long a call goes on beginning deliveries: as long as others wait for the thread anyhow before it is noticed.
const BATCH: Duration = TICK;
/// What part of the memory that a module may still have is used for deliveries beside the first.
const SHARE: u64 = 4;
/// Properties that are handed over without an allocation.
const FEW: usize = 16;
/// The most memory that is kept from call to call to pack deliveries into, in bytes.
const KEPT: usize = 16 << 10;

/// What the host keeps for a guest, and what its imports act on.
pub(crate) struct Guest {
    pub(crate) outlet: Outlet,
    pub(crate) timers: Timers,
    pub(crate) handles_timers: bool,
    pub(crate) wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) transcript: Transcript,
    pub(crate) ledger: Ledger,
    pub(crate) limits: Limits,
    answers: Answers,
}

/// An instance. After a [`Fault`] it must be dropped; nothing more can be called in it.
pub(crate) struct Sandbox {
    store: Store<Guest>,
    instance: Option<Instance>,
    /// What deliveries are packed into, each time anew.
    packed: Arc<Vec<u8>>,
}

struct Instance {
    module: GatewayModule,
    on_timer: Option<TypedFunc<(u64,), ()>>,
    receive_encoded: Option<ReceiveEncoded>,
}

/// Shared, because a function with a type of its own cannot borrow; nobody holds it but during the call.
type ReceiveEncoded = TypedFunc<(Arc<Vec<u8>>,), ()>;

impl Sandbox {
    /// Instantiates the module; nothing of its own is called yet.
    pub(crate) fn new(
        module: &Module,
        label: Arc<str>,
        limits: Limits,
        mut outlet: Outlet,
        timers: Timers,
    ) -> Result<Self, Fault> {
        outlet.set_limits(&limits);
        let transcript = Transcript::new(label, &limits);
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(transcript.clone()).stderr(transcript.clone());
        if let Some(clock) = timers.hand_clock() {
            wasi.wall_clock(clock.clone()).monotonic_clock(clock.clone());
        }
        let wasi = wasi.build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.max_resources as usize);
        let guest = Guest {
            outlet,
            timers,
            handles_timers: module.linked.on_timer.is_some(),
            wasi,
            table,
            transcript,
            ledger: Ledger::new(limits, module.linked.on_timer.is_some()),
            limits,
            answers: Answers::none(),
        };
        let instance = module.linked.instances.instance_pre();
        let mut store = Store::new(instance.engine(), guest);
        store.limiter(|guest| &mut guest.ledger);
        store.set_hostcall_fuel(limits.hostcall_fuel as usize);
        store.set_max_component_handles(limits.max_resources as usize);
        store.epoch_deadline_callback(|context| {
            if workers::is_condemned() {
                return Err(Condemned.into());
            }
            workers::step_back();
            let left = context.data().outlet.deadline.saturating_duration_since(Instant::now());
            Ok(if left.is_zero() { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(ticks(left)) })
        });
        let mut sandbox = Self { store, instance: None, packed: Arc::default() };
        let (on_timer, receive_encoded) = (module.linked.on_timer, module.linked.receive_encoded);
        let made = sandbox.call(Call::Instantiate, |_, store| {
            let instance = instance.instantiate(&mut *store)?;
            let on_timer = on_timer.map(|index| instance.get_typed_func(&mut *store, index)).transpose()?;
            let receive_encoded =
                receive_encoded.map(|index| instance.get_typed_func(&mut *store, index)).transpose()?;
            Ok(Instance { module: GatewayModule::new(store, &instance)?, on_timer, receive_encoded })
        })?;
        sandbox.instance = Some(made);
        Ok(sandbox)
    }

    /// Makes the module from its arguments. The inner error is the module's own refusal.
    pub(crate) fn create(&mut self, arguments: &str) -> Result<Result<(), String>, Fault> {
        self.call_with_answer(Call::Create, arguments.len(), |module, store| {
            let created = module.sandgate_gateway_module().call_create(store, arguments)?;
            Ok(created.map_err(|error| match error {
                ModuleError::Configuration(reason) | ModuleError::Other(reason) => reason,
            }))
        })
    }

    /// Opens the way out and tells the module that everything is in place.
    pub(crate) fn start(&mut self, port: Port) -> Result<(), Fault> {
        self.store.data_mut().outlet.open(port);
        self.call_module(Call::Start, |module, store| module.sandgate_gateway_module().call_start(store))
    }

    /// Hands over one message. The inner error is the module's own.
    ///
    /// `source` is the module that published it, where the channel tells; `attempt` is 1 for the first
    /// delivery, and one more for each after a failure.
    pub(crate) fn receive(
        &mut self,
        message: &Message,
        source: Option<&str>,
        attempt: u32,
    ) -> Result<Result<(), String>, Fault> {
        let delivery = Delivery { message, source, attempt };
        if self.takes_encoded() && delivery.packed_size().is_some() {
            self.receive_encoded(std::iter::once(delivery))?;
            return Ok(self.answers().take_refusal(0).map_or(Ok(()), Err));
        }
        self.receive_record(delivery)
    }

    /// Whether [`Sandbox::receive_encoded`] can be called.
    pub(crate) fn takes_encoded(&self) -> bool {
        self.instance.as_ref().is_some_and(|instance| instance.receive_encoded.is_some())
    }

    /// How many bytes of deliveries one call can be given, without the module being ended for the memory that the others
    /// take beside the first.
    pub(crate) fn room(&self) -> usize {
        let free = self.store.data().limits.max_memory_size.saturating_sub(self.memory_used());
        usize::try_from(free / SHARE).unwrap_or(BYTES_MAX).min(BYTES_MAX)
    }

    /// Hands over deliveries that can be packed, in their encoded form. What came of each is in [`Sandbox::answers`],
    /// also after a fault: that is of the first which is not handled.
    pub(crate) fn receive_encoded<'a>(
        &mut self,
        deliveries: impl Iterator<Item = Delivery<'a>>,
    ) -> Result<(), Fault> {
        // Nobody else holds it but when a call has not come to its end.
        let packed = Arc::make_mut(&mut self.packed);
        packed.clear();
        let given = deliveries.map(|delivery| delivery.pack(packed)).count();
        let packed = self.packed.clone();
        if packed.capacity() > KEPT {
            self.packed = Arc::default();
        }
        self.call(Call::Receive, |instance, store| {
            let function = instance.and_then(|instance| instance.receive_encoded);
            let function = function.ok_or_else(|| wasmtime::format_err!("there is no such export"))?;
            let held = packed.len() as u64;
            let guest = store.data_mut();
            guest.ledger.begin_copy(held)?;
            guest.answers.expect(given, guest.outlet.begun + BATCH);
            function.call(&mut *store, (packed,))?;
            let guest = store.data_mut();
            guest.answers.finish();
            guest.ledger.end_copy(held);
            Ok(())
        })
    }

    /// What came of the deliveries of the last call.
    pub(crate) fn answers(&mut self) -> &mut Answers {
        &mut self.store.data_mut().answers
    }

    fn receive_record(
        &mut self,
        Delivery { message, source, attempt }: Delivery<'_>,
    ) -> Result<Result<(), String>, Fault> {
        let (mut few, many);
        let count = message.properties().len();
        let properties = if count <= FEW {
            few = [("", ""); FEW];
            std::iter::zip(&mut few, message.properties()).for_each(|(place, property)| *place = property);
            &few[..count]
        } else {
            many = message.properties().collect::<Vec<_>>();
            &many
        };
        let held = message.frame().len() + size_of_val(properties);
        let record = contract::Message { properties, content: message.content() };
        let delivery = contract::Delivery { source, attempt };
        self.call_with_answer(Call::Receive, held, |module, store| {
            module.sandgate_gateway_module().call_receive(store, record, delivery)
        })
    }

    /// Tells the module that a timer's time has come.
    pub(crate) fn on_timer(&mut self, timer: u64) -> Result<(), Fault> {
        let Some(on_timer) = self.instance.as_ref().and_then(|instance| instance.on_timer) else {
            return Ok(());
        };
        self.call(Call::OnTimer, |_, store| on_timer.call(store, (timer,)))
    }

    /// The last call.
    pub(crate) fn destroy(&mut self) -> Result<(), Fault> {
        self.call_module(Call::Destroy, |module, store| module.sandgate_gateway_module().call_destroy(store))
    }

    /// Drops the resources of the host that the guest has handles of.
    pub(crate) fn let_go(&mut self) {
        self.store.data_mut().table = ResourceTable::new();
    }

    /// Memory that the instance uses now, in bytes: its own and what the host holds for it.
    pub(crate) fn memory_used(&self) -> u64 {
        self.store.data().ledger.used()
    }

    /// The most memory that it has used at a time, in bytes.
    pub(crate) fn memory_peak(&self) -> u64 {
        self.store.data().ledger.peak()
    }

    /// Lines that it wrote and the log had no room for.
    pub(crate) fn lines_dropped(&self) -> u64 {
        self.store.data().transcript.dropped()
    }

    /// A call for which the host holds so many bytes, and which may answer with a reason: they are in the account as
    /// long as they are there.
    fn call_with_answer(
        &mut self,
        call: Call,
        held: usize,
        function: impl FnOnce(&GatewayModule, &mut Store<Guest>) -> wasmtime::Result<Result<(), String>>,
    ) -> Result<Result<(), String>, Fault> {
        let answer = self.call_module(call, |module, store| {
            store.data_mut().ledger.begin_copy(held as u64)?;
            let answer = function(module, store)?;
            let ledger = &mut store.data_mut().ledger;
            if let Err(reason) = &answer {
                ledger.pass_copy(reason.len())?;
            }
            ledger.end_copy(held as u64);
            Ok(answer)
        })?;
        Ok(answer.map_err(|reason| line(&reason)))
    }

    fn call_module<T>(
        &mut self,
        call: Call,
        function: impl FnOnce(&GatewayModule, &mut Store<Guest>) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        self.call(call, |instance, store| match instance {
            Some(instance) => function(&instance.module, store),
            None => Err(wasmtime::format_err!("there is no instance")),
        })
    }

    fn call<T>(
        &mut self,
        call: Call,
        function: impl FnOnce(Option<&Instance>, &mut Store<Guest>) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        let guest = self.store.data_mut();
        guest.begin_call(call, Instant::now());
        let (timeout, fuel) = (guest.limits.timeout_of(call), guest.limits.fuel);
        self.store.set_epoch_deadline(ticks(timeout));
        if let Some(fuel) = fuel
            && let Err(error) = self.store.set_fuel(fuel)
        {
            return Err(self.fault(call, error));
        }
        let result = function(self.instance.as_ref(), &mut self.store);
        let guest = self.store.data_mut();
        let held = guest.count_resources();
        let within = |value| held.map(|()| value).map_err(wasmtime::Error::from);
        result.and_then(within).map_err(|error| self.fault(call, error))
    }

    fn fault(&self, call: Call, error: wasmtime::Error) -> Fault {
        let Guest { outlet, transcript, ledger, limits, .. } = self.store.data();
        let usage = Usage {
            memory_peak: ledger.peak(),
            memory_limit: limits.max_memory_size,
            time: outlet.begun.elapsed(),
            fuel: limits.fuel.map(|fuel| fuel.saturating_sub(self.store.get_fuel().unwrap_or(0))),
        };
        let post_mortem = PostMortem::new(call, error, limits, usage, transcript.take_last_lines());
        Fault { post_mortem: Box::new(post_mortem) }
    }
}

impl Guest {
    /// A delivery of several is handled. Whether the next one is in hand now: for it this is another call, with all its
    /// limits.
    pub(crate) fn answer(&mut self, answer: Result<(), String>) -> wasmtime::Result<bool> {
        if !self.answers.note(answer) {
            return Ok(false);
        }
        let now = Instant::now();
        if !self.answers.go_on(now) {
            return Ok(false);
        }
        self.count_resources()?;
        self.begin_call(Call::Receive, now);
        Ok(true)
    }

    fn begin_call(&mut self, call: Call, now: Instant) {
        self.outlet.begin_call(now, self.limits.timeout_of(call));
        self.transcript.begin_call();
    }

    fn count_resources(&mut self) -> Result<(), Exceeded> {
        self.ledger.set_resources(self.table.iter_mut().count())
    }
}

/// Until the end of this time, or the next look.
fn ticks(left: Duration) -> u64 {
    if left >= TICK * LOOK as u32 { LOOK } else { Engine::epochs(left) }
}

#[cfg(test)]
pub(crate) mod tests;
