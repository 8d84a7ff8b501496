//! Reading a binary section by section. Nothing is believed of it: what it counts is not allocated, lists and texts
//! are cut, and nesting costs no stack.

use wasmparser::{
    BinaryReaderError, CustomSectionReader, Encoding, KnownCustom, Parser, Payload, ProducersSectionReader,
};

use super::{CustomSection, Extent, FileKind, Import, Inspection, Loading, Producer, meaning};

/// Entries of a list.
const ENTRIES_MAX: usize = 256;
/// A longer text is cut, in bytes.
const TEXT_MAX: usize = 256;

/// A list that takes so many entries, and counts the others.
struct Bounded<'a, T> {
    entries: &'a mut Vec<T>,
    left_out: &'a mut u64,
}

impl<T> Bounded<'_, T> {
    fn push(self, entry: T) {
        if self.entries.len() < ENTRIES_MAX {
            self.entries.push(entry);
        } else {
            *self.left_out += 1;
        }
    }
}

/// Everything but what needs the whole file.
pub(super) fn read(binary: &[u8]) -> Inspection {
    let mut found = Inspection {
        file: String::new(),
        size: 0,
        digest: String::new(),
        kind: FileKind::NoWebassembly,
        world: None,
        optional_interfaces: Vec::new(),
        imports: Vec::new(),
        imports_left_out: 0,
        exports: Vec::new(),
        exports_left_out: 0,
        core_modules: 0,
        memories: Vec::new(),
        memories_left_out: 0,
        tables: Vec::new(),
        tables_left_out: 0,
        producers: Vec::new(),
        producers_left_out: 0,
        custom_sections: Vec::new(),
        custom_sections_left_out: 0,
        broken: None,
        loading: Loading::NotTried,
    };
    if let Err(error) = read_sections(binary, &mut found) {
        found.broken = Some(cut(&error.to_string()));
    }
    found
}

fn read_sections(binary: &[u8], found: &mut Inspection) -> Result<(), BinaryReaderError> {
    // How many components and modules enclose what is being read.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(binary) {
        match payload? {
            Payload::Version { encoding, .. } => {
                depth += 1;
                let kind = match encoding {
                    Encoding::Component => FileKind::Component,
                    Encoding::Module => FileKind::CoreModule,
                };
                if depth == 1 {
                    found.kind = kind;
                }
                found.core_modules += u64::from(kind == FileKind::CoreModule);
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let name = cut(import?.name.name);
                    let (access, meaning) = meaning(&name);
                    found.imports().push(Import { name, access, meaning });
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    let name = cut(export?.name.name);
                    found.exports().push(name);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory?;
                    let page = 1_u64.checked_shl(memory.page_size_log2.unwrap_or(16)).unwrap_or(u64::MAX);
                    let bytes = |pages: u64| pages.saturating_mul(page);
                    let extent =
                        Extent { initial: bytes(memory.initial), maximum: memory.maximum.map(bytes) };
                    found.memories().push(extent);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = table?.ty;
                    found.tables().push(Extent { initial: table.initial, maximum: table.maximum });
                }
            }
            Payload::CustomSection(section) => read_custom(&section, found),
            _ => {}
        }
    }
    Ok(())
}

fn read_custom(section: &CustomSectionReader<'_>, found: &mut Inspection) {
    let name = cut(section.name());
    let size = section.data().len() as u64;
    if let KnownCustom::Producers(producers) = section.as_known() {
        // A tool that has written it otherwise says nothing.
        let _ = read_producers(producers, found);
    }
    match found.custom_sections.iter_mut().find(|known| known.name == name) {
        Some(known) => {
            known.count += 1;
            known.size += size;
        }
        None => found.custom_sections().push(CustomSection { name, count: 1, size }),
    }
}

fn read_producers(
    producers: ProducersSectionReader<'_>,
    found: &mut Inspection,
) -> Result<(), BinaryReaderError> {
    for field in producers {
        let field = field?;
        for value in field.values {
            let value = value?;
            let (role, name, version) = (cut(field.name), cut(value.name), cut(value.version));
            let producer = Producer { role, name, version };
            // Each core module names the same ones.
            if !found.producers.contains(&producer) {
                found.producers().push(producer);
            }
        }
    }
    Ok(())
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_MAX)].to_owned()
}

impl Inspection {
    fn imports(&mut self) -> Bounded<'_, Import> {
        Bounded { entries: &mut self.imports, left_out: &mut self.imports_left_out }
    }

    fn exports(&mut self) -> Bounded<'_, String> {
        Bounded { entries: &mut self.exports, left_out: &mut self.exports_left_out }
    }

    fn memories(&mut self) -> Bounded<'_, Extent> {
        Bounded { entries: &mut self.memories, left_out: &mut self.memories_left_out }
    }

    fn tables(&mut self) -> Bounded<'_, Extent> {
        Bounded { entries: &mut self.tables, left_out: &mut self.tables_left_out }
    }

    fn producers(&mut self) -> Bounded<'_, Producer> {
        Bounded { entries: &mut self.producers, left_out: &mut self.producers_left_out }
    }

    fn custom_sections(&mut self) -> Bounded<'_, CustomSection> {
        Bounded { entries: &mut self.custom_sections, left_out: &mut self.custom_sections_left_out }
    }
}
