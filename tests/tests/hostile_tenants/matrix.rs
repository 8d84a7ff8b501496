//! `docs/hostile-tenants.md`: the table of tenants as a document. The variable `SANDGATE_BLESS` writes it anew.

use std::fmt::Write;
use std::mem::discriminant;
use std::{env, fs};

use sandgate_tests::programs::{command, program, workspace};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::tenants::{End, Tenant, When, all};
use serde_json::Value;

const HEAD: &str = "\
# Hostile tenants

Modules that misbehave, each in one way, and what Sandgate does about it. Each line is a test with real processes
(`tests/tests/hostile_tenants`): the module with a neighbour in one `wasm-host`, a neighbour in another `wasm-host`, a
gateway between them and the modules that the test plays. In every one of them

- the gateway and the hosts live, and stop in good order when they are asked to;
- the numbered messages of both neighbours come back, each, once, in order, before, during and after;
- where the module can be created anew, it is, in its host, and does what it should again.

The values are the limits' defaults; `wasm-host limits` shows them all, with what each one bounds. What the neighbours
notice in time is the 99th percentile of a neighbour's round trips while the module attacks, a message a millisecond, beside
the same a moment before it begins: two cores, with a gateway and one or two hosts on them, medians of some rounds. It is
measured by

```console
$ cargo xtask bench --only hostile --json docs/hostile-tenants.json
```

This page is written from those figures and the table in `tests/src/tenants`: by its own test,
`the_document_is_what_the_table_says`, where the variable `SANDGATE_BLESS` is set.

";

#[test]
fn the_document_is_what_the_table_says() {
    let (path, text) = (workspace().join("docs/hostile-tenants.md"), document(&defaults(), &measured()));
    if env::var_os("SANDGATE_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let mend = "write it anew with SANDGATE_BLESS=1, as it says itself";
    assert!(
        fs::read_to_string(&path).is_ok_and(|written| written == text),
        "{} is old: {mend}",
        path.display()
    );
}

/// The limits' names, between backticks, with their defaults: as the host itself shows them.
fn defaults() -> Vec<(String, String)> {
    let scratch = Scratch::new();
    let output = command(&scratch, program("wasm-host")).arg("limits").output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let rows = table.lines().skip(2).map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let rows: Vec<_> = rows.map(|cells| (cells[1].to_owned(), cells[3].to_owned())).collect();
    let common = rows.iter().find(|(name, _)| name == "`timeout`").unwrap().1.clone();
    let shown = |default: String| if default == "as `timeout`" { common.clone() } else { default };
    rows.into_iter().map(|(name, default)| (name, shown(default))).collect()
}

/// The rows of the benchmark.
fn measured() -> Vec<Value> {
    let text = fs::read(workspace().join("docs/hostile-tenants.json")).unwrap();
    let document: Value = serde_json::from_slice(&text).unwrap();
    document["rows"].as_array().unwrap().clone()
}

fn document(defaults: &[(String, String)], measured: &[Value]) -> String {
    let mut text = HEAD.to_owned();
    let parts = [
        ("While it is loaded", When::Loaded),
        ("While it is created", When::Created),
        ("From its start on", When::Started),
        ("While it receives a message", When::Received("", 0)),
        ("While it is destroyed", When::Destroyed),
    ];
    for (title, part) in parts {
        let belongs = |tenant: &Tenant| discriminant(&tenant.when) == discriminant(&part);
        writeln!(text, "## {title}\n").unwrap();
        text.push_str(
            "| Module | Behaviour | What stops it | What comes of it | Neighbour in the same host \
             | Neighbour in another host |\n",
        );
        text.push_str("|---|---|---|---|---|---|\n");
        for (name, tenant) in all().iter().filter(|(_, tenant)| belongs(tenant)) {
            let stops = defaults.iter().fold(tenant.stopped_by.to_owned(), |text, (name, default)| {
                text.replace(name, &format!("{name} ({default})"))
            });
            let (does, outcome) = (tenant.does, outcome(tenant));
            let [same, other] =
                ["the same host", "another host"].map(|place| noticed(tenant, name, place, measured));
            writeln!(text, "| `{name}` | {does} | {stops} | {outcome} | {same} | {other} |").unwrap();
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn outcome(tenant: &Tenant) -> &'static str {
    match tenant.end {
        End::Unusable(_) => {
            "a host for it alone does not start; in a host with others it is left out, and they run"
        }
        End::Refused(_) => "it is not created; the gateway tries again later",
        End::Ended(_) if tenant.when == When::Destroyed => "the instance is gone, as it was to be",
        End::Ended(_) => "the instance is gone; its host creates a new one",
        End::Told(_) => "it is told by an error and lives on",
        End::Logged(_) => "a line in the log; it lives on",
        End::Unharmed => "it lives on",
    }
}

fn noticed(tenant: &Tenant, name: &str, place: &str, measured: &[Value]) -> String {
    let text =
        if tenant.is_busy { "loses nothing; shares the processors until then" } else { "loses nothing" };
    let wanted = format!("round trip p99 beside {name} in {place}");
    let row = measured.iter().find(|row| row["name"] == *wanted);
    let milliseconds = |key: &str| row.and_then(|row| row[key].as_f64()).map(|value| value / 1000.0);
    match (milliseconds("value"), milliseconds("reference")) {
        (Some(beside), Some(alone)) => format!("{text}; {beside:.2} ms, alone {alone:.2} ms"),
        _ => format!("{text}; not measured yet"),
    }
}
