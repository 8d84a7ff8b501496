//! Wasmtime as Sandgate uses it: the pooling allocator, epochs for deadlines, compiled code in a cache.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sha2::{Digest, Sha256};
use thiserror::Error;
use wasmtime::component::Component;
use wasmtime::{
    Cache, CacheConfig, Config, Enabled, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use crate::compile::{CompileError, Compiler};
use crate::limits::Limits;
use crate::linked::InUse;
use crate::module::hexadecimal;
use crate::precompiled::{Precompiled, load};
use crate::workers::{TICK, Workers};

/// Frames that are kept of a guest's stack, the innermost: a panic of Rust takes up to a dozen.
const FRAMES_MAX: usize = 32;
/// Instances that the pool of a setting holds at most; a module takes one, and another for a moment when it is created
/// anew. Each reserves 4 GiB of address space. So in a host of many modules the setting that most of them have, the
/// default one, gets 40 of a process's 128 TiB, and each of the few others 4.
const POOL_INSTANCES: u32 = 1000;
const POOL_INSTANCES_MANY: u32 = 10_240;
/// What a place in the pool keeps of the memory and of the table that were in it, in bytes.
const KEPT_MEMORY: usize = 1 << 20;
const KEPT_TABLE: usize = 64 << 10;
/// What the limits `max-instances`, `max-memories`, `max-tables` and `max-table-elements` can be at most.
const CORE_INSTANCES_PER_COMPONENT: u32 = 128;
const MEMORIES_PER_COMPONENT: u32 = 16;
const TABLES_PER_COMPONENT: u32 = 64;
const TABLE_ELEMENTS: usize = 100_000;

/// Compiles and runs components. Cloning shares it.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    workers: Workers,
}

#[derive(Default)]
struct Shared {
    cache: Option<Cache>,
    /// None: this process compiles.
    compiler: Option<Compiler>,
    /// Where code is looked for first.
    precompiled: Precompiled,
    /// One engine for each setting that code is compiled for, and each way to allocate, made when it is first needed.
    engines: Mutex<BTreeMap<(Settings, Allocation), wasmtime::Engine>>,
    ticking: Arc<RwLock<Vec<EngineWeak>>>,
    linked: InUse,
    room: Room,
}

/// How many instances with the default settings there may be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Room {
    /// A thousand.
    #[default]
    Usual,
    /// Ten thousand, which reserve 40 TiB of address space: enough for one engine in a process.
    Many,
}

/// What compiled code depends on, of a module's limits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Settings {
    /// Code counts its instructions.
    pub(crate) fuel: bool,
    /// The guest's stack, in bytes. A power of two: each engine reserves address space, so there must be few.
    pub(crate) stack: usize,
}

impl Settings {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self { fuel: limits.fuel.is_some(), stack: (limits.max_wasm_stack as usize).next_power_of_two() }
    }
}

/// Where instances come from. Code is the same for both.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Allocation {
    /// From places that are there and are used again.
    Pooled,
    /// Made for each, of any size: for what no place of the pool can hold.
    OnDemand,
}

/// A component with its code.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    /// Why no place in the pool can hold an instance of it. Each is allocated by itself then.
    pub(crate) beyond_pool: Option<String>,
}

/// Where compiled code is kept between runs. It is native code: the directory must be writable by
/// nobody but those who may run code here.
#[derive(Clone, Debug, Default)]
pub enum Code {
    /// In the user's cache directory; where there is none, nowhere.
    #[default]
    UserCache,
    /// In this directory, which is made if it is missing.
    Directory(PathBuf),
    /// Nowhere: every start compiles.
    NotCached,
}

/// Why there is no engine.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The cache cannot be used.
    #[error(
        "cannot keep compiled code in {directory}: {reason}; choose another place with --cache-dir, or --no-cache"
    )]
    Cache {
        /// The directory.
        directory: String,
        /// What the system said.
        reason: String,
    },
    /// This machine cannot run the engine.
    #[error("the WebAssembly engine does not start: {0:#}")]
    Unsupported(wasmtime::Error),
    /// The worker threads cannot be started.
    #[error("no worker threads to be had: {0}")]
    Threads(#[from] std::io::Error),
}

impl Engine {
    /// Makes the engine and its worker threads.
    ///
    /// # Errors
    /// The cache directory cannot be used, the machine is unsupported, no threads are to be had.
    pub fn new(code: &Code) -> Result<Self, EngineError> {
        Self::make(cache(code)?, None, Precompiled::default(), Room::Usual)
    }

    /// Likewise; components are compiled by another process, for which `program` is started with the
    /// command [`crate::COMPILE_COMMAND`], but for those whose code is there ahead of time.
    ///
    /// # Errors
    /// As [`Engine::new`], or there is no place for the code that the other process makes.
    pub fn with_compiler(
        code: &Code,
        program: PathBuf,
        precompiled: Precompiled,
        room: Room,
    ) -> Result<Self, EngineError> {
        let kept_in = cache(code)?.map(|cache| cache.directory().clone());
        let compiler = Compiler::new(program, kept_in).map_err(|error| EngineError::Cache {
            directory: std::env::temp_dir().display().to_string(),
            reason: error.to_string(),
        })?;
        let cache = compiler.cache().map_err(EngineError::Unsupported)?;
        Self::make(Some(cache), Some(compiler), precompiled, room)
    }

    /// As [`Engine::new`], with [`Workers::without_threads`]: guests are called by whoever runs these.
    ///
    /// # Errors
    /// The cache directory cannot be used.
    pub fn without_threads(code: &Code) -> Result<Self, EngineError> {
        let shared = Shared { cache: cache(code)?, ..Shared::default() };
        Ok(Self { shared: Arc::new(shared), workers: Workers::without_threads() })
    }

    fn make(
        cache: Option<Cache>,
        compiler: Option<Compiler>,
        precompiled: Precompiled,
        room: Room,
    ) -> Result<Self, EngineError> {
        let ticking = Arc::new(RwLock::new(Vec::<EngineWeak>::new()));
        let ticked = ticking.clone();
        let workers = Workers::start(move || {
            for engine in ticked.read().unwrap_or_else(PoisonError::into_inner).iter() {
                if let Some(engine) = engine.upgrade() {
                    engine.increment_epoch();
                }
            }
        })?;
        let (engines, linked) = (Mutex::default(), InUse::default());
        let shared = Shared { cache, compiler, precompiled, engines, ticking, linked, room };
        let engine = Self { shared: Arc::new(shared), workers };
        // A machine that cannot run it says so now, not at the first module.
        engine.wasmtime(Settings::of(&Limits::default())).map_err(EngineError::Unsupported)?;
        Ok(engine)
    }

    /// The threads on which guests are called.
    #[must_use]
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// The components that are in use.
    pub(crate) fn linked(&self) -> &InUse {
        &self.shared.linked
    }

    /// The engine with these settings.
    pub(crate) fn wasmtime(&self, settings: Settings) -> wasmtime::Result<wasmtime::Engine> {
        self.allocating(settings, Allocation::Pooled)
    }

    fn allocating(&self, settings: Settings, allocation: Allocation) -> wasmtime::Result<wasmtime::Engine> {
        let mut engines = self.shared.engines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = engines.get(&(settings, allocation)) {
            return Ok(engine.clone());
        }
        let mut config = config(settings);
        config.cache(self.shared.cache.clone()).allocation_strategy(match allocation {
            Allocation::Pooled => InstanceAllocationStrategy::Pooling(pool(settings, self.shared.room)),
            Allocation::OnDemand => InstanceAllocationStrategy::OnDemand,
        });
        let engine = wasmtime::Engine::new(&config)?;
        self.shared.ticking.write().unwrap_or_else(PoisonError::into_inner).push(engine.weak());
        engines.insert((settings, allocation), engine.clone());
        Ok(engine)
    }

    /// Compiles a component, or takes its code from where it is ahead of time, or from the cache. One that the pool has no place for is to be allocated
    /// on demand, unless what Wasmtime says of it is that it is over a limit.
    pub(crate) fn compile(
        &self,
        binary: &[u8],
        digest: &str,
        limits: &Limits,
        is_over_a_limit: impl Fn(&str) -> bool,
    ) -> Result<Compiled, CompileError> {
        let settings = Settings::of(limits);
        let broken = |error: wasmtime::Error| CompileError::Component(format!("{error:#}"));
        let engine = self.wasmtime(settings).map_err(broken)?;
        if let Some(code) = self.shared.precompiled.find(&engine, digest) {
            match self.place(settings, |engine| load(engine, &code), &is_over_a_limit) {
                Ok(compiled) => return Ok(compiled),
                // As with every other reason not to use it; what is over a limit is so once more.
                Err(error) => tracing::warn!(%error, component = digest, "ahead-of-time code is not used"),
            }
        }
        let compile = |engine: &wasmtime::Engine| Component::from_binary(engine, binary);
        let Some(compiler) = &self.shared.compiler else {
            return self.place(settings, compile, is_over_a_limit);
        };
        let _turn = compiler.take_turn();
        compiler.fill(&engine, settings, binary, limits)?;
        let component = self.place(settings, compile, is_over_a_limit);
        compiler.forget();
        component
    }

    fn place(
        &self,
        settings: Settings,
        component_on: impl Fn(&wasmtime::Engine) -> wasmtime::Result<Component>,
        is_over_a_limit: impl Fn(&str) -> bool,
    ) -> Result<Compiled, CompileError> {
        let error = match self.wasmtime(settings).and_then(|engine| component_on(&engine)) {
            Ok(component) => return Ok(Compiled { component, beyond_pool: None }),
            Err(error) => error,
        };
        let reason = format!("{error:#}");
        let on_demand = self.allocating(settings, Allocation::OnDemand);
        match on_demand.and_then(|engine| component_on(&engine)) {
            Ok(component) if !is_over_a_limit(&reason) => {
                Ok(Compiled { component, beyond_pool: Some(reason) })
            }
            _ => Err(CompileError::Component(reason)),
        }
    }

    /// A duration in epochs, at least one.
    pub(crate) fn epochs(duration: std::time::Duration) -> u64 {
        let ticks = duration.as_nanos().div_ceil(TICK.as_nanos());
        u64::try_from(ticks).unwrap_or(u64::MAX / 2).clamp(1, u64::MAX / 2)
    }
}

/// What stands for all that code depends on: Wasmtime's version, the processor, the settings.
pub(crate) fn identity(engine: &wasmtime::Engine) -> String {
    let mut hasher = Sha256Hasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hexadecimal(&hasher.0.finalize())
}

struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Nobody asks for it.
    fn finish(&self) -> u64 {
        0
    }
}

/// All that compiled code depends on.
pub(crate) fn config(settings: Settings) -> Config {
    let mut config = Config::new();
    config
        .memory_init_cow(true)
        .max_wasm_stack(settings.stack)
        .consume_fuel(settings.fuel)
        .epoch_interruption(true)
        // No module needs more than 32 bits count, and the less there is the less can be got wrong: see the ledger.
        .wasm_memory64(false)
        // Names and lines are looked up afterwards, away from the messages' way.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES_MAX))
        // Calls are about a microsecond cheaper without it; no module here uses the asynchronous ABI.
        .concurrency_support(false);
    config
}

fn pool(settings: Settings, room: Room) -> PoolingAllocationConfig {
    let is_default = settings == Settings::of(&Limits::default());
    let instances = if room == Room::Many && is_default { POOL_INSTANCES_MANY } else { POOL_INSTANCES };
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(instances * 4)
        .total_memories(instances)
        .total_tables(instances * 2)
        // Guests run on the workers' own stacks. Each of these would cost the start of every host a system call.
        .total_stacks(0)
        .table_elements(TABLE_ELEMENTS)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_memories_per_module(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_tables_per_module(TABLES_PER_COMPONENT)
        // A module that is created anew finds its memory there: that spares taking it away and a fault for each page.
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(KEPT_MEMORY)
        .table_keep_resident(KEPT_TABLE);
    pool
}

fn cache(code: &Code) -> Result<Option<Cache>, EngineError> {
    let mut config = CacheConfig::new();
    match code {
        Code::NotCached => Ok(None),
        // Nobody asked for it by name: a service without a home directory goes without.
        Code::UserCache => Ok(Cache::new(config)
            .inspect_err(|error| {
                tracing::warn!("compiled code is not kept: {error:#}; choose a place with --cache-dir");
            })
            .ok()),
        Code::Directory(directory) => {
            config.with_directory(absolute(directory)?);
            let failed = |error: wasmtime::Error| EngineError::Cache {
                directory: directory.display().to_string(),
                reason: format!("{error:#}"),
            };
            Cache::new(config).map(Some).map_err(failed)
        }
    }
}

fn absolute(directory: &Path) -> Result<PathBuf, EngineError> {
    let failed = |error: std::io::Error| EngineError::Cache {
        directory: directory.display().to_string(),
        reason: error.to_string(),
    };
    std::fs::create_dir_all(directory).map_err(failed)?;
    directory.canonicalize().map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn durations_become_at_least_one_epoch() {
        assert_eq!(Engine::epochs(Duration::ZERO), 1);
        assert_eq!(Engine::epochs(Duration::from_micros(1)), 1);
        assert_eq!(Engine::epochs(Duration::from_millis(5)), 5);
        assert_eq!(Engine::epochs(Duration::MAX), u64::MAX / 2);
    }

    #[test]
    fn all_settings_that_limits_can_ask_for_fit_into_one_process() {
        let engine = Engine::make(None, None, Precompiled::default(), Room::Many).unwrap();
        let mut limits = Limits::default();
        for fuel in [None, Some(1000)] {
            for kib in [64, 65, 128, 256, 512, 1000, 1024] {
                (limits.fuel, limits.max_wasm_stack) = (fuel, kib << 10);
                engine.wasmtime(Settings::of(&limits)).unwrap();
            }
        }
        assert_eq!(engine.shared.engines.lock().unwrap().len(), 10);
    }

    #[test]
    fn a_cache_in_a_place_that_is_no_directory_says_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let Err(error) = Engine::new(&Code::Directory(file.path().join("below"))) else {
            panic!("a file is no directory");
        };
        assert!(error.to_string().contains("--cache-dir"), "{error}");
    }
}
