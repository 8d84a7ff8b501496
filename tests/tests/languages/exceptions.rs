//! What becomes of exceptions in JavaScript: an error where the contract has one, else the end of the instance, and
//! the engine's own stack in either.

use std::fs;

use sandgate_tests::process::Process;
use sandgate_tests::programs::{command, program, workspace};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::V1Gateway;
use sandgate_wire::Status;

use super::toolchain::{componentize_javascript, copy};

const MODULE: &str = r#"
import { component, Message, publish, Refusal, timers } from "./sdk/sandgate.js";

class Breakable {
    create(configuration) {
        this.where = configuration;
        this.breakAt("create");
        if (configuration === "refuse") throw new Refusal("args: I will not");
    }

    start() {
        this.breakAt("start");
        if (this.where === "onTimer") timers.after(1);
    }

    onTimer() {
        this.breakAt("onTimer");
    }

    receive(message) {
        const text = message.text();
        console.log(`first\nsecond ${text}`);
        if (text === "bug") this.reading(undefined);
        if (text === "refuse") throw new Refusal("this one is of no use");
        if (text === "promise") return Promise.resolve();
        if (text === "json") new Message("[".repeat(10_000)).json();
        if (text === "half") message = new Message("\ud800", { half: "\udfff" });
        publish(message);
    }

    breakAt(place) {
        if (this.where === place) this.reading(undefined);
    }

    reading(values) {
        return values.celsius;
    }
}

export const { module, timerHandler } = component(Breakable);
"#;

struct Scene {
    scratch: Scratch,
    host: Process,
    gateway: V1Gateway,
}

/// A host with the module, and a gateway that has not created it yet.
fn scene() -> Scene {
    let scratch = Scratch::new();
    let unchanged = |text| text;
    copy(&workspace().join("guest-modules/javascript/sdk"), &scratch.file("sdk"), &unchanged);
    copy(&workspace().join("wit"), &scratch.file("wit"), &unchanged);
    fs::write(scratch.file("module.js"), MODULE).unwrap();
    let component = componentize_javascript(scratch.path(), "gateway-module-timers");
    let mut command = command(&scratch, program("wasm-host"));
    let host = Process::start(command.args(["--control", &scratch.id("control")]).arg(component));
    host.wait_for_line("waiting for a gateway");
    let gateway = V1Gateway::dial(&scratch.id("control"), &scratch.id("message"));
    Scene { scratch, host, gateway }
}

const PLACE: &str = "TypeError: cannot read property 'celsius' of undefined; at reading (/module.js:";

#[test]
fn an_exception_in_receive_costs_the_message_alone() {
    let Scene { scratch: _scratch, host, gateway } = scene();
    gateway.attach("null");
    for (text, told) in [
        ("bug", PLACE),
        ("refuse", "messages: this one is of no use module="),
        ("promise", "receive returned a promise"),
        ("json", "the content is no JSON: it is more than 128 values deep"),
    ] {
        // Like lines are told once a second: each is waited for before the next comes.
        gateway.publish(&[], text.as_bytes());
        let _ = gateway.echo();
        let seen = host.text().contains(told);
        if !seen {
            gateway.publish(&[], text.as_bytes());
        }
        host.wait_for_line(told);
    }
    gateway.publish(&[], b"half");
    let message = gateway.receive();
    assert_eq!(message.content(), "\u{fffd}".as_bytes());
    assert_eq!(message.property("half"), Some("\u{fffd}"));
    host.wait_for_line("INFO module: second bug");
    assert!(!host.text().contains("trapped"), "the instance is the first one");
}

#[test]
fn an_exception_in_create_refuses_the_configuration() {
    let Scene { scratch: _scratch, host, gateway } = scene();
    assert_ne!(gateway.create(r#""create""#), Status::SUCCESS);
    host.wait_for_line(PLACE);
    assert_ne!(gateway.create(r#""refuse""#), Status::SUCCESS);
    host.wait_for_line("refused its arguments: args: I will not module=");
}

#[test]
fn an_exception_where_there_is_no_error_to_answer_with_ends_the_instance() {
    for place in ["start", "onTimer"] {
        let Scene { scratch: _scratch, host, gateway } = scene();
        gateway.attach(&format!("{place:?}"));
        let line = host.wait_for_line("the module trapped in `");
        assert!(line.contains("cannot read property 'celsius' of undefined"), "{line}");
        assert!(line.contains("at reading (/module.js:"), "{line}");
    }
}
