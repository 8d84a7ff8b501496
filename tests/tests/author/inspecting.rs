//! `wasm-host inspect`.

use std::fs;

use sandgate_tests::scratch::Scratch;
use serde_json::Value;

use crate::tool::{Answer, guest, wasm_host};

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.out).unwrap()
}

#[test]
fn a_module_is_told_with_its_world_its_imports_and_its_tools() {
    let scratch = Scratch::new();
    let found =
        json(&wasm_host(&scratch, &["inspect", &guest("modules/sampler"), "--json"], "").ended_with(0));
    assert_eq!(found["kind"], "component");
    assert_eq!(found["world"], "sandgate:gateway/gateway-module-timers@0.1.0");
    assert_eq!(found["optional_interfaces"][0], "sandgate:gateway/timer-handler@0.1.0");
    assert_eq!(found["digest"].as_str().unwrap().len(), 64);
    let access = |found: &Value, name: &str| {
        let imports = found["imports"].as_array().unwrap();
        let import = imports.iter().find(|import| import["name"].as_str().unwrap().starts_with(name));
        import.map(|import| import["access"].as_str().unwrap().to_owned())
    };
    assert_eq!(access(&found, "sandgate:gateway/timers@").as_deref(), Some("given"));
    assert_eq!(access(&found, "sandgate:gateway/segments@"), None);
    assert!(found["memories"][0]["initial"].as_u64().unwrap() > 0);
    // In bytes, not in pages: Rust's stack alone is a mebibyte.
    assert!(found["loading"]["loads"]["largest_memory"].as_u64().unwrap() > 1 << 20, "{}", found["loading"]);
    let producers = found["producers"].as_array().unwrap();
    assert!(producers.iter().any(|producer| producer["role"] == "language" && producer["name"] == "Rust"));
    assert_eq!(found["loading"]["loads"]["memories"], 1);
    let camera =
        json(&wasm_host(&scratch, &["inspect", &guest("modules/camera"), "--json"], "").ended_with(0));
    assert_eq!(access(&camera, "sandgate:gateway/segments@").as_deref(), Some("by-grant"));
}

#[test]
fn people_get_a_table() {
    let scratch = Scratch::new();
    let told = wasm_host(&scratch, &["inspect", &guest("modules/annotate")], "").ended_with(0);
    for text in [
        "world            sandgate:gateway/gateway-module@0.1.0",
        "language         Rust",
        "loads            yes",
    ] {
        assert!(told.out.contains(text), "{}", told.out);
    }
}

#[test]
fn what_this_host_cannot_load_is_told_with_the_reason() {
    let scratch = Scratch::new();
    let core = scratch.write("core.wasm", b"\0asm\x01\0\0\0");
    let found = wasm_host(&scratch, &["inspect", core.to_str().unwrap()], "").ended_with(1);
    assert!(found.out.contains("core module") && found.out.contains("no: "), "{}", found.out);
    let cut = scratch.write("cut.wasm", &fs::read(guest("modules/echo")).unwrap()[..5000]);
    let found = json(&wasm_host(&scratch, &["inspect", cut.to_str().unwrap(), "--json"], "").ended_with(1));
    assert!(found["broken"].is_string() && found["loading"]["refused"].is_string(), "{found}");
    wasm_host(&scratch, &["inspect", "absent.wasm"], "").ended_with(64);
    let small = ["inspect", &guest("modules/echo"), "-W", "max-component-size=4096"];
    wasm_host(&scratch, &small, "").ended_with(64);
}

/// Whatever misbehaves when it runs does nothing when it is looked at.
#[test]
fn components_that_lie_about_themselves_are_looked_at() {
    let scratch = Scratch::new();
    for name in
        ["lying_pointers", "lying_realloc", "many_memories", "many_tables", "spin_create", "trap_create"]
    {
        let found = wasm_host(&scratch, &["inspect", &guest(&format!("fixtures/{name}")), "--json"], "");
        let found = json(&found);
        assert_eq!((&found["kind"], &found["broken"]), (&Value::from("component"), &Value::Null), "{name}");
    }
}
