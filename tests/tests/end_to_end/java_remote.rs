//! Modules in Java programs, with the commands and the code that the documents show. They need a JDK and what
//! `cargo xtask java` has built; where one is missing the tests are skipped, and say so.

use std::fs::{self, File};
use std::io::{Write, stderr};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use sandgate_tests::config::{attached, pipeline};
use sandgate_tests::log_file::{Entry, LogFile};
use sandgate_tests::process::Process;
use sandgate_tests::programs::{command, program, running_gateway, workspace};
use sandgate_tests::scratch::Scratch;
use serde_json::json;

const GATEWAY: &str = "target/release/gateway samples/java_remote/gateway.json";
const MODULE: &str =
    "java -cp target/java/sandgate-remote.jar:target/java/samples Annotate /tmp/java_remote.control";
const SITE: &str = "java -cp target/java/sandgate-remote.jar Site.java /tmp/site.control";

/// The oldest Java that the library works with.
const OLDEST: u32 = 17;

/// What `cargo xtask java` has built, or nothing, and a line that says why.
fn built() -> Option<PathBuf> {
    let java = program("gateway").ancestors().nth(2)?.join("java");
    let library = java.join("sandgate-remote.jar");
    let reason = if !library.is_file() {
        format!("there is no {}; run `cargo xtask java`", library.display())
    } else if !has_jdk() {
        format!("there is no JDK of version {OLDEST} or newer on PATH")
    } else {
        return Some(java);
    };
    // Not through the macro, whose output is kept back when a test passes.
    let _ = writeln!(stderr(), "java_remote: skipped, for {reason}");
    None
}

fn has_jdk() -> bool {
    let works = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    // `openjdk 17.0.1 2021-10-19`
    let version = works("java", "--version").and_then(|text| {
        let number = text.split_whitespace().nth(1)?;
        number.split(|character: char| !character.is_ascii_digit()).next()?.parse::<u32>().ok()
    });
    version.is_some_and(|version| version >= OLDEST) && works("javac", "-version").is_some()
}

/// A folder that looks like a checkout after `cargo xtask build` and `cargo xtask java`.
fn checkout(scratch: &Scratch, java: &Path) {
    fs::create_dir_all(scratch.file("target/release")).unwrap();
    symlink(program("gateway"), scratch.file("target/release/gateway")).unwrap();
    symlink(java, scratch.file("target/java")).unwrap();
    symlink(workspace().join("samples"), scratch.file("samples")).unwrap();
}

/// A line of a document in a shell, which makes room for the program.
fn shell(scratch: &Scratch, line: &str) -> Process {
    Process::start(command(scratch, "/bin/sh").args(["-c", &format!("exec {line}")]))
}

/// Other runs of these tests wait for the sample's addresses as long as the file lives.
fn sole_user_of_the_sample() -> File {
    let lock = File::create("/tmp/java_remote.lock").unwrap();
    lock.lock().unwrap();
    lock
}

fn assert_annotated(messages: &[Entry]) {
    for message in messages {
        let annotated_by = message.property("annotated-by").unwrap();
        assert!(annotated_by.starts_with("java "), "{message:?}");
        assert_eq!(message.property("annotation"), Some("\"from the gateway's configuration\""));
        assert_eq!(message.property("helloWorld"), Some("from Azure IoT Gateway SDK simple sample!"));
        assert_eq!(message.content(), b"hello world");
    }
}

#[test]
fn the_documents_have_these_commands() {
    let sample = fs::read_to_string(workspace().join("samples/java_remote/README.md")).unwrap();
    let library = fs::read_to_string(workspace().join("remote/java/README.md")).unwrap();
    for (document, command) in [(&sample, GATEWAY), (&sample, MODULE), (&library, SITE)] {
        assert!(document.lines().any(|line| line.strip_prefix("$ ") == Some(command)), "`{command}`");
    }
}

#[test]
fn the_sample_works_as_it_is_written() {
    let Some(java) = built() else { return };
    let _lock = sole_user_of_the_sample();
    for gateway_first in [true, false] {
        let scratch = Scratch::new();
        checkout(&scratch, &java);
        let (mut gateway, mut module);
        if gateway_first {
            gateway = shell(&scratch, GATEWAY);
            gateway.wait_for_line("gateway running");
            module = shell(&scratch, MODULE);
        } else {
            module = shell(&scratch, MODULE);
            module.wait_for_line("waiting for a gateway");
            gateway = shell(&scratch, GATEWAY);
        }
        assert_annotated(&LogFile::at(&scratch.file("java_remote_log.json")).wait_for(1));
        gateway.stop();
        module.wait_for_line("destroyed by the gateway");
        assert!(module.wait_exit().success(), "Destroy ends the program in good order");
    }
}

#[test]
fn the_sample_outlives_its_gateway_and_says_when_it_goes() {
    let Some(java) = built() else { return };
    let _lock = sole_user_of_the_sample();
    let scratch = Scratch::new();
    checkout(&scratch, &java);
    let log = LogFile::at(&scratch.file("java_remote_log.json"));
    let mut module = shell(&scratch, MODULE);
    let first = shell(&scratch, GATEWAY);
    let _ = log.wait_for(1);
    first.kill();
    module.wait_for_line("gateway gone");

    let before = log.count();
    let mut second = shell(&scratch, GATEWAY);
    let messages = log.wait_for(before + 1);
    assert_annotated(&messages);
    // A new instance, which begins to count.
    assert_eq!(messages[before].property("number"), Some("1"));
    module.wait_for_nth_line(2, "created");

    module.terminate();
    second.wait_for_line("detach (255)");
    // Java's status of a program that was ended by a signal is not 0.
    module.wait_exit();
    let mut next = shell(&scratch, MODULE);
    second.wait_for_nth_line(2, "started");
    second.stop();
    assert!(next.wait_exit().success(), "Destroy ends the program in good order");
}

#[test]
fn the_module_of_the_readme_works_as_it_is_written() {
    let Some(java) = built() else { return };
    let scratch = Scratch::new();
    checkout(&scratch, &java);
    let document = fs::read_to_string(workspace().join("remote/java/README.md")).unwrap();
    let (_, code) = document.split_once("```java\n").unwrap();
    let (code, _) = code.split_once("```").unwrap();
    scratch.write("Site.java", code);
    let (control, log) = (scratch.id("c"), scratch.file("log.json"));
    let mut module = shell(&scratch, &SITE.replace("/tmp/site.control", &control));
    let mut gateway = running_gateway(&scratch, &pipeline(attached(&control), json!("lab"), &log).json());
    for message in LogFile::at(&log).wait_for(5) {
        assert_eq!(message.property("site"), Some("\"lab\""));
    }
    gateway.stop();
    assert!(module.wait_exit().success(), "Destroy ends the program in good order");
}
