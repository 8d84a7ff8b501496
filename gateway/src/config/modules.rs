//! Module entries.

use std::collections::HashMap;

use super::fault::suggestion;
use super::loader::{LoaderType, Loaders, refuse_binding};
use super::native::{MEND, read_native};
use super::outprocess::{Addresses, read_outprocess};
use super::reader::{Node, Object};
use super::segments;
use super::{ModuleConfig, ModuleKind};
use crate::broker::Capacity;
use crate::builtin::{self, Builtin};

const CAPACITY_MAX: u64 = 1 << 20;
const BYTES_MAX: u64 = 1 << 36;

/// The modules that could be read, and every name that was given: a link to a module that has other
/// faults is not a fault of the link.
pub(super) fn read(entries: &[Node<'_>], loaders: &Loaders) -> (Vec<ModuleConfig>, Vec<String>) {
    let mut names = HashMap::new();
    let mut addresses = HashMap::new();
    let mut ordered = Vec::new();
    let mut modules = Vec::new();
    for node in entries {
        let Some(entry) = node.object() else { continue };
        let name = entry.required("name", "give the module a name").and_then(|node| {
            let name = node.text()?;
            if name == "*" {
                node.fault("`*` stands for every module in a link and cannot be a name; choose another");
                return None;
            }
            if let Some(first) = names.insert(name.to_owned(), node.pointer.clone()) {
                node.fault(format!("the module `{name}` stands at {first} already; rename one"));
            }
            ordered.push(name.to_owned());
            Some(name.to_owned())
        });
        let messages = entry.number("queue.capacity", 1..=CAPACITY_MAX, Capacity::MESSAGES as u64);
        let bytes = entry.number("queue.bytes", 1..=BYTES_MAX, Capacity::BYTES as u64);
        let segments = segments::read(&entry);
        let args = entry.required("args", "write `\"args\": null` for none");
        let kind = read_loader(&entry, loaders, args, &mut addresses);
        entry.finish();
        if let (Some(name), Some(messages), Some(bytes), Some(segments), Some(kind)) =
            (name, messages, bytes, segments, kind)
        {
            let queue = Capacity { messages: messages as usize, bytes: bytes as usize };
            modules.push(ModuleConfig { name, queue, segments, kind });
        }
    }
    (modules, ordered)
}

fn read_loader(
    entry: &Object<'_>,
    loaders: &Loaders,
    args: Option<Node<'_>>,
    addresses: &mut Addresses,
) -> Option<ModuleKind> {
    let Some(node) = entry.optional("loader") else {
        entry
            .node
            .fault("`loader` is missing; write {\"entrypoint\": {\"module.path\": \"./libmodule.so\"}}");
        return None;
    };
    let loader = node.object()?;
    let (name, entrypoint) = (loader.optional("name"), loader.optional("entrypoint"));
    loader.finish();
    let kind = match &name {
        Some(name) => loaders.find(name)?,
        None => LoaderType::Native,
    };
    let place = name.as_ref().unwrap_or(&node);
    match kind {
        LoaderType::Native => {
            let Some(entrypoint) = entrypoint else {
                node.fault(format!("`entrypoint` is missing; {MEND}"));
                return None;
            };
            read_native(entrypoint.object()?, args).map(ModuleKind::Native)
        }
        LoaderType::Binding(language) => {
            refuse_binding(place, language);
            None
        }
        LoaderType::Builtin => {
            let Some(entrypoint) = entrypoint else {
                node.fault("`entrypoint` is missing; write {\"module.name\": \"logger\"} or the like");
                return None;
            };
            read_builtin(entrypoint.object()?, args).map(ModuleKind::Builtin)
        }
        LoaderType::Outprocess => {
            let Some(entrypoint) = entrypoint else {
                node.fault(
                    "`entrypoint` is missing; write {\"activation.type\": \"none\", \"control.id\": \"PATH\"}",
                );
                return None;
            };
            read_outprocess(entrypoint.object()?, args, addresses)
                .map(|config| ModuleKind::Outprocess(Box::new(config)))
        }
    }
}

fn read_builtin(entrypoint: Object<'_>, args: Option<Node<'_>>) -> Option<Builtin> {
    let known = builtin::NAMES.join(", ");
    let name = entrypoint.required("module.name", &format!("give one of {known}"));
    entrypoint.finish();
    let node = name?;
    let name = node.text()?;
    if !builtin::NAMES.contains(&name) {
        let hint = suggestion(name, builtin::NAMES);
        node.fault(format!("unknown built-in module `{name}`{hint}; there are {known}"));
        return None;
    }
    Builtin::read(name, &args?)
}
