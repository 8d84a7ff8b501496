//! From a file to a component that is ready to be instantiated any number of times.

use std::path::{Path, PathBuf};
use std::{fs, io};

use thiserror::Error;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, Linker};

use crate::bindings::{GatewayModulePre, MODULE, MODULE_FUNCTIONS, TIMER_HANDLER};
use crate::engine::Engine;
use crate::imports;
use crate::sandbox::Guest;

/// The first bytes of every WebAssembly binary.
const MAGIC: &[u8] = b"\0asm";
/// Bytes 4 to 8 of a core module, and of a component.
const CORE_MODULE: [u8; 4] = [1, 0, 0, 0];
const COMPONENT: [u8; 4] = [0x0d, 0, 1, 0];

/// A compiled and linked component of the world `gateway-module`, or of one that includes it.
#[derive(Clone)]
pub struct Module {
    pub(crate) engine: Engine,
    pub(crate) instances: GatewayModulePre<Guest>,
    /// Present when the component exports `timer-handler`.
    pub(crate) on_timer: Option<ComponentExportIndex>,
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
        "{} is a core WebAssembly module, not a component; build it for wasm32-wasip2, or wrap it with \
         `wasm-tools component new`",
        path.display()
    )]
    CoreModule {
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
    /// # Errors
    /// The file cannot be read, or is no component of the world.
    pub fn load(engine: &Engine, path: &Path) -> Result<Self, LoadError> {
        let binary = fs::read(path).map_err(|error| LoadError::Read { path: path.to_owned(), error })?;
        let path = path.to_owned();
        match binary.get(4..8) {
            Some(version) if binary.starts_with(MAGIC) && version == COMPONENT => {}
            Some(version) if binary.starts_with(MAGIC) && version == CORE_MODULE => {
                return Err(LoadError::CoreModule { path });
            }
            _ => return Err(LoadError::NotWasm { path }),
        }
        let component = match engine.compile(&binary) {
            Ok(component) => component,
            Err(error) => return Err(LoadError::Compile { path, reason: format!("{error:#}") }),
        };
        if let Some(missing) = missing_export(engine, &component) {
            return Err(LoadError::World { path, missing });
        }
        Self::link(engine, &component).map_err(|error| LoadError::Link { path, reason: format!("{error:#}") })
    }

    fn link(engine: &Engine, component: &Component) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(engine.wasmtime());
        imports::add_to_linker(&mut linker)?;
        let instances = GatewayModulePre::new(linker.instantiate_pre(component)?)?;
        let on_timer = component
            .get_export_index(None, TIMER_HANDLER)
            .and_then(|interface| component.get_export_index(Some(&interface), "on-timer"));
        Ok(Self { engine: engine.clone(), instances, on_timer })
    }
}

/// The first thing that the world exports and this component does not.
fn missing_export(engine: &Engine, component: &Component) -> Option<String> {
    let engine = engine.wasmtime();
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
