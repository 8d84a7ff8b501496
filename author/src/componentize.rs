//! Makes a component of the core module that a compiler for `wasm32-wasi` (`wasip1`) left behind.

use thiserror::Error;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Encoding, KnownCustom, Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::contract;

/// The export that makes a module one with timers.
const ON_TIMER: &str = "sandgate:gateway/timer-handler@0.1.0#on-timer";
/// The export that makes it one that takes encoded messages.
const RECEIVE_ENCODED: &str = "sandgate:gateway/encoded-handler@0.1.0#receive-encoded";
/// The export that every module has.
const CREATE: &str = "sandgate:gateway/module@0.1.0#create";
/// What a command has and a module must not: its end is the end of the program.
const COMMAND: &str = "_start";

/// Why a file cannot be made a component.
#[derive(Debug, Error)]
pub enum ComponentizeError {
    /// No WebAssembly, or a broken file.
    #[error("it is no WebAssembly module: {0}; give what the compiler wrote")]
    NotWasm(String),
    /// Nothing to do.
    #[error("it is a component already: use it as it is")]
    AlreadyComponent,
    /// Built as a program.
    #[error(
        "it is a program, with `main` and an end; a module is a library that stays: with clang or zig add \
         -mexec-model=reactor, with Go -buildmode=c-shared"
    )]
    Command,
    /// Nothing of the contract is exported.
    #[error(
        "it does not export the functions of a module: compile and link the files that `wasm-host bindings` writes \
         too (in Go: import the package and call its `Run`)"
    )]
    NotAModule,
    /// The exports or imports do not fit the contract.
    #[error("it does not fit the contract: {0}; write the bindings anew with `wasm-host bindings`")]
    Contract(String),
}

/// What a core module tells of itself.
#[derive(Default)]
struct Traits {
    /// Carries the contract in a section of its own, as some generators of bindings see to.
    described: bool,
    is_module: bool,
    has_timers: bool,
    takes_encoded: bool,
    is_command: bool,
}

/// Makes a component of a core module.
///
/// The world is the one that has the optional interfaces which the module exports; a module that carries a
/// description of its own keeps it. WASI's first preview is translated by the adapter that belongs to Wasmtime.
pub fn componentize(core: &[u8]) -> Result<Vec<u8>, ComponentizeError> {
    let traits = Traits::of(core)?;
    if traits.is_command {
        return Err(ComponentizeError::Command);
    }
    if !traits.is_module {
        return Err(ComponentizeError::NotAModule);
    }
    let mut described = core.to_vec();
    if !traits.described {
        let name = match (traits.has_timers, traits.takes_encoded) {
            (false, false) => contract::PLAIN,
            (true, false) => contract::TIMERS,
            (false, true) => contract::ENCODED,
            (true, true) => contract::ENCODED_TIMERS,
        };
        let (resolve, world) = contract::world(name).map_err(ComponentizeError::Contract)?;
        embed_component_metadata(&mut described, &resolve, world, StringEncoding::UTF8)
            .map_err(|error| ComponentizeError::Contract(format!("{error:#}")))?;
    }
    ComponentEncoder::default()
        .module(&described)
        .and_then(|encoder| {
            encoder
                .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?
                .validate(true)
                .encode()
        })
        .map_err(|error| ComponentizeError::Contract(format!("{error:#}")))
}

/// The module without its DWARF, which is most of what a compiler writes with `-g`. The names of functions stay, for they
/// are a section of their own.
pub fn without_dwarf(core: &[u8]) -> Result<Vec<u8>, ComponentizeError> {
    let mut kept = Vec::with_capacity(core.len());
    let mut done = 0;
    for payload in Parser::new(0).parse_all(core) {
        let payload = payload.map_err(not_wasm)?;
        // The header of the file, or a section; what is inside of one has no range of its own.
        let end = match &payload {
            Payload::Version { range, .. } => range.end,
            payload => match payload.as_section() {
                Some((_, range)) => range.end,
                None => continue,
            },
        };
        if !matches!(&payload, Payload::CustomSection(section) if section.name().starts_with(".debug_")) {
            // One that is cut short is found out by the parser when it comes to its contents.
            kept.extend_from_slice(core.get(done..end).unwrap_or_default());
        }
        done = end;
    }
    Ok(kept)
}

fn not_wasm(error: wasmparser::BinaryReaderError) -> ComponentizeError {
    ComponentizeError::NotWasm(error.to_string())
}

impl Traits {
    fn of(core: &[u8]) -> Result<Self, ComponentizeError> {
        let mut traits = Traits::default();
        for payload in Parser::new(0).parse_all(core) {
            match payload.map_err(not_wasm)? {
                Payload::Version { encoding: Encoding::Component, .. } => {
                    return Err(ComponentizeError::AlreadyComponent);
                }
                Payload::ExportSection(exports) => {
                    for export in exports {
                        match export.map_err(not_wasm)?.name {
                            ON_TIMER => traits.has_timers = true,
                            RECEIVE_ENCODED => traits.takes_encoded = true,
                            CREATE => traits.is_module = true,
                            COMMAND => traits.is_command = true,
                            _ => {}
                        }
                    }
                }
                Payload::CustomSection(section) => match section.as_known() {
                    KnownCustom::Unknown if section.name().starts_with("component-type") => {
                        traits.described = true;
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        Ok(traits)
    }
}

#[cfg(test)]
mod tests {
    use super::{ComponentizeError, componentize, without_dwarf};

    const MODULE: &[u8] = b"\0asm\x01\0\0\0";

    /// A module with one function, of no use, that is exported under a name.
    fn exporting(name: &str) -> Vec<u8> {
        let mut export = vec![1, name.len() as u8];
        export.extend(name.bytes());
        export.extend([0, 0]);
        let mut module = MODULE.to_vec();
        // The sections: its type, the function, its export, its body.
        module.extend([1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, export.len() as u8]);
        module.extend(export);
        module.extend([10, 4, 1, 2, 0, 0x0b]);
        module
    }

    fn refusal(core: &[u8]) -> String {
        componentize(core).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_made_a_component_is_told_with_the_mend() {
        assert!(refusal(b"no WebAssembly").contains("give what the compiler wrote"));
        assert!(refusal(&MODULE[..6]).contains("give what the compiler wrote"));
        assert!(refusal(b"\0asm\x0d\0\x01\0").contains("a component already"));
        assert!(refusal(MODULE).contains("wasm-host bindings"));
        assert!(refusal(&exporting("anything")).contains("wasm-host bindings"));
        assert!(refusal(&exporting("_start")).contains("-mexec-model=reactor"));
    }

    #[test]
    fn dwarf_is_left_out_and_nothing_else() {
        let custom = |name: &str| {
            let mut section = vec![0, name.len() as u8 + 2, name.len() as u8];
            section.extend(name.bytes());
            section.push(7);
            section
        };
        let module = exporting("anything");
        let with = |names: &[&str]| {
            let mut module = module.clone();
            names.iter().for_each(|name| module.extend(custom(name)));
            module
        };
        let stripped = without_dwarf(&with(&[".debug_info", "mine", ".debug_line", "producers"])).unwrap();
        assert_eq!(stripped, with(&["mine", "producers"]));
        assert_eq!(without_dwarf(&module).unwrap(), module);
        assert!(without_dwarf(&module[..module.len() - 1]).is_err());
    }

    #[test]
    fn an_export_of_another_type_does_not_fit_the_contract() {
        let error = componentize(&exporting("sandgate:gateway/module@0.1.0#create")).unwrap_err();
        assert!(matches!(error, ComponentizeError::Contract(_)), "{error}");
    }
}
