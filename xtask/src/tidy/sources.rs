//! Rules for source files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::project::{Project, metadata};

/// Longer files hold more than one idea.
const LONGEST_FILE: usize = 500;

/// What stands for code that nobody wrote.
const PLACEHOLDERS: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// Crates that need unsafe code, by the path of their root file, each with the reason.
const MAY_BE_UNSAFE: [(&str, &str); 6] = [
    ("fuzz/src/bin/fuzz.rs", "libFuzzer calls a function of C, which its macro makes"),
    ("host/src/lib.rs", "it takes native code from a folder that it cannot write"),
    ("native/src/lib.rs", "C calls it, and gives it pointers"),
    ("native/loader/src/lib.rs", "it calls C"),
    ("precedence/src/lib.rs", "no safe library knows the system's calls"),
    ("ring/src/lib.rs", "it maps memory that two processes share"),
];

/// The files of those crates that have it. The others forbid it, by their crate's `deny`.
const UNSAFE_FILES: [&str; 20] = [
    "host/src/precompiled/load.rs",
    "native/loader/src/core_library.rs",
    "native/loader/src/instance.rs",
    "native/loader/src/module_library.rs",
    "native/loader/src/outlet.rs",
    "native/loader/src/segments.rs",
    "native/src/broker.rs",
    "native/src/complaint.rs",
    "native/src/constbuffer.rs",
    "native/src/constmap.rs",
    "native/src/map.rs",
    "native/src/memory.rs",
    "native/src/message.rs",
    "native/src/names.rs",
    "native/src/program.rs",
    "native/src/segment.rs",
    "native/src/strings.rs",
    "precedence/src/system.rs",
    "precedence/src/timer.rs",
    "ring/src/mapping.rs",
];
/// How a file says that it has unsafe code.
const SAYS_UNSAFE: &str = "#![allow(unsafe_code";

/// The files whose code runs in no particular process and must not know how bytes travel.
const CODECS: [&str; 14] = [
    "address",
    "control",
    "error",
    "limits",
    "link/beats",
    "link/frame",
    "link/hello",
    "link/negotiation",
    "link/offer",
    "link/parcel",
    "link/segments",
    "link/signal",
    "message",
    "reader",
];

/// The rules that source files break, as sentences.
pub fn broken(project: &Project) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for path in rust_files(&project.root)? {
        let shown = path.strip_prefix(&project.root).unwrap_or(&path).display().to_string();
        let text = fs::read_to_string(&path).with_context(|| format!("{shown} cannot be read"))?;
        broken.extend(in_file(&path, &text).into_iter().map(|rule| format!("{shown}: {rule}")));
        let says_unsafe = text.lines().any(|line| line.starts_with(SAYS_UNSAFE));
        if says_unsafe && !UNSAFE_FILES.iter().any(|file| path.ends_with(file)) {
            broken.push(format!(
                "{shown}: unsafe code belongs into the few files that are listed in xtask/src/tidy/sources.rs"
            ));
        }
        if CODECS.iter().any(|name| path.ends_with(format!("wire/src/{name}.rs"))) {
            for runtime in ["tokio", "nng"].iter().filter(|name| text.contains(&format!("{name}::"))) {
                broken.push(format!(
                    "{shown}: a codec knows {runtime}; what does belongs into wire/src/channel or wire/src/link/connection"
                ));
            }
        }
    }
    for path in crate_roots(project)? {
        let shown = path.strip_prefix(&project.root).unwrap_or(&path);
        let listed = MAY_BE_UNSAFE.iter().any(|(path, _)| shown.ends_with(path));
        let forbids = fs::read_to_string(&path)?.contains("#![forbid(unsafe_code)]");
        if forbids == listed {
            let shown = shown.display();
            broken.push(format!(
                "{shown}: either write `#![forbid(unsafe_code)]` or list the file with a reason in \
                 xtask/src/tidy/sources.rs"
            ));
        }
    }
    Ok(broken)
}

fn in_file(path: &Path, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let lines = text.lines().count();
    if lines > LONGEST_FILE {
        broken.push(format!("{lines} lines, more than {LONGEST_FILE}: split it by idea"));
    }
    // A `tests.rs` is what its parent's tests are, and the parent says what it is for itself.
    let needs_heading = !path.ends_with("tests.rs");
    let first = text.lines().find(|line| !line.trim().is_empty());
    if needs_heading && !first.is_some_and(|line| line.starts_with("//!")) {
        broken.push("it does not begin with `//!` and what the file is for".to_owned());
    }
    for (number, line) in text.lines().enumerate() {
        for name in PLACEHOLDERS {
            if line.contains(&format!("{name}!(")) {
                broken.push(format!("line {}: {name}! is for code that is not finished", number + 1));
            }
        }
    }
    broken
}

/// All Rust files of the repository, in order.
fn rust_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if entry.file_type()?.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(entry.path());
                }
            } else if name.ends_with(".rs") {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The root files of the workspace's libraries and programs.
fn crate_roots(project: &Project) -> Result<Vec<PathBuf>> {
    let metadata = metadata(&project.root, &["--no-deps"])?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let is_shipped = |target: &&Value| {
        let kinds = target["kind"].as_array().into_iter().flatten();
        kinds.into_iter().any(|kind| kind == "lib" || kind == "bin" || kind == "cdylib")
    };
    Ok(targets
        .filter(is_shipped)
        .filter_map(|target| target["src_path"].as_str())
        .map(PathBuf::from)
        .collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn in_file(text: &str) -> Vec<String> {
        super::in_file(Path::new("any.rs"), text)
    }

    #[test]
    fn a_file_with_a_heading_is_fine() {
        assert_eq!(in_file("//! What it is for.\n\nfn f() {}\n"), Vec::<String>::new());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_line() {
        assert_eq!(in_file("fn f() {}\n").len(), 1);
        let placeholder = format!("//! What it is for.\nfn f() {{ {}!() }}\n", "todo");
        assert!(in_file(&placeholder)[0].starts_with("line 2:"));
        let long = format!("//! What it is for.\n{}", "\n".repeat(500));
        assert!(in_file(&long)[0].starts_with("501 lines"));
    }
}
