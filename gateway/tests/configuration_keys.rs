//! `docs/configuration.md` has every key that the reader knows, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// How the reader asks for a key.
const ASKS: [&str; 5] = [".optional(\"", ".required(\"", ".allow(\"", ".number(\"", ".milliseconds(\""];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn keys_in_sources() -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for folder in ["src/config", "src/builtin"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") || path.ends_with("tests.rs") {
                continue;
            }
            // A call may be broken over two lines.
            let text: String = fs::read_to_string(path).unwrap().split_whitespace().collect();
            for ask in ASKS {
                let calls = text.split(ask).skip(1);
                keys.extend(calls.map(|rest| rest.split('"').next().unwrap().to_owned()));
            }
        }
    }
    keys
}

/// What stands in the first column of a table, without the way to it.
fn keys_in_document() -> BTreeSet<String> {
    let document = fs::read_to_string(root().join("../docs/configuration.md")).unwrap();
    let cells = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let cells = cells.filter(|cell| !cell.starts_with('{'));
    let bare = |cell: &str| {
        let parents = ["loader.", "launch.", "segments."];
        parents.iter().find_map(|parent| cell.strip_prefix(parent)).unwrap_or(cell).to_owned()
    };
    cells.map(bare).collect()
}

#[test]
fn the_document_has_every_key() {
    let (known, told) = (keys_in_sources(), keys_in_document());
    assert!(known.len() > 30, "the reader's keys are not found any more: {known:?}");
    assert_eq!(known.difference(&told).collect::<Vec<_>>(), Vec::<&String>::new(), "not in the document");
    assert_eq!(told.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "unknown to the reader");
}

#[test]
fn the_documents_example_can_be_used() {
    let document = fs::read_to_string(root().join("../docs/configuration.md")).unwrap();
    let example = document.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    if let Err(faults) = sandgate_gateway::config::Config::parse(example.as_bytes(), false) {
        panic!("{faults:#?}");
    }
}
