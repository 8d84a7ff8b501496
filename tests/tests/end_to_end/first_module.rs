//! The module in the README: its files are built as they stand there, and the module does what it is said to.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use sandgate_tests::process::Process;
use sandgate_tests::programs::{command, program, workspace};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::V1Gateway;

const BUILD: &str = "cargo build --release --target wasm32-wasip2";

/// The first block of a language in the README's section about writing a module.
fn block(language: &str) -> String {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let section = readme.split_once("## Writing a module").unwrap().1;
    let block = section.split_once(&format!("```{language}\n")).unwrap().1;
    block.split_once("```").unwrap().0.to_owned()
}

/// Builds it beside a folder `sandgate`, as its `Cargo.toml` has it. What it depends on is what the guest modules do,
/// which has been fetched for them.
fn built(scratch: &Scratch) -> PathBuf {
    let folder = scratch.file("site");
    fs::create_dir_all(folder.join("src")).unwrap();
    symlink(workspace(), scratch.file("sandgate")).unwrap();
    fs::write(folder.join("src/lib.rs"), block("rust")).unwrap();
    fs::write(folder.join("Cargo.toml"), block("toml")).unwrap();
    fs::copy(workspace().join("guest-modules/rust/Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    assert_eq!(block("console").trim(), format!("$ {BUILD}"));
    // Kept from run to run, so that only the module itself is compiled again.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("first-module");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(BUILD.split(' ').skip(1)).arg("--offline").current_dir(&folder);
    let output = cargo.env("CARGO_TARGET_DIR", &target).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("wasm32-wasip2/release/site.wasm")
}

#[test]
fn the_module_in_the_readme_builds_and_works() {
    let scratch = Scratch::new();
    let (module, control) = (built(&scratch), scratch.id("site.control"));
    let mut host =
        Process::start(command(&scratch, program("wasm-host")).args(["--control", &control]).arg(module));
    let gateway = V1Gateway::dial(&control, &scratch.id("site.message"));
    gateway.attach(r#""lab""#);
    gateway.publish(&[("a", "1")], b"content");
    let message = gateway.receive();
    assert_eq!((message.property("site"), message.property("a")), (Some("lab"), Some("1")));
    assert_eq!(message.content(), b"content");
    host.stop();
}
