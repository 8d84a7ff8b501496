//! The `native` entrypoint.

use std::path::Path;

use super::NativeConfig;
use super::reader::{Node, Object};
use crate::builtin;

/// What to write where the entrypoint is missing.
pub(super) const MEND: &str = "write {\"module.path\": \"./libmodule.so\"}";

/// Reads the entrypoint; what is wrong goes to its findings.
pub(super) fn read_native(entrypoint: Object<'_>, args: Option<Node<'_>>) -> Option<NativeConfig> {
    let path = entrypoint.required("module.path", "name the module's shared library");
    entrypoint.finish();
    let path = path?;
    let library = path.path()?.to_str()?.to_owned();
    suggest_builtin(&path, &library);
    Some(NativeConfig { library, arguments: args?.value.to_string() })
}

/// V1's samples load modules that the gateway has of its own. Where V1's are not there, this says so.
fn suggest_builtin(node: &Node<'_>, library: &str) {
    let file = library.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = file.split('.').next().unwrap_or_default();
    let stem = stem.strip_prefix("lib").unwrap_or(stem);
    if builtin::NAMES.contains(&stem) && !Path::new(library).exists() {
        node.warn(format!(
            "there is no such file; the gateway has a `{stem}` of its own: write \"loader\": {{\"name\": \
             \"builtin\", \"entrypoint\": {{\"module.name\": \"{stem}\"}}}}"
        ));
    }
}
