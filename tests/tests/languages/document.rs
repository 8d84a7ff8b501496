//! `docs/languages.md`: what each language costs, as it was measured. The variable `SANDGATE_BLESS` writes it anew.

use std::fmt::Write;
use std::{env, fs};

use sandgate_tests::languages::names;
use sandgate_tests::programs::workspace;
use serde_json::Value;

const HEAD: &str = "\
# Languages

A module can be written in any language that compiles to a WebAssembly component. For these there is a library that makes
the contract feel native, the same three modules as examples, and a page from nothing to a module that is tested. They are
held to the [contract](contract.md) by one suite.

What `annotate` costs in each, two cores, with the host and the gateway on them: the size of its file; the memory that an
instance has when it has been created, its own and what the host holds for it; the time from Create to its answer over
V1's control channel, the code being in the cache; the time for each message of 256 bytes when there are many, over the
host link, source and sink included; and half of the round trips when there is one. A figure is the median of some rounds,
and stands beside that of Rust in the same run.

The figures are those of 24 November 2026, five rounds. Times of different days differ more than languages close to each
other do.

```console
$ cargo xtask bench --only languages --json docs/languages.json
```

| Language | Component | Memory at rest | Created in | A message | Round trip |
|---|---:|---:|---:|---:|---:|
";

const TAIL: &str = "
This table is written from the benchmark's figures by its own test, `the_document_is_what_was_measured`, where the variable
`SANDGATE_BLESS` is set.

## What a language needs of the host

All modules run with the default limits, and all fit into the host's pool. Two things are to be known:

- **Python**: a module keeps a copy of every content that it publishes. Give it `\"recycle\": {\"memory\": \"96MiB\"}`, and
  it is [replaced](delivery.md#modules-that-fail) in time, between two messages, without loss. The first start compiles
  18 MB of code, for 13 s on an idle machine: on a small or busy one set `compile-timeout` to `300s`.
- **C, C++, Zig**: the compiler's own stack has 16 MiB, which count as every instance's memory. The
  [projects](languages/c.md#the-stack) that `wasm-host new` makes ask for 256 KiB.

A module that no place in the pool can hold is allocated on demand, and the host says so when it loads it.
";

/// The names that people know, with the pages.
const SHOWN: [(&str, &str); 8] = [
    ("rust", "[Rust](languages/rust.md)"),
    ("c", "[C](languages/c.md)"),
    ("cpp", "[C++](languages/cpp.md)"),
    ("zig", "[Zig](languages/zig.md)"),
    ("go", "[Go](languages/go.md)"),
    ("javascript", "[JavaScript](languages/javascript.md)"),
    ("typescript", "[TypeScript](languages/typescript.md)"),
    ("python", "[Python](languages/python.md)"),
];

#[test]
fn the_document_is_what_was_measured() {
    let path = workspace().join("docs/languages.md");
    let figures = fs::read(path.with_extension("json")).unwrap();
    let text = document(&serde_json::from_slice(&figures).unwrap());
    if env::var_os("SANDGATE_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let is_new = fs::read_to_string(&path).is_ok_and(|written| written == text);
    assert!(is_new, "{} is old: write it anew with SANDGATE_BLESS=1, as it says itself", path.display());
    for (_, link) in SHOWN {
        let page = link.split(['(', ')']).nth(1).unwrap();
        assert!(path.with_file_name(page).is_file(), "there is no page {page}");
    }
}

fn document(figures: &Value) -> String {
    assert_eq!(SHOWN.map(|(name, _)| name).to_vec(), names());
    let mut text = HEAD.to_owned();
    for (name, shown) in SHOWN {
        let figure = |what: &str| {
            let wanted = format!("{name}: {what}");
            let row = figures["rows"].as_array().unwrap().iter().find(|row| row["name"] == wanted);
            row.and_then(|row| row["value"].as_f64()).unwrap_or_else(|| panic!("{wanted} was not measured"))
        };
        let memory = |what| {
            let kib = figure(what);
            if kib < 1024.0 { format!("{kib:.0} KiB") } else { format!("{:.1} MiB", kib / 1024.0) }
        };
        let (component, rest) = (memory("component"), memory("memory at rest"));
        let (created, message) = (figure("created in") / 1000.0, figure("message"));
        let trip = figure("round trip p50");
        writeln!(
            text,
            "| {shown} | {component} | {rest} | {created:.1} ms | {message:.1} us | {trip:.0} us |"
        )
        .unwrap();
    }
    text + TAIL
}
