//! The commands in the documents: each is known here, with what runs it, and those that are about the programs
//! are run as they stand.

use std::fs;
use std::os::unix::fs::symlink;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sandgate_tests::book::{documents, texts};
use sandgate_tests::log_file::LogFile;
use sandgate_tests::process::Process;
use sandgate_tests::programs::{command, guest, program, workspace};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::wait::until;

use crate::commands;
use crate::golden::sole_user_of_the_recorded_address;

const GATEWAY: &str = "target/release/gateway samples/proxy_sample/gateway.json";
const HOST: &str =
    "target/release/wasm-host --control /tmp/proxy_sample.control target/guests/modules/annotate.wasm";
const DEMO: &str = "cd target/guests/modules && ../../release/gateway ../../../samples/demo/gateway.json";
pub(crate) const REMOTE_GATEWAY: &str = "target/release/gateway samples/rust_remote/gateway.json";
pub(crate) const REMOTE: &str = "target/release/rust_remote /tmp/rust_remote.control";

pub(crate) const SHARED_MEMORY: &str = "target/release/gateway samples/shared_memory/gateway.json";

const COMPILE: &str = "cc -shared -fPIC -I native/include -o target/libannotate.so samples/native_module_host/module/annotate.c";
const NATIVE: &str = "target/release/gateway samples/native_module_host/gateway.json";
const NATIVE_GATEWAY: &str = "target/release/gateway samples/native_module_host/outprocess.json";
const NATIVE_HOST: &str = "target/release/native-host --control /tmp/native_module_host.control";

/// Every command, and what runs it.
const COMMANDS: &[(&str, &str)] = &[
    (GATEWAY, "the_two_terminals_work_as_they_are_written"),
    (HOST, "the_two_terminals_work_as_they_are_written"),
    (REMOTE_GATEWAY, "rust_remote.rs"),
    (REMOTE, "rust_remote.rs"),
    (SHARED_MEMORY, "shared_memory.rs"),
    (DEMO, "the_demo_sample_works_as_it_is_written"),
    (COMPILE, "the_native_sample_works_as_it_is_written"),
    (NATIVE, "the_native_sample_works_as_it_is_written"),
    (NATIVE_GATEWAY, "the_native_sample_works_as_it_is_written"),
    (NATIVE_HOST, "the_native_sample_works_as_it_is_written"),
    ("cargo xtask test", "continuous integration"),
    ("cargo xtask build", "a step of cargo xtask test"),
    ("cargo xtask guests", "a step of cargo xtask test"),
    (
        "cargo xtask guests javascript typescript python",
        "the first is a step of cargo xtask test, the others on request",
    ),
    ("cargo xtask tidy", "a step of cargo xtask test"),
    ("cargo xtask conformance", "its tests are a step of cargo xtask test"),
    ("cargo xtask demo", "a step of cargo xtask test"),
    ("cargo xtask bench", "a step of cargo xtask test, with --smoke"),
    ("cargo xtask bench --only segments", "a step of cargo xtask test, with --smoke"),
    ("cargo xtask bench --only call", "a step of cargo xtask test, with --smoke"),
    ("cargo xtask bench --only recovery", "a step of cargo xtask test, with --smoke"),
    ("cargo xtask bench --only instance", "a step of cargo xtask test, with --smoke"),
    ("cargo xtask bench --only density", "a step of cargo xtask test, with --smoke"),
    (
        "cargo xtask bench --only hostile --json docs/hostile-tenants.json",
        "a step of cargo xtask test, with --smoke",
    ),
    ("cargo xtask java", "a step of cargo xtask test"),
    ("cargo xtask fuzz session", "by hand: hours; its corpus is replayed by cargo xtask test"),
    ("cargo xtask fuzz session --runs 100000 --keep", "likewise"),
    ("target/release/gateway samples/java_remote/gateway.json", "java_remote.rs"),
    (
        "java -cp target/java/sandgate-remote.jar:target/java/samples Annotate /tmp/java_remote.control",
        "java_remote.rs",
    ),
    (
        "java -cp target/java/sandgate-remote.jar Site.java /tmp/site.control",
        "java_remote.rs, with another name",
    ),
    ("cargo build --release --target wasm32-wasip2", "the_module_in_the_readme_builds_and_works"),
    (
        "cargo build --manifest-path guest-modules/rust/Cargo.toml --release --target wasm32-wasip2 --package annotate",
        "how cargo xtask guests builds",
    ),
    ("wasm-host new javascript site", "languages/projects.rs"),
    ("wasm-host new typescript site", "languages/projects.rs"),
    ("wasm-host new python site", "languages/projects.rs"),
    ("wasm-host new c site", "languages/projects.rs"),
    ("wasm-host new cpp site", "languages/projects.rs"),
    ("wasm-host new go site", "languages/projects.rs"),
    ("wasm-host new zig site", "languages/projects.rs"),
    ("wasm-host new rust site", "languages/projects.rs"),
    ("wasm-host test target/wasm32-wasip2/release/site.wasm cases", "languages/projects.rs"),
    ("cd site", "languages/projects.rs"),
    ("npm install", "how cargo xtask guests installs, from the same kind of lock"),
    ("npm run build", "languages/projects.rs"),
    ("npm test", "languages/projects.rs"),
    ("make", "languages/projects.rs"),
    ("make test", "languages/projects.rs"),
    ("cargo xtask guests c", "a step of cargo xtask test"),
    ("wasm-host bindings c build/sandgate", "languages/projects.rs"),
    ("wasm-host bindings c-v1 build/sandgate", "languages/projects.rs"),
    (
        "zig cc -target wasm32-wasi -Os -UNDEBUG -g -mexec-model=reactor -Wl,-z,stack-size=262144 -I build/sandgate module.c build/sandgate/*.c -o build/core.wasm",
        "languages/projects.rs",
    ),
    ("wasm-host componentize --strip-debug build/core.wasm -o site.wasm", "languages/projects.rs"),
    (
        "cargo xtask bench --only languages --json docs/languages.json",
        "a step of cargo xtask test, with --smoke",
    ),
    (commands::NEW, "commands.rs"),
    (commands::RUN, "commands.rs"),
    (commands::INSPECT, "commands.rs"),
    (commands::TEST, "commands.rs"),
    (commands::REPLAY, "commands.rs"),
    (commands::SERVE, "commands.rs"),
    (commands::SERVE_WITHIN, "commands.rs"),
    (commands::LENIENT, "commands.rs"),
    (commands::ADMINISTERED, "commands.rs"),
    (commands::STATUS, "commands.rs"),
    (commands::REVIVE, "commands.rs"),
    (
        "wasm-host compile annotate.wasm -o /usr/lib/modules/annotate.cwasm",
        "author/ahead_of_time.rs, with another module and folder",
    ),
    (
        "wasm-host --control /tmp/annotate.control --precompiled /usr/lib/modules annotate.wasm",
        "author/ahead_of_time.rs, without a gateway",
    ),
];

#[test]
fn every_command_in_the_documents_is_known() {
    let mut found = Vec::new();
    for document in documents() {
        for line in fs::read_to_string(&document).unwrap().lines() {
            let Some(command) = line.trim_start().strip_prefix("$ ") else { continue };
            let known = COMMANDS.iter().any(|(known, _)| *known == command);
            assert!(known, "{}: `{command}` is run by no test", document.display());
            found.push(command.to_owned());
        }
    }
    for (command, _) in COMMANDS {
        assert!(found.iter().any(|found| found == command), "no document has `{command}` any more");
    }
}

/// The pages of the book are all there, and every document below `docs` is one of them.
#[test]
fn the_book_has_every_page() {
    let book = workspace().join("docs");
    let summary = fs::read_to_string(book.join("SUMMARY.md")).unwrap();
    let pages: Vec<_> =
        summary.lines().filter_map(|line| line.rsplit_once("](")?.1.strip_suffix(')')).collect();
    for page in &pages {
        assert!(book.join(page).is_file(), "the book has no page {page}");
    }
    for document in documents().iter().filter_map(|document| document.strip_prefix(&book).ok()) {
        let name = document.to_str().unwrap();
        assert!(
            name == "SUMMARY.md" || pages.contains(&name),
            "docs/{name} stands in no list of docs/SUMMARY.md"
        );
    }
}

/// What a page shows first as a module is what a new project has, which is built and tested.
#[test]
fn the_modules_on_the_pages_are_those_of_new_projects() {
    for (page, language, file) in [
        ("rust", "rust", "src/lib.rs"),
        ("c", "c", "module.c"),
        ("cpp", "cpp", "module.cpp"),
        ("zig", "zig", "module.zig"),
        ("go", "go", "module.go"),
        ("javascript", "js", "module.js"),
        ("typescript", "ts", "module.ts"),
        ("python", "python", "module.py"),
    ] {
        let template = workspace().join("author/templates").join(page).join(file);
        let template = fs::read_to_string(template).unwrap().replace("{{Name}}", "Site");
        assert_eq!(texts(&format!("docs/languages/{page}.md"), language)[0], template, "{page}");
    }
}

/// A folder that looks like a checkout after `cargo xtask build`.
pub(crate) fn checkout(scratch: &Scratch) {
    let (release, modules) = (scratch.file("target/release"), scratch.file("target/guests/modules"));
    for folder in [&release, &modules] {
        fs::create_dir_all(folder).unwrap();
    }
    for name in ["gateway", "wasm-host", "rust_remote"] {
        symlink(program(name), release.join(name)).unwrap();
    }
    for name in ["annotate", "threshold", "camera", "inspector"] {
        symlink(guest(&format!("modules/{name}")), modules.join(name).with_extension("wasm")).unwrap();
    }
    link_folders(scratch);
}

/// The folders of the repository that commands name.
fn link_folders(scratch: &Scratch) {
    for folder in ["native", "samples"] {
        symlink(workspace().join(folder), scratch.file(folder)).unwrap();
    }
}

/// A line of a document in a shell, which makes room for the program at its end.
pub(crate) fn shell(scratch: &Scratch, line: &str) -> Process {
    let line = match line.rsplit_once("&& ") {
        Some((before, program)) => format!("{before}&& exec {program}"),
        None => format!("exec {line}"),
    };
    Process::start(command(scratch, "/bin/sh").args(["-c", &line]))
}

/// A line of a log as people see it: its spaces are one each, and the numbers that are others every time are left out.
fn told(line: &str) -> String {
    let words = line.split_whitespace();
    let words = words.map(|word| match word.split_once('=') {
        Some((key @ ("milliseconds" | "pid"), _)) => key,
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_two_terminals_work_as_they_are_written() {
    let _lock = sole_user_of_the_recorded_address();
    // Before what they say there is a picture.
    let [_, gateway_says, host_says] = &texts("README.md", "text")[..] else { panic!("three are wanted") };
    let [entry] = &texts("README.md", "json")[..] else { panic!("one is wanted") };
    let entry: serde_json::Value = serde_json::from_str(entry).unwrap();
    for gateway_first in [true, false] {
        let scratch = Scratch::new();
        checkout(&scratch);
        let mut both = [(GATEWAY, gateway_says), (HOST, host_says)];
        if !gateway_first {
            both.reverse();
        }
        let mut processes = both.map(|(line, _)| shell(&scratch, line));
        let logged = LogFile::at(&scratch.file("proxy_sample_log.json")).wait_for(1);
        for (key, value) in entry["properties"].as_object().unwrap() {
            assert_eq!(logged[0].property(key), value.as_str(), "{key}");
        }
        assert_eq!(STANDARD.encode(logged[0].content()), entry["content"]);
        for (process, (_, says)) in processes.iter_mut().zip(both) {
            process.stop();
            let said: Vec<_> = process.text().lines().map(told).collect();
            for line in says.lines().map(told) {
                assert!(said.iter().any(|said| said.ends_with(&line)), "{line}\nis not in\n{said:#?}");
            }
        }
    }
}

#[test]
fn the_demo_sample_works_as_it_is_written() {
    let scratch = Scratch::new();
    checkout(&scratch);
    let mut gateway = shell(&scratch, DEMO);
    let _ = LogFile::at(&scratch.file("target/guests/modules/demo_log.json")).wait_for(1);
    gateway.stop();
}

/// Compiles the native module into a folder that looks like a checkout, if there is a compiler.
pub(crate) fn compile_native(scratch: &Scratch) -> bool {
    fs::create_dir_all(scratch.file("target/release")).unwrap();
    for name in ["gateway", "native-host"] {
        symlink(program(name), scratch.file("target/release").join(name)).unwrap();
    }
    link_folders(scratch);
    if !shell(scratch, "cc --version").wait_exit().success() {
        eprintln!("skipped: there is no C compiler");
        return false;
    }
    assert!(shell(scratch, COMPILE).wait_exit().success());
    true
}

#[test]
fn the_native_sample_works_as_it_is_written() {
    // The sample's address is the same for everybody on this machine.
    let lock = fs::File::create("/tmp/native_module_host.lock").unwrap();
    lock.lock().unwrap();
    let scratch = Scratch::new();
    if !compile_native(&scratch) {
        return;
    }
    let log = LogFile::at(&scratch.file("native_module_log.json"));
    let annotated = |annotation: &str| {
        until(&format!("a message annotated {annotation:?}"), || {
            log.messages().iter().any(|message| message.property("annotation") == Some(annotation))
        });
    };
    let mut gateway = shell(&scratch, NATIVE);
    annotated("in the gateway");
    gateway.stop();
    let mut processes = [NATIVE_GATEWAY, NATIVE_HOST].map(|line| shell(&scratch, line));
    annotated("in a process of its own");
    processes.iter_mut().for_each(Process::stop);
}
