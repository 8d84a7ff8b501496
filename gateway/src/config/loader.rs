//! Loaders: what a module entry's `loader.name` can say, and how to move from those of V1's that are
//! not here.

use std::collections::HashMap;

use super::fault::suggestion;
use super::reader::Node;

/// V1's loader types and our own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LoaderType {
    Builtin,
    Outprocess,
    /// V1's default: a shared library.
    Native,
    /// V1's language bindings. Refused.
    Binding(&'static str),
}

impl LoaderType {
    const NAMES: [&str; 6] = ["builtin", "outprocess", "native", "java", "node", "dotnet"];

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "builtin" => Some(Self::Builtin),
            "outprocess" => Some(Self::Outprocess),
            "native" => Some(Self::Native),
            "java" => Some(Self::Binding("java")),
            "node" => Some(Self::Binding("node")),
            "dotnet" => Some(Self::Binding("dotnet")),
            _ => None,
        }
    }
}

/// The loaders by name: one of each type, and those that the configuration adds under another name.
pub(super) struct Loaders(HashMap<String, LoaderType>);

impl Loaders {
    pub(super) fn read(entries: Option<Node<'_>>) -> Self {
        let default = |name: &&str| Some(((*name).to_owned(), LoaderType::from_name(name)?));
        let mut loaders: HashMap<_, _> = LoaderType::NAMES.iter().filter_map(default).collect();
        let mut named = HashMap::new();
        for node in entries.and_then(|node| node.array()).unwrap_or_default() {
            let Some(entry) = node.object() else { continue };
            let kind = entry.required("type", "write for instance `\"type\": \"outprocess\"`");
            let name = entry.required("name", "give the loader a name");
            // V1's runtimes are configured here; there is none that this gateway could configure.
            entry.allow("configuration");
            entry.finish();
            let kind = kind.and_then(|node| {
                let text = node.text()?;
                let kind = LoaderType::from_name(text);
                if kind.is_none() {
                    let hint = suggestion(text, LoaderType::NAMES);
                    let known = LoaderType::NAMES.join(", ");
                    node.fault(format!("unknown loader type `{text}`{hint}; known: {known}"));
                }
                kind
            });
            if let (Some(kind), Some(name)) = (kind, name)
                && let Some(text) = name.text()
            {
                if let Some(first) = named.insert(text.to_owned(), name.pointer.clone()) {
                    name.fault(format!("the loader `{text}` stands at {first} already; rename one"));
                }
                loaders.insert(text.to_owned(), kind);
            }
        }
        Self(loaders)
    }

    /// The type of the loader that a module names; reports a name that nobody has.
    pub(super) fn find(&self, node: &Node<'_>) -> Option<LoaderType> {
        let name = node.text()?;
        let found = self.0.get(name).copied();
        if found.is_none() {
            let hint = suggestion(name, self.0.keys().map(String::as_str));
            node.fault(format!("unknown loader `{name}`{hint}; use native, builtin or outprocess"));
        }
        found
    }
}

/// Says how to move a module of one of V1's language bindings.
pub(super) fn refuse_binding(node: &Node<'_>, language: &str) {
    node.fault(format!(
        "modules are not loaded into the gateway by the {language} loader; run the module with V1's remote \
         module library for {language} and name its control channel with the outprocess loader, or compile \
         it to WebAssembly and run it in wasm-host"
    ));
}
