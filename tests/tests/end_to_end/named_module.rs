//! `wasm-host` without a module: the gateway's `args` name it, as for V1's native module host.

use std::path::Path;

use sandgate_tests::config::{attached, launched, pipeline};
use sandgate_tests::log_file::LogFile;
use sandgate_tests::process::Process;
use sandgate_tests::programs::{command, guest, program, running_gateway};
use sandgate_tests::scratch::Scratch;
use serde_json::{Value, json};

fn host(scratch: &Scratch, control: &str, options: &[&str]) -> Process {
    let mut command = command(scratch, program("wasm-host"));
    let host = Process::start(command.args(["--control", control]).args(options));
    host.wait_for_line("waiting for a gateway");
    host
}

/// Args that name a component.
fn naming(path: &Path) -> Value {
    json!({
        "outprocess.loader": { "name": "wasm", "entrypoint": { "module.path": path } },
        "module.args": { "site": "lab" },
    })
}

#[test]
fn a_host_runs_the_component_that_each_gateway_names() {
    let scratch = Scratch::new();
    let control = scratch.id("c");
    let mut host = host(&scratch, &control, &[]);
    for (round, module) in ["modules/annotate", "modules/echo", "modules/annotate"].iter().enumerate() {
        let log = scratch.file(&format!("{round}.json"));
        let args = naming(&guest(module));
        let mut gateway = running_gateway(&scratch, &pipeline(attached(&control), args, &log).json());
        let messages = LogFile::at(&log).wait_for(3);
        let site = messages[0].property("site");
        assert_eq!(site, module.ends_with("annotate").then_some("lab"), "the module's own arguments");
        gateway.stop();
    }
    host.stop();
    assert_eq!(host.count_lines("loaded module="), 3);
}

#[test]
fn a_launched_host_takes_its_module_from_the_gateway_that_launched_it() {
    let scratch = Scratch::new();
    let (control, log) = (scratch.id("c"), scratch.file("log.json"));
    let path = program("wasm-host");
    let entrypoint = launched(&control, path.to_str().unwrap(), &["--control", &control], 2000);
    let args = naming(&guest("modules/annotate"));
    let mut gateway = running_gateway(&scratch, &pipeline(entrypoint, args, &log).json());
    LogFile::at(&log).wait_for(3);
    gateway.stop();
    let end = gateway.wait_for_line("host exited");
    assert!(end.contains("exit status: 0"), "{end}");
}

#[test]
fn what_names_no_module_is_told_on_both_sides_and_the_host_goes_on() {
    let scratch = Scratch::new();
    let control = scratch.id("c");
    let mut host = host(&scratch, &control, &["-W", "max-component-size=64KiB"]);
    let text = scratch.write("text.wasm", b"no component");
    let missing = scratch.file("missing.wasm");
    let large = scratch.write("large.wasm", [&b"\0asm\x0d\0\x01\0"[..], &[0; 100_000]].concat());
    let of_loader = |name: Value| {
        let mut args = naming(&text);
        args["outprocess.loader"]["name"] = name;
        args
    };
    for (args, sentence) in [
        (json!("lab"), "`args` must be an object"),
        (json!({"module.args": null}), "`outprocess.loader` is missing"),
        (of_loader(json!("native")), "the loader `native` is not known here; run the module in native-host"),
        (of_loader(json!("java")), "for its language"),
        (naming(&missing), "which cannot be found: No such file"),
        (naming(scratch.path()), "which is no file"),
        (naming(&text), "is no WebAssembly file; give a component"),
        (naming(&large), "is over the limit max-component-size"),
    ] {
        let log = scratch.file("log.json");
        let mut gateway = Process::start(
            command(&scratch, program("gateway"))
                .arg(scratch.configuration(&pipeline(attached(&control), args, &log).json())),
        );
        host.wait_for_line_with(&["the gateway's args name no module that can be used", sentence]);
        gateway.wait_for_line("the host answered Create with creation error (2); its log says why");
        gateway.stop();
    }
    host.stop();
}

#[test]
fn a_folder_bounds_what_gateways_can_name() {
    let scratch = Scratch::new();
    let (control, log) = (scratch.id("c"), scratch.file("log.json"));
    let echo = guest("modules/echo");
    let mut host = host(&scratch, &control, &["--modules", echo.parent().unwrap().to_str().unwrap()]);
    let outside = guest("fixtures/refuse_create");
    let configuration = pipeline(attached(&control), naming(&outside), &log).json();
    let mut gateway =
        Process::start(command(&scratch, program("gateway")).arg(scratch.configuration(&configuration)));
    host.wait_for_line_with(&["which is outside of", "this host takes modules from there alone"]);
    gateway.stop();
    let args = naming(Path::new("echo.wasm"));
    let mut gateway = running_gateway(&scratch, &pipeline(attached(&control), args, &log).json());
    LogFile::at(&log).wait_for(3);
    gateway.stop();
    host.stop();
}

#[test]
fn a_tcp_port_without_a_folder_is_refused() {
    let scratch = Scratch::new();
    for (options, sentence) in [
        (&["--control", "tcp://127.0.0.1:1"][..], "could name any file as the module"),
        (&["--control", "c", "--modules", "absent"], "the folder absent of --modules cannot be used"),
        (&["--modules", "."], "--control"),
    ] {
        let mut host = Process::start(command(&scratch, program("wasm-host")).args(options));
        assert_eq!(host.wait_exit().code(), Some(64), "{}", host.text());
        host.wait_for_line(sentence);
    }
}
