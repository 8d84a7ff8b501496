//! Native modules, in C, in the gateway and in `native-host`. Without a C compiler these tests say so and pass.

use std::path::Path;

use sandgate_tests::config::{Configuration, attached, launched, pipeline};
use sandgate_tests::log_file::LogFile;
use sandgate_tests::process::{Process, number};
use sandgate_tests::procfs::Stray;
use sandgate_tests::programs::{command, program, running_gateway};
use sandgate_tests::scratch::Scratch;
use serde_json::{Value, json};

use c::Compiler;

#[path = "../../../native/tests/support/mod.rs"]
pub(crate) mod c;

fn fixture(compiler: &Compiler) -> String {
    compiler.shared("fixture.so", &["fixture.c"], &["-g"]).to_str().unwrap().to_owned()
}

fn native(name: &str, library: &str, args: &Value) -> Value {
    json!({"name": name, "loader": {"entrypoint": {"module.path": library}}, "args": args})
}

/// `hello` -> `native` -> `log`.
fn through(library: &str, args: &Value, log: &Path) -> Configuration {
    Configuration::new()
        .hello_world("hello", 20)
        .module(native("native", library, args))
        .logger("log", log)
        .link("hello", "native")
        .link("native", "log")
}

/// The args of a module in `native-host`.
fn hosted(library: &str, args: &Value) -> Value {
    json!({"outprocess.loader": {"name": "native", "entrypoint": {"module.path": library}}, "module.args": args})
}

fn native_host(scratch: &Scratch, control: &str) -> Process {
    let host = Process::start(command(scratch, program("native-host")).args(["--control", control]));
    host.wait_for_line("waiting for a gateway");
    host
}

#[test]
fn a_native_module_runs_in_the_gateway() {
    let Some(compiler) = Compiler::find() else { return };
    let scratch = Scratch::new();
    let log = LogFile::at(&scratch.file("log.json"));
    let args = json!("thread");
    let configuration = through(&fixture(&compiler), &args, &scratch.file("log.json")).json();
    let mut gateway = running_gateway(&scratch, &configuration);
    let messages = log.wait_for(20);
    assert_eq!(messages[0].property("by"), Some("start"));
    assert_eq!(messages[0].content(), args.to_string().as_bytes());
    gateway.stop();
    let messages = log.messages();
    assert_eq!(messages.last().unwrap().property("by"), Some("destroy"));
    for function in ["thread", "receive"] {
        assert!(messages.iter().any(|message| message.property("by") == Some(function)), "{function}");
    }
    assert!(!gateway.text().contains("calls wrongly"), "{}", gateway.text());
}

#[test]
fn native_modules_that_cannot_run_fail_alone() {
    let Some(compiler) = Compiler::find() else { return };
    let scratch = Scratch::new();
    let log = LogFile::at(&scratch.file("log.json"));
    let (good, missing) = (fixture(&compiler), scratch.id("libmissing.so"));
    let no_module = compiler.shared("no_module.so", &["api.c"], &["-DNO_GET_API"]);
    let too_new = compiler.shared("too_new.so", &["api.c"], &["-DVERSION_OF_API=1"]);
    let mut foreign = std::fs::read(&good).unwrap();
    foreign[18..20].copy_from_slice(&[22, 0]);
    let foreign = scratch.write("foreign.so", foreign);
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let configuration = through(&good, &Value::Null, &scratch.file("log.json"))
        .module(native("missing", &missing, &Value::Null))
        .module(native("no_module", &path(&no_module), &Value::Null))
        .module(native("too_new", &path(&too_new), &Value::Null))
        .module(native("foreign", &path(&foreign), &Value::Null))
        .module(native("unwilling", &good, &json!("create fails")))
        .link("hello", "unwilling");
    let mut gateway = running_gateway(&scratch, &configuration.json());
    for (module, reason) in [
        ("missing", "there is no file"),
        ("no_module", "has no function Module_GetApi"),
        ("too_new", "only version 1 is known"),
        ("foreign", "another machine (22)"),
        ("unwilling", "Module_Create returned NULL"),
    ] {
        gateway.wait_for_line_with(&["module failed", &format!("module=\"{module}\""), reason]);
    }
    let _ = log.wait_for_more(5);
    gateway.stop();
}

#[test]
fn wrong_handles_are_told_and_break_nothing() {
    let Some(compiler) = Compiler::find() else { return };
    let scratch = Scratch::new();
    let log = LogFile::at(&scratch.file("log.json"));
    let args = json!("publish null, publish garbage, publish latin, destroy twice");
    let configuration = through(&fixture(&compiler), &args, &scratch.file("log.json")).json();
    let mut gateway = running_gateway(&scratch, &configuration);
    for text in [
        "Broker_Publish: the message is NULL",
        "Broker_Publish: the message is none",
        "Broker_Publish: the broker is none",
        "Message_Destroy: the message is none, or was destroyed already",
    ] {
        gateway.wait_for_line_with(&["WARN", "thread=\"native\"", text]);
    }
    gateway.wait_for_line_with(&["WARN", "not UTF-8"]);
    let _ = log.wait_for_more(5);
    gateway.stop();
}

#[test]
fn a_module_that_hangs_keeps_neither_the_others_nor_the_end() {
    let Some(compiler) = Compiler::find() else { return };
    let scratch = Scratch::new();
    let log = LogFile::at(&scratch.file("log.json"));
    let library = fixture(&compiler);
    let configuration = through(&library, &Value::Null, &scratch.file("log.json"))
        .module(native("hanging", &library, &json!("hang")))
        .link_on_full("hello", "hanging", "drop-oldest");
    let mut gateway = running_gateway(&scratch, &configuration.json());
    let _ = log.wait_for(20);
    gateway.stop();
    gateway.wait_for_line_with(&["has not stopped in time", "module=\"hanging\""]);
}

#[test]
fn a_native_module_runs_in_a_host_of_its_own_for_one_gateway_after_another() {
    let Some(compiler) = Compiler::find() else { return };
    let scratch = Scratch::new();
    let log = LogFile::at(&scratch.file("log.json"));
    let control = scratch.id("c");
    let args = hosted(&fixture(&compiler), &json!("thread"));
    let configuration = pipeline(attached(&control), args, &scratch.file("log.json")).json();
    let mut host = native_host(&scratch, &control);
    for _ in 0..2 {
        let mut gateway = running_gateway(&scratch, &configuration);
        let messages = log.wait_for_more(20);
        for function in ["start", "thread", "receive"] {
            assert!(messages.iter().any(|message| message.property("by") == Some(function)), "{function}");
        }
        gateway.stop();
    }
    host.stop();
}

#[test]
fn a_module_that_crashes_takes_its_host_and_nothing_else() {
    let Some(compiler) = Compiler::find() else { return };
    let scratch = Scratch::new();
    let (library, control) = (fixture(&compiler), scratch.id("c"));
    let host = program("native-host");
    let entrypoint = launched(&control, host.to_str().unwrap(), &["--control", &control], 2000);
    let configuration = through(&library, &Value::Null, &scratch.file("log.json"))
        .remote("crashing", entrypoint, hosted(&library, &json!("crash")))
        .link("hello", "crashing");
    let log = LogFile::at(&scratch.file("log.json"));
    let mut gateway = running_gateway(&scratch, &configuration.json());
    for nth in 1..=3 {
        gateway.wait_for_nth_line(nth, "launched module=");
    }
    let _ = log.wait_for_more(5);
    gateway.stop();
}

#[test]
fn a_launched_native_host_ends_with_its_gateway() {
    let Some(compiler) = Compiler::find() else { return };
    let scratch = Scratch::new();
    let log = LogFile::at(&scratch.file("log.json"));
    let (control, host) = (scratch.id("c"), program("native-host"));
    let entrypoint = launched(&control, host.to_str().unwrap(), &["--control", &control], 2000);
    let args = hosted(&fixture(&compiler), &Value::Null);
    let configuration = pipeline(entrypoint, args, &scratch.file("log.json")).json();
    for killed in [false, true] {
        let mut gateway = running_gateway(&scratch, &configuration);
        let line = gateway.wait_for_line("launched module=");
        let host = Stray::new(number(&line, "pid").try_into().unwrap());
        let _ = log.wait_for_more(5);
        if killed {
            gateway.kill();
        } else {
            gateway.stop();
        }
        host.wait_end();
    }
}

#[test]
fn a_native_host_tells_what_is_wrong_with_the_args_and_goes_on() {
    let Some(compiler) = Compiler::find() else { return };
    let scratch = Scratch::new();
    let log = LogFile::at(&scratch.file("log.json"));
    let (library, control) = (fixture(&compiler), scratch.id("c"));
    let mut host = native_host(&scratch, &control);
    let mut both = hosted(&library, &Value::Null);
    both["module.arguments"] = Value::Null;
    for (args, told) in [
        (json!({}), "`outprocess.loader` is missing"),
        (hosted("/no/such/module.so", &Value::Null), "there is no file"),
        (hosted(&library, &json!("create fails")), "Module_Create returned NULL"),
        (both, "both there"),
    ] {
        let configuration = pipeline(attached(&control), args, &scratch.file("log.json")).json();
        let mut gateway = running_gateway(&scratch, &configuration);
        host.wait_for_line(told);
        gateway.stop();
    }
    // V1's example writes the module's arguments under a key that V1's program does not read.
    let mut args = hosted(&library, &Value::Null);
    let module = args.as_object_mut().unwrap().remove("module.args").unwrap();
    args["module.arguments"] = module;
    let configuration = pipeline(attached(&control), args, &scratch.file("log.json")).json();
    let mut gateway = running_gateway(&scratch, &configuration);
    host.wait_for_line_with(&["WARN", "`module.arguments` is taken as `module.args`"]);
    let _ = log.wait_for_more(5);
    gateway.stop();
    host.stop();
}

#[test]
fn a_native_host_that_cannot_be_reached_says_so() {
    let scratch = Scratch::new();
    for arguments in [&[][..], &["--control", "http://x"]] {
        let mut host = Process::start(command(&scratch, program("native-host")).args(arguments));
        assert_eq!(host.wait_exit().code(), Some(64), "{}", host.text());
    }
}
