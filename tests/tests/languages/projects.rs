//! Projects that `wasm-host new` makes: what their pages say builds a module that passes its cases.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use sandgate_tests::programs::{command, program};
use sandgate_tests::scratch::Scratch;

use super::toolchain::{packages, passes, run};

/// A new project.
fn project(scratch: &Scratch, language: &str) -> PathBuf {
    run(command(scratch, program("wasm-host")).args(["new", language, "site"]));
    scratch.file("site")
}

/// A command in a project, which finds `wasm-host`.
fn typed(scratch: &Scratch, folder: &Path, words: &[&str]) {
    let host = program("wasm-host").parent().unwrap().to_owned();
    let others = env::var_os("PATH").unwrap();
    let path: OsString = env::join_paths([host].into_iter().chain(env::split_paths(&others))).unwrap();
    run(command(scratch, words[0]).args(&words[1..]).env("PATH", path).current_dir(folder));
}

/// `npm install` would fetch the same packages again.
fn install(folder: &Path, languages: &[&str]) -> bool {
    let modules = folder.join("node_modules");
    fs::create_dir_all(modules.join(".bin")).unwrap();
    for language in languages {
        let Some(packages) = packages(language) else { return false };
        for place in ["", ".bin"] {
            for entry in fs::read_dir(packages.join("node_modules").join(place)).unwrap() {
                let entry = entry.unwrap();
                if !entry.file_name().to_string_lossy().starts_with('.') {
                    symlink(entry.path(), modules.join(place).join(entry.file_name())).unwrap();
                }
            }
        }
    }
    true
}

#[test]
fn a_project_in_javascript_builds_and_passes_its_cases() {
    let scratch = Scratch::new();
    let folder = project(&scratch, "javascript");
    assert!(install(&folder, &["javascript"]));
    typed(&scratch, &folder, &["npm", "run", "build"]);
    typed(&scratch, &folder, &["npm", "test"]);
}

#[test]
fn a_project_in_typescript_builds_and_passes_its_cases() {
    let scratch = Scratch::new();
    let folder = project(&scratch, "typescript");
    if install(&folder, &["javascript", "typescript"]) {
        typed(&scratch, &folder, &["npm", "run", "build"]);
        typed(&scratch, &folder, &["npm", "test"]);
    }
}

#[test]
fn a_project_in_python_builds_and_passes_its_cases() {
    let Some(packages) = packages("python") else { return };
    let scratch = Scratch::new();
    let folder = project(&scratch, "python");
    let toolchain = format!("TOOLCHAIN={}", packages.display());
    typed(&scratch, &folder, &["make", &toolchain]);
    // Compiled with more patience than the limit has on a busy machine; it is kept for the next.
    passes(&scratch, &folder.join("site.wasm"), &folder.join("cases"));
    typed(&scratch, &folder, &["make", "test", &toolchain]);
}
