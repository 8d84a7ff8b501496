//! That the table is whole, and that `docs/conformance.md` is what it says. The variable `SANDGATE_BLESS` writes the
//! document anew.

use std::fmt::Write;
use std::{env, fs};

use sandgate_tests::programs::workspace;

use crate::table::{Requirement, SECTIONS};

const HEAD: &str = "\
# Conformance of out-of-process modules

V1's document of the out-of-process module has 60 requirements, `SRS_OUTPROCESS_MODULE_` with a number. Each line is one
of them, in our own words and in the document's order, with its tests. They run the program `gateway` and play the hosts
of its modules over real sockets, recording what comes over the control and the message channel.

V1 is written in C. Where its form has no counterpart here, such as a NULL handle, *read as* says what stands for it;
where a number speaks of means alone, such as a lock, it says what they are for, and that is tested.

```console
$ cargo xtask conformance
```

runs the tests and writes this page from the table in `tests/tests/conformance/table.rs` and the results. The test
`the_document_is_what_the_table_says` holds the page to the table, with every test passing.

";

#[test]
fn every_number_stands_in_the_table_once_and_in_the_names_of_its_tests() {
    let requirements = || SECTIONS.iter().flat_map(|section| section.requirements);
    let mut numbers: Vec<_> = requirements().map(|requirement| requirement.number).collect();
    numbers.sort_unstable();
    // V1's document goes to 60 and then on with 24_061; a 17_035 it has not.
    let wanted = (1..=60).filter(|number| *number != 35).map(|number| format!("17_{number:03}"));
    assert!(numbers.iter().copied().eq(wanted.chain(["24_061".to_owned()])), "{numbers:?}");
    for Requirement { number, tests, .. } in requirements() {
        let prefix = format!("srs_outprocess_module_{number}_");
        assert!(tests.iter().all(|test| test.starts_with(&prefix)), "{tests:?} for {number}");
    }
}

#[test]
fn the_document_is_what_the_table_says() {
    let (path, text) = (workspace().join("docs/conformance.md"), document());
    if env::var_os("SANDGATE_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "{} is old: write it anew with `cargo xtask conformance`", path.display());
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    for section in SECTIONS {
        writeln!(text, "## {}\n", section.title).unwrap();
        text.push_str("| Number | Requirement | Tests | Result |\n|---|---|---|---|\n");
        for Requirement { number, line, reading, tests } in section.requirements {
            let reading = if reading.is_empty() { String::new() } else { format!(" *Read as:* {reading}") };
            let tests: Vec<_> = tests.iter().map(|test| format!("`{test}`")).collect();
            writeln!(text, "| {number} | {line}{reading} | {} | passes |", tests.join(", ")).unwrap();
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}
