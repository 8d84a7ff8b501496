//! Every code block of the book and of the README is used by a test, which is named here. A block that is new, or one that
//! is gone, is a failure; so is a test that is gone.
//!
//! Commands are told apart by `documents.rs`. A block that a test uses is read by it from the document itself.

use std::collections::BTreeMap;
use std::fs;

use sandgate_tests::book::{blocks, documents};
use sandgate_tests::programs::workspace;

const PAGES: &str = "tests/tests/end_to_end/documents.rs: the_modules_on_the_pages_are_those_of_new_projects";
const PROJECTS: &str = "tests/tests/languages/projects.rs: a_new_project_works";
const README: &str = "tests/tests/end_to_end/documents.rs: the_two_terminals_work_as_they_are_written";
const FIRST: &str = "tests/tests/end_to_end/first_module.rs: the_module_in_the_readme_builds_and_works";
const ENTRIES: &str = "tests/tests/end_to_end/shown.rs: the_entries_of_modules_run";
const HOSTS: &str = "tests/tests/end_to_end/shown.rs: the_configurations_of_hosts_run";

/// The blocks of a language in a document: how many, and the test that uses them.
const USED: &[(&str, &str, usize, &str)] = &[
    ("README.md", "text", 2, README),
    ("README.md", "json", 1, README),
    ("README.md", "rust", 1, FIRST),
    ("README.md", "toml", 1, FIRST),
    (
        "docs/configuration.md",
        "json",
        1,
        "tests/tests/end_to_end/shown.rs: the_configuration_of_a_gateway_runs",
    ),
    ("docs/delivery.md", "json", 1, HOSTS),
    ("docs/host-link.md", "text", 1, "wire/tests/link_wire_bytes.rs: frames"),
    ("docs/languages/c.md", "c", 1, PAGES),
    ("docs/languages/cpp.md", "cpp", 1, PAGES),
    ("docs/languages/go.md", "go", 1, PAGES),
    ("docs/languages/javascript.md", "js", 1, PAGES),
    (
        "docs/languages/javascript.md",
        "text",
        1,
        "tests/tests/languages/failures.rs: a_failure_in_javascript_names_its_function_and_line",
    ),
    ("docs/languages/python.md", "json", 1, HOSTS),
    ("docs/languages/python.md", "python", 1, PAGES),
    ("docs/languages/python.md", "python", 1, PROJECTS),
    (
        "docs/languages/python.md",
        "text",
        1,
        "tests/tests/languages/failures.rs: a_failure_in_python_names_its_function_and_line",
    ),
    ("docs/languages/rust.md", "rust", 1, PAGES),
    ("docs/languages/typescript.md", "ts", 1, PAGES),
    ("docs/languages/typescript.md", "ts", 1, PROJECTS),
    ("docs/languages/zig.md", "zig", 1, PAGES),
    ("docs/native.md", "json", 1, ENTRIES),
    ("docs/segments.md", "json", 1, ENTRIES),
    (
        "docs/testing.md",
        "json",
        4,
        "tests/tests/author/testing.rs: the_examples_in_the_document_are_messages_and_cases_that_pass",
    ),
    ("docs/v1.md", "json", 2, ENTRIES),
    (
        "docs/verdicts.md",
        "json",
        1,
        "host/tests/verdicts.rs: the_document_describes_every_field_and_its_example_is_a_verdict",
    ),
];

/// Blocks that there is nothing to be done with, and why.
const UNUSED: &[(&str, &str, usize, &str)] = &[("README.md", "text", 1, "a picture")];

#[test]
fn every_block_of_the_book_is_used() {
    let mut found = BTreeMap::new();
    for document in documents() {
        let document = document.strip_prefix(workspace()).unwrap().to_str().unwrap();
        if document != "README.md" && !document.starts_with("docs/") {
            continue;
        }
        for block in blocks(document) {
            if block.language == "console" {
                let is_command = |line: &str| line.starts_with("$ ");
                assert!(block.text.lines().all(is_command), "{document}: no command:\n{}", block.text);
            } else {
                *found.entry((document.to_owned(), block.language)).or_insert(0) += 1;
            }
        }
    }
    let mut known = BTreeMap::new();
    for (document, language, count, _) in USED.iter().chain(UNUSED) {
        *known.entry(((*document).to_owned(), (*language).to_owned())).or_insert(0) += count;
    }
    assert_eq!(found, known, "left: the blocks that there are; right: those that are listed with a test");
    for (document, _, _, test) in USED {
        let (file, name) = test.split_once(": ").unwrap();
        let source = fs::read_to_string(workspace().join(file)).unwrap();
        assert!(source.contains(&format!("fn {name}(")), "{document}: there is no {test}");
    }
}
