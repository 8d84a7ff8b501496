//! The toolchains that `cargo xtask guests` has fetched, as an author would call them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sandgate_tests::programs::{command, program, workspace};
use sandgate_tests::scratch::Scratch;

/// Copies a folder with all that is in it, and lets each text be changed on the way.
pub fn copy(from: &Path, to: &Path, change: &dyn Fn(String) -> String) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to, change);
        } else {
            fs::write(to, change(fs::read_to_string(&path).unwrap())).unwrap();
        }
    }
}

/// Runs a command that has to succeed, and gives what it said.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

/// Runs a component's cases, and gives what was said. Then it is compiled, too, for which a test has not always the
/// patience.
pub fn passes(scratch: &Scratch, component: &Path, cases: &Path) -> String {
    let mut command = command(scratch, program("wasm-host"));
    run(command.args(["test", "-vv", "-W", "compile-timeout=600s"]).arg(component).arg(cases))
}

/// Makes a component of `module.js` in a folder, which has `sdk/` and `wit/` too.
pub fn componentize_javascript(folder: &Path, world: &str) -> PathBuf {
    let packages = workspace().join("target/tools/npm/javascript");
    assert!(packages.is_dir(), "run `cargo xtask guests`: it provides {}", packages.display());
    let component = folder.join("module.wasm");
    let mut node = Command::new("node");
    node.arg(packages.join("node_modules/componentize-qjs/cli.mjs")).args(["--sync", "--wit", "wit"]);
    node.args(["--world", world, "--js", "module.js", "--output"]).arg(&component);
    run(node.current_dir(folder));
    component
}
