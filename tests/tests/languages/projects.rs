//! The templates of `wasm-host new`, filled in by hand: the commands of their pages build a module that works.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use sandgate_tests::process::Process;
use sandgate_tests::programs::{command, program, workspace};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::V1Gateway;
use sandgate_wire::Status;

use super::toolchain::{copy, packages, passes, run};

/// A project with the library and the contract in it.
fn project(language: &str, folder: &Path, library: &str) {
    let filled_in = |text: String| text.replace("{{name}}", "site").replace("{{Name}}", "Site");
    copy(&workspace().join("author/templates").join(language), folder, &filled_in);
    let unchanged = |text| text;
    let library = workspace().join("guest-modules").join(library);
    copy(&library, &folder.join(library.file_name().unwrap()), &unchanged);
    copy(&workspace().join("wit"), &folder.join("wit"), &unchanged);
}

/// Passes its cases, and in a host it refuses to be without a site, and marks messages with it.
fn works(scratch: &Scratch) {
    let component = scratch.file("site/site.wasm");
    passes(scratch, &component, &scratch.file("site/cases"));
    let mut command = command(scratch, program("wasm-host"));
    let control = scratch.id("control");
    command.args(["--control", &control]).arg(component);
    let host = Process::start(&mut command);
    host.wait_for_line("waiting for a gateway");
    let gateway = V1Gateway::dial(&control, &scratch.id("message"));
    assert_ne!(gateway.create("null"), Status::SUCCESS);
    host.wait_for_line("args: write the name of the site");
    gateway.attach(r#""lab""#);
    gateway.publish(&[("unit", "°C")], &[0xff, 0]);
    let message = gateway.receive();
    assert_eq!(message.property("site"), Some("lab"));
    assert_eq!(message.property("unit"), Some("°C"));
    assert_eq!(message.content(), [0xff, 0]);
}

/// `npm install` would fetch the same packages again.
fn npm_run_build(folder: &Path, languages: &[&str]) -> bool {
    let modules = folder.join("node_modules");
    std::fs::create_dir_all(modules.join(".bin")).unwrap();
    for language in languages {
        let Some(packages) = packages(language) else { return false };
        for entry in std::fs::read_dir(packages.join("node_modules")).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() != ".bin" && entry.file_name() != ".package-lock.json" {
                symlink(entry.path(), modules.join(entry.file_name())).unwrap();
            }
        }
        for entry in std::fs::read_dir(packages.join("node_modules/.bin")).unwrap() {
            let entry = entry.unwrap();
            symlink(entry.path(), modules.join(".bin").join(entry.file_name())).unwrap();
        }
    }
    run(Command::new("npm").args(["run", "build"]).current_dir(folder));
    true
}

#[test]
fn a_project_in_javascript_builds_and_works() {
    let scratch = Scratch::new();
    project("javascript", &scratch.file("site"), "javascript/sdk");
    assert!(npm_run_build(&scratch.file("site"), &["javascript"]));
    works(&scratch);
}

#[test]
fn a_project_in_typescript_builds_and_works() {
    let scratch = Scratch::new();
    project("typescript", &scratch.file("site"), "javascript/sdk");
    if npm_run_build(&scratch.file("site"), &["javascript", "typescript"]) {
        works(&scratch);
    }
}

#[test]
fn a_project_in_python_builds_and_works() {
    let Some(packages) = packages("python") else { return };
    let scratch = Scratch::new();
    let folder = scratch.file("site");
    project("python", &folder, "python/sandgate");
    run(Command::new("make").arg(format!("TOOLCHAIN={}", packages.display())).current_dir(&folder));
    works(&scratch);
}
