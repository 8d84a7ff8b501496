//! `wasm-host new`: the project builds, and its test passes, by the commands of its own README.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use sandgate_tests::programs::{command, with_programs};
use sandgate_tests::scratch::Scratch;

use crate::tool::wasm_host;

/// The commands in a README: the lines that are indented.
fn commands(readme: &Path) -> Vec<String> {
    let text = fs::read_to_string(readme).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect()
}

/// Runs a command that has to succeed.
fn run(mut command: Command) -> Output {
    let output = command.output().unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
    output
}

#[test]
fn a_new_project_in_rust_builds_and_passes_its_test() {
    let scratch = Scratch::new();
    wasm_host(&scratch, &["new", "rust", "my-module"], "").ended_with(0);
    let project = scratch.file("my-module");
    let commands = commands(&project.join("README.md"));
    assert_eq!(commands[0], "cargo build --release --target wasm32-wasip2");
    // Kept from run to run, so that only the module itself is compiled again. What it depends on is what the guest
    // modules do, which has been fetched for them.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-project");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(commands[0].split(' ').skip(1)).arg("--offline").current_dir(&project);
    cargo.env("CARGO_TARGET_DIR", &target);
    run(cargo);
    std::os::unix::fs::symlink(&target, project.join("target")).unwrap();
    let mut outputs = Vec::new();
    for line in &commands[1..] {
        let mut shell = command(&scratch, "/bin/sh");
        shell.args(["-c", line]).current_dir(&project).env("PATH", with_programs());
        outputs.push(String::from_utf8(run(shell).stdout).unwrap());
    }
    assert!(outputs[0].contains("2 cases: 2 passed"), "{outputs:?}");
    assert_eq!(outputs[1], "{\"properties\":{\"site\":\"lab\"},\"text\":\"hello\"}\n");
}

#[test]
fn nothing_is_written_over_and_names_must_be_usable() {
    let scratch = Scratch::new();
    scratch.write("file", "mine");
    let refused = wasm_host(&scratch, &["new", "rust", "site", "."], "").ended_with(64);
    assert!(refused.err.contains("not empty"), "{}", refused.err);
    let refused = wasm_host(&scratch, &["new", "cobol", "site"], "").ended_with(64);
    assert!(refused.err.contains("there are") && refused.err.contains("rust"), "{}", refused.err);
    let refused = wasm_host(&scratch, &["new", "rust", "../site"], "").ended_with(64);
    assert!(refused.err.contains("cannot be the name of a module"), "{}", refused.err);
    assert_eq!(scratch.names(), ["file"]);
}
