//! From a file to a component that is ready to be instantiated any number of times.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use thiserror::Error;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, Linker};

use crate::bindings::{
    ENCODED_HANDLER, GatewayModulePre, MODULE, MODULE_FUNCTIONS, TIMER_HANDLER, WORLD, WORLD_WITH_TIMERS,
};
use crate::compile::CompileError;
use crate::engine::{Compiled, Engine, Settings};
use crate::imports;
use crate::inspection::Requirements;
use crate::limits::{Exceeded, Limits};
use crate::precompiled;
use crate::sandbox::Guest;
use crate::verdict::Places;

/// A page of linear memory, in bytes.
const PAGE: u64 = 64 << 10;
/// The first bytes of every WebAssembly binary.
const MAGIC: &[u8] = b"\0asm";
/// Bytes 4 to 8 of a core module, and of a component.
const CORE_MODULE: [u8; 4] = [1, 0, 0, 0];
const COMPONENT: [u8; 4] = [0x0d, 0, 1, 0];

/// A compiled and linked component of the world `gateway-module`, or of one that includes it.
#[derive(Clone)]
pub struct Module {
    pub(crate) engine: Engine,
    pub(crate) linked: Arc<Linked>,
    pub(crate) origin: Arc<Origin>,
}

/// What modules of the same component share.
pub(crate) struct Linked {
    pub(crate) instances: GatewayModulePre<Guest>,
    /// Present when the component exports `timer-handler`.
    pub(crate) on_timer: Option<ComponentExportIndex>,
    /// Why no place in the pool can hold an instance.
    beyond_pool: Option<String>,
    /// Present when it exports `encoded-handler`.
    pub(crate) receive_encoded: Option<ComponentExportIndex>,
    /// Where in its source it has failed.
    pub(crate) places: Places,
}

/// Where a module came from.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    /// SHA-256 of the file, as hexadecimal digits.
    pub(crate) digest: String,
}

/// Why a file is no module.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the module {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is something else than WebAssembly.
    #[error("{} is no WebAssembly file; give a component, as `cargo build --target wasm32-wasip2` makes it", path.display())]
    NotWasm {
        /// The file.
        path: PathBuf,
    },
    /// The file is a core module.
    #[error(
        "{} is a core WebAssembly module, not a component; build it for wasm32-wasip2, or make one of it with \
         `wasm-host componentize`",
        path.display()
    )]
    CoreModule {
        /// The file.
        path: PathBuf,
    },
    /// The file is native code.
    #[error(
        "{} is code, not a component: give the component that it was compiled from, and with --precompiled the folder \
         of its code",
        path.display()
    )]
    Code {
        /// The file.
        path: PathBuf,
    },
    /// The component does not export what a module must.
    #[error(
        "{} is a component of another world than sandgate:gateway/gateway-module@0.1.0: it lacks the export {missing}",
        path.display()
    )]
    World {
        /// The file.
        path: PathBuf,
        /// The interface or function that is missing.
        missing: String,
    },
    /// The component asks for an import that this host does not offer, or in another shape.
    #[error("{} cannot be linked: {reason}", path.display())]
    Link {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The file, or what it is made of, is over a limit.
    #[error("{} is over the limit {exceeded}", path.display())]
    Limit {
        /// The file.
        path: PathBuf,
        /// The limit.
        exceeded: Exceeded,
    },
    /// The component is broken.
    #[error("{} cannot be compiled: {reason}", path.display())]
    Compile {
        /// The file.
        path: PathBuf,
        /// What the compiler said.
        reason: String,
    },
}

impl Module {
    /// Reads, checks, compiles (or takes from the cache) and links a component.
    ///
    /// The limits' `fuel` and `max-wasm-stack` are compiled into it: its instances must have the same.
    ///
    /// # Errors
    /// The file cannot be read, is no component of the world, or is over a limit.
    pub fn load(engine: &Engine, path: &Path, limits: &Limits) -> Result<Self, LoadError> {
        let binary = read(path, limits)?;
        let path = path.to_owned();
        match binary.get(4..8) {
            Some(version) if binary.starts_with(MAGIC) && version == COMPONENT => {}
            Some(version) if binary.starts_with(MAGIC) && version == CORE_MODULE => {
                return Err(LoadError::CoreModule { path });
            }
            _ if binary.starts_with(precompiled::MAGIC) => return Err(LoadError::Code { path }),
            _ => return Err(LoadError::NotWasm { path }),
        }
        let digest = hexadecimal(&Sha256::digest(&binary));
        let settings = Settings::of(limits);
        let linked = match engine.linked().find(&digest, settings) {
            Some(linked) => linked,
            None => {
                let linked = Linked::compile(engine, &path, &binary, &digest, limits)?;
                engine.linked().add(digest.clone(), settings, linked)
            }
        };
        // Those who have it may have more.
        if let Some(exceeded) = over_a_limit(linked.instances.instance_pre().component(), limits) {
            return Err(LoadError::Limit { path, exceeded });
        }
        if let Some(reason) = &linked.beyond_pool {
            let module = path.display();
            tracing::warn!(
                "{module} does not fit into the pool: each instance is allocated on demand, which is slower; {reason}"
            );
        }
        let origin = Arc::new(Origin { path, size: binary.len() as u64, digest });
        Ok(Self { engine: engine.clone(), linked, origin })
    }

    /// The file that it was loaded from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.origin.path
    }

    /// SHA-256 of the file that it was loaded from, as hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.origin.digest
    }

    /// The file's bytes once more, if they are still those that it was loaded from.
    pub(crate) fn read_again(&self) -> Option<Vec<u8>> {
        let mut binary = Vec::new();
        let file = File::open(&self.origin.path).ok()?;
        if file.metadata().ok()?.len() != self.origin.size {
            return None;
        }
        file.take(self.origin.size + 1).read_to_end(&mut binary).ok()?;
        (hexadecimal(&Sha256::digest(&binary)) == self.origin.digest).then_some(binary)
    }

    /// What an instance takes at its beginning.
    pub(crate) fn requirements(&self) -> Requirements {
        let required = self.linked.instances.instance_pre().component().resources_required();
        Requirements {
            memories: required.as_ref().map_or(0, |required| required.num_memories),
            // Wasmtime tells pages.
            largest_memory: required
                .as_ref()
                .and_then(|required| required.max_initial_memory_size)
                .map(|pages| pages.saturating_mul(PAGE)),
            tables: required.as_ref().map_or(0, |required| required.num_tables),
            largest_table: required.as_ref().and_then(|required| required.max_initial_table_size),
            beyond_pool: self.linked.beyond_pool.clone(),
        }
    }

    /// The world of the contract that it was built for.
    #[must_use]
    pub fn world(&self) -> &'static str {
        if self.linked.on_timer.is_some() { WORLD_WITH_TIMERS } else { WORLD }
    }
}

impl Linked {
    fn compile(
        engine: &Engine,
        path: &Path,
        binary: &[u8],
        digest: &str,
        limits: &Limits,
    ) -> Result<Self, LoadError> {
        let is_over_a_limit = |reason: &str| over_a_countable_limit(reason, limits).is_some();
        let compiled = engine.compile(binary, digest, limits, is_over_a_limit);
        let Compiled { component, beyond_pool } =
            compiled.map_err(|error| not_compiled(path.to_owned(), error, limits))?;
        if let Some(exceeded) = over_a_limit(&component, limits) {
            return Err(LoadError::Limit { path: path.to_owned(), exceeded });
        }
        if let Some(missing) = missing_export(&component) {
            return Err(LoadError::World { path: path.to_owned(), missing });
        }
        let link = || {
            let mut linker = Linker::new(component.engine());
            imports::add_to_linker(&mut linker)?;
            GatewayModulePre::new(linker.instantiate_pre(&component)?)
        };
        let instances = link().map_err(|error: wasmtime::Error| LoadError::Link {
            path: path.to_owned(),
            reason: format!("{error:#}"),
        })?;
        let optional = |interface, function| {
            let interface = component.get_export_index(None, interface)?;
            component.get_export_index(Some(&interface), function)
        };
        let on_timer = optional(TIMER_HANDLER, "on-timer");
        let receive_encoded = optional(ENCODED_HANDLER, "receive-encoded");
        Ok(Self { instances, on_timer, receive_encoded, beyond_pool, places: Places::default() })
    }
}

/// Reads a whole file, or as much of it as shows that it is too large.
pub(crate) fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, LoadError> {
    let failed = |error| LoadError::Read { path: path.to_owned(), error };
    let mut file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut binary = Vec::new();
    if size <= limits.max_component_size {
        // It may grow meanwhile, or be no regular file.
        file.by_ref().take(limits.max_component_size + 1).read_to_end(&mut binary).map_err(failed)?;
    }
    let used = size.max(binary.len() as u64);
    if used > limits.max_component_size {
        let exceeded = Exceeded::new("max-component-size", limits.max_component_size, used);
        return Err(LoadError::Limit { path: path.to_owned(), exceeded });
    }
    Ok(binary)
}

fn not_compiled(path: PathBuf, error: CompileError, limits: &Limits) -> LoadError {
    let reason = match error {
        CompileError::Limit(exceeded) => return LoadError::Limit { path, exceeded },
        other => other.to_string(),
    };
    match over_a_countable_limit(&reason, limits) {
        Some(exceeded) => LoadError::Limit { path, exceeded },
        None => LoadError::Compile { path, reason },
    }
}

/// Wasmtime refuses what is over the largest value that these limits can have. `host/tests/limits.rs` holds its
/// texts.
fn over_a_countable_limit(reason: &str, limits: &Limits) -> Option<Exceeded> {
    let counted = [
        ("memories count of", "max-memories", limits.max_memories),
        ("linear memories, which", "max-memories", limits.max_memories),
        ("tables count of", "max-tables", limits.max_tables),
        ("tables, which", "max-tables", limits.max_tables),
        ("core module instances, which", "max-instances", limits.max_instances),
    ];
    let (_, name, limit) = counted.into_iter().find(|(words, ..)| reason.contains(words))?;
    let used = reason.split(|c: char| !c.is_ascii_digit()).find_map(|number| number.parse().ok());
    Some(Exceeded::new(name, limit, used.unwrap_or(limit)))
}

/// What every instance would have too much of.
fn over_a_limit(component: &Component, limits: &Limits) -> Option<Exceeded> {
    let required = component.resources_required()?;
    let counted = [
        ("max-memories", limits.max_memories, required.num_memories),
        ("max-tables", limits.max_tables, required.num_tables),
    ];
    let over = counted.into_iter().find(|(_, limit, used)| u64::from(*used) > *limit);
    over.map(|(name, limit, used)| Exceeded::new(name, limit, used.into()))
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first thing that the world exports and this component does not.
fn missing_export(component: &Component) -> Option<String> {
    let engine = component.engine();
    let exports = component.component_type();
    let Some(ComponentItem::ComponentInstance(interface)) = exports.get_export(engine, MODULE).map(|e| e.ty)
    else {
        return Some(format!("`{MODULE}`"));
    };
    MODULE_FUNCTIONS
        .into_iter()
        .find(|name| interface.get_export(engine, name).is_none())
        .map(|name| format!("`{name}` of `{MODULE}`"))
}
