//! Source lines for the places where a guest was, from the DWARF that its component's core modules carry.
//!
//! A component is a stranger's, and so is its DWARF. Only line tables are read: they are walked without
//! recursion, and larger ones than some bound are left alone. Functions are named by Wasmtime, from the name
//! section.

use std::cell::OnceCell;
use std::ops::Range;

use gimli::{EndianSlice, LittleEndian};
use wasmparser::{Parser, Payload};

/// What all DWARF sections of a core module, and its line table alone, may have in bytes.
const DWARF_MAX: usize = 32 << 20;
const LINES_MAX: usize = 8 << 20;

type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// Where in the source something is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Location {
    pub(super) file: String,
    pub(super) line: Option<u32>,
    pub(super) column: Option<u32>,
}

/// The core modules of one component.
pub(super) struct Symbols<'a> {
    modules: Vec<CoreModule<'a>>,
}

#[derive(Default)]
struct CoreModule<'a> {
    /// The bytes of its code section in the component. DWARF counts from its beginning.
    code: Range<usize>,
    sections: Vec<(&'a str, &'a [u8])>,
    /// Its line tables, once they have been asked for: none that can be read.
    lines: OnceCell<Option<addr2line::Context<Reader<'a>>>>,
}

impl<'a> Symbols<'a> {
    /// Finds the core modules in a component's binary. None: it is none.
    pub(super) fn parse(binary: &'a [u8]) -> Option<Self> {
        let mut modules = Vec::new();
        // What encloses the module that is being read.
        let mut enclosing = Vec::new();
        let mut module = CoreModule::default();
        for payload in Parser::new(0).parse_all(binary) {
            match payload.ok()? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                    enclosing.push(std::mem::take(&mut module));
                }
                Payload::CodeSectionStart { range, .. } => {
                    module.code = range;
                }
                Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                    module.sections.push((section.name(), section.data()));
                }
                Payload::End(_) => {
                    let parent = enclosing.pop().unwrap_or_default();
                    modules.push(std::mem::replace(&mut module, parent));
                }
                _ => {}
            }
        }
        modules.retain(|module| !module.sections.is_empty() && !module.code.is_empty());
        Some(Self { modules })
    }

    /// The source of the instruction at this offset in the component's binary.
    pub(super) fn locate(&self, offset: usize) -> Option<Location> {
        self.modules.iter().find(|module| module.code.contains(&offset))?.locate(offset)
    }
}

impl<'a> CoreModule<'a> {
    fn locate(&self, offset: usize) -> Option<Location> {
        let lines = self.lines.get_or_init(|| self.read_lines()).as_ref()?;
        let found = lines.find_location((offset - self.code.start) as u64).ok()??;
        Some(Location { file: found.file?.to_owned(), line: found.line, column: found.column })
    }

    fn read_lines(&self) -> Option<addr2line::Context<Reader<'a>>> {
        let size: usize = self.sections.iter().map(|(_, data)| data.len()).sum();
        if size > DWARF_MAX || self.section(".debug_line").len() > LINES_MAX {
            return None;
        }
        let section = |id: gimli::SectionId| -> Result<Reader<'a>, gimli::Error> {
            Ok(EndianSlice::new(self.section(id.name()), LittleEndian))
        };
        addr2line::Context::from_dwarf(gimli::Dwarf::load(section).ok()?).ok()
    }

    fn section(&self, name: &str) -> &'a [u8] {
        self.sections.iter().find(|(own, _)| *own == name).map_or(&[], |(_, data)| data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_has_no_symbols() {
        assert!(Symbols::parse(b"nothing of the kind").is_none());
        let empty = Symbols::parse(b"\0asm\x0d\0\x01\0").unwrap();
        assert_eq!(empty.locate(4), None);
    }
}
