//! What becomes of exceptions in JavaScript: an error where the contract has one, else the end of the instance, and
//! the engine's own stack in either.

use sandgate_tests::programs::workspace;
use sandgate_tests::scratch::Scratch;
use serde_json::{Value, json};

use super::toolchain::{componentize_javascript, copy, passes};

const MODULE: &str = r#"
import { component, Message, publish, Refusal, timers } from "./sdk/sandgate.js";

class Breakable {
    count = 0;

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
        this.count += 1;
        const text = message.text();
        console.log(`first\nsecond ${text}`);
        if (text === "bug") this.reading(undefined);
        if (text === "refuse") throw new Refusal("this one is of no use");
        if (text === "promise") return Promise.resolve();
        if (text === "json") new Message("[".repeat(10_000)).json();
        if (text === "count") message = new Message(`${this.count} messages`);
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

/// The engine's stack on one line, innermost first, without the library's own frames.
fn mistake_in(caller: &str) -> Value {
    json!([
        "cannot read property 'celsius' of undefined",
        "at reading (/module.js:",
        format!("{caller} (/module.js:")
    ])
}

#[test]
fn exceptions_are_errors_where_the_contract_has_them_and_traps_elsewhere() {
    let scratch = Scratch::new();
    let unchanged = |text| text;
    copy(&workspace().join("guest-modules/javascript/sdk"), &scratch.file("sdk"), &unchanged);
    copy(&workspace().join("wit"), &scratch.file("wit"), &unchanged);
    scratch.write("module.js", MODULE);
    let component = componentize_javascript(scratch.path(), "gateway-module-timers");
    let cases = json!([
        {
            "name": "an exception in receive costs the message alone",
            "steps": [
                {"receive": {"text": "bug"}, "error": mistake_in("receive")},
                {"receive": {"text": "refuse"}, "error": "this one is of no use"},
                {"receive": {"text": "promise"}, "error": "receive returned a promise"},
                {"receive": {"text": "json"}, "error": "the content is no JSON: it is more than 128 values deep"},
                // By now another instance would not have heard of the others.
                {"receive": {"text": "count"}, "publishes": [{"text": "5 messages"}]},
            ],
        },
        {
            "name": "halves of surrogate pairs become what UTF-8 has for them",
            "steps": [
                {
                    "receive": {"text": "half"},
                    "publishes": [{"properties": {"half": "\u{fffd}"}, "text": "\u{fffd}"}],
                },
            ],
        },
        {"name": "a mistake in create", "config": "create", "create": {"error": mistake_in("create")}},
        {"name": "a refusal in create", "config": "refuse", "create": {"error": "args: I will not"}},
        {"name": "a mistake in start", "config": "start", "start": {"trap": mistake_in("start")}},
        {
            "name": "a mistake in onTimer",
            "config": "onTimer",
            "steps": [{"after": "1ms", "trap": mistake_in("onTimer")}],
        },
    ]);
    let told = passes(&scratch, &component, &scratch.write("cases.json", cases.to_string()));
    assert!(told.contains("INFO module: second bug"), "console.log is the host's log, by lines: {told}");
}
