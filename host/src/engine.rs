//! Wasmtime as Sandgate uses it: the pooling allocator, epochs for deadlines, compiled code in a cache.

use std::path::{Path, PathBuf};

use thiserror::Error;
use wasmtime::component::Component;
use wasmtime::{Cache, CacheConfig, Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::workers::{TICK, Workers};

/// What a module may use of the native stack, in bytes.
const STACK_MAX: usize = 512 << 10;
/// Instances that the pool holds at most; a module takes one.
const POOL_INSTANCES: u32 = 1000;
/// Core instances, memories and tables a component may be made of: language runtimes bring several.
const CORE_INSTANCES_PER_COMPONENT: u32 = 32;
const MEMORIES_PER_COMPONENT: u32 = 4;
const TABLES_PER_COMPONENT: u32 = 16;

/// Compiles and runs components. Cloning shares it.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
    workers: Workers,
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
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(POOL_INSTANCES)
            .total_core_instances(POOL_INSTANCES * 4)
            .total_memories(POOL_INSTANCES)
            .total_tables(POOL_INSTANCES * 2)
            .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
            .max_memories_per_component(MEMORIES_PER_COMPONENT)
            .max_tables_per_component(TABLES_PER_COMPONENT);
        let mut config = Config::new();
        config
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
            .memory_init_cow(true)
            .max_wasm_stack(STACK_MAX)
            .epoch_interruption(true)
            // Calls are about a microsecond cheaper without it; no module here uses the asynchronous ABI.
            .concurrency_support(false)
            .cache(cache(code)?);
        let engine = wasmtime::Engine::new(&config).map_err(EngineError::Unsupported)?;
        let ticking = engine.weak();
        let workers = Workers::start(move || {
            if let Some(engine) = ticking.upgrade() {
                engine.increment_epoch();
            }
        })?;
        Ok(Self { engine, workers })
    }

    /// The threads on which guests are called.
    #[must_use]
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.engine
    }

    /// Compiles a component, or takes its code from the cache.
    pub(crate) fn compile(&self, binary: &[u8]) -> wasmtime::Result<Component> {
        Component::from_binary(&self.engine, binary)
    }

    /// A duration in epochs, at least one.
    pub(crate) fn epochs(duration: std::time::Duration) -> u64 {
        let ticks = duration.as_nanos().div_ceil(TICK.as_nanos());
        u64::try_from(ticks).unwrap_or(u64::MAX / 2).clamp(1, u64::MAX / 2)
    }
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
    fn a_cache_in_a_place_that_is_no_directory_says_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let Err(error) = Engine::new(&Code::Directory(file.path().join("below"))) else {
            panic!("a file is no directory");
        };
        assert!(error.to_string().contains("--cache-dir"), "{error}");
    }
}
