//! An inspection for people: a table, fit for a terminal whatever stands in the file.

use std::fmt;

use super::{Access, Extent, FileKind, Inspection, Loading, Producer};
use crate::limits::value::show_size;
use crate::transcript::printable;

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "file", &self.file)?;
        row(f, "digest", &self.digest)?;
        row(f, "size", &show_size(self.size))?;
        row(
            f,
            "kind",
            match self.kind {
                FileKind::Component => "component",
                FileKind::CoreModule => "core module: a component has to be made of it",
                FileKind::NoWebassembly => "no WebAssembly",
            },
        )?;
        if self.kind == FileKind::Component {
            row(f, "world", self.world.as_deref().unwrap_or("none that this host knows"))?;
        }
        rows(f, "optional", self.optional_interfaces.iter().cloned(), 0)?;
        rows(f, "language", self.produced_by("language"), 0)?;
        let tools = self.produced_by("sdk").chain(self.produced_by("processed-by"));
        rows(f, "toolchain", tools, self.producers_left_out)?;
        for (label, access) in [
            ("uses", Access::Given),
            ("needs a grant", Access::ByGrant),
            ("gets nothing of", Access::Empty),
            ("lacks here", Access::NotOffered),
        ] {
            let imports = self.imports.iter().filter(|import| import.access == access);
            let left_out = if access == Access::NotOffered { self.imports_left_out } else { 0 };
            rows(f, label, imports.map(|import| format!("{}: {}", import.name, import.meaning)), left_out)?;
        }
        rows(f, "exports", self.exports.iter().cloned(), self.exports_left_out)?;
        row(f, "core modules", &self.core_modules.to_string())?;
        let bytes = |extent: &Extent| {
            let most =
                extent.maximum.map(|most| format!(", at most {}", show_size(most))).unwrap_or_default();
            show_size(extent.initial) + &most
        };
        rows(f, "memories", self.memories.iter().map(bytes), self.memories_left_out)?;
        let elements = |extent: &Extent| {
            let most = extent.maximum.map(|most| format!(", at most {most}")).unwrap_or_default();
            format!("{} elements{most}", extent.initial)
        };
        rows(f, "tables", self.tables.iter().map(elements), self.tables_left_out)?;
        let sections = self.custom_sections.iter().map(|section| {
            let count =
                if section.count > 1 { format!(" in {} sections", section.count) } else { String::new() };
            format!("{}: {}{count}", section.name, show_size(section.size))
        });
        rows(f, "custom", sections, self.custom_sections_left_out)?;
        if let Some(reason) = &self.broken {
            row(f, "broken", reason)?;
        }
        match &self.loading {
            Loading::NotTried => Ok(()),
            Loading::Refused(reason) => row(f, "loads", &format!("no: {reason}")),
            Loading::Loads(needs) => {
                let memory = needs.largest_memory.map(|most| format!(", the largest {}", show_size(most)));
                let table = needs.largest_table.map(|most| format!(", the largest {most} elements"));
                let (memory, table) = (memory.unwrap_or_default(), table.unwrap_or_default());
                let counts = format!("memories {}{memory}; tables {}{table}", needs.memories, needs.tables);
                let place = match &needs.beyond_pool {
                    None => "in a place of the pool".to_owned(),
                    Some(reason) => format!("allocated on demand, which is slower, for {reason}"),
                };
                row(f, "loads", &format!("yes, {place} ({counts})"))
            }
        }
    }
}

impl Inspection {
    fn produced_by(&self, role: &'static str) -> impl Iterator<Item = String> + '_ {
        let shown =
            |producer: &Producer| format!("{} {}", producer.name, producer.version).trim_end().to_owned();
        self.producers.iter().filter(move |producer| producer.role == role).map(shown)
    }
}

fn row(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    writeln!(f, "{label:<16} {}", printable(text))
}

fn rows(
    f: &mut fmt::Formatter<'_>,
    mut label: &str,
    texts: impl Iterator<Item = String>,
    left_out: u64,
) -> fmt::Result {
    for text in texts {
        row(f, label, &text)?;
        label = "";
    }
    if left_out > 0 { row(f, label, &format!("and {left_out} more")) } else { Ok(()) }
}
