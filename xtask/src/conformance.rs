//! Conformance with V1's out-of-process module: runs the tests, lists every requirement with its result, and writes
//! `docs/conformance.md`.
//!
//! The table is the tests' own: they write the document from it, as if all of them passed. It is read here, shown, and
//! corrected where one did not.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write, stdout};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::check::name_what_was_built;
use crate::progress::{Paint, Progress};
use crate::project::Project;
use crate::tools;

const DOCUMENT: &str = "docs/conformance.md";
/// The gateway together with its tests, so that cargo unites the features of both as it does for the tests: nothing is
/// compiled twice. Nothing of the host is needed.
const GATEWAY: [&str; 6] =
    ["--package", "sandgate-gateway", "--package", "sandgate-tests", "--bin", "gateway"];
const TESTS: [&str; 4] = ["--package", "sandgate-tests", "--test", "conformance"];
const PASSES: &str = "passes";
const FAILS: &str = "FAILS";
const MISSING: &str = "HAS NO RESULT";

/// Builds the gateway and its tests, runs them, and tells the results. An error if a requirement has no test, or one
/// that fails.
pub fn run(project: &Project, progress: &mut Progress) -> Result<()> {
    let tools = tools::provide(project, progress)?;
    let cargo = |verb: &str, arguments: &[&str]| {
        let mut cargo = project.cargo();
        tools.apply(cargo.arg(verb).arg("--release").args(arguments));
        name_what_was_built(project, &mut cargo);
        cargo
    };
    progress.command("gateway", "compiling the gateway", &mut cargo("build", &GATEWAY))?;
    let mut tests = cargo("test", &TESTS);
    tests.env("SANDGATE_BLESS", "1").stdout(Stdio::piped());
    let (output, passed) =
        progress
            .step("conformance", "every requirement, with the real gateway", || run_to_end(&mut tests))?;

    let path = project.root.join(DOCUMENT);
    let document = fs::read_to_string(&path).with_context(|| format!("{DOCUMENT} cannot be read"))?;
    let (document, requirements) = judge(&document, &results(&output));
    fs::write(&path, document).with_context(|| format!("{DOCUMENT} cannot be written"))?;
    show(&requirements)?;
    let met = requirements.iter().filter(|requirement| requirement.result() == PASSES).count();
    progress.note(&format!("{met} of {} requirements are met; {DOCUMENT} is written", requirements.len()));
    if !passed || requirements.is_empty() || met < requirements.len() {
        // Why stands in the tests' own words, in an order that only they know.
        eprint!("{output}");
        bail!("not every requirement has a test that passes");
    }
    Ok(())
}

/// What the tests wrote, and whether all of them passed.
fn run_to_end(tests: &mut Command) -> Result<(String, bool)> {
    let child = tests.spawn().context("cargo cannot be run")?;
    let output = child.wait_with_output().context("cargo cannot be waited for")?;
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success()))
}

/// Results by the tests' names, from lines such as `test table::tests::NAME ... ok`.
fn results(output: &str) -> HashMap<&str, &'static str> {
    let lines = output.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "));
    let name = |path| str::rsplit(path, "::").next().unwrap_or(path);
    lines.map(|(path, result)| (name(path), if result == "ok" { PASSES } else { FAILS })).collect()
}

/// A row of the document.
#[derive(Debug, Eq, PartialEq)]
struct Requirement<'a> {
    number: &'a str,
    line: &'a str,
    /// With their results.
    tests: Vec<(&'a str, &'static str)>,
}

impl<'a> Requirement<'a> {
    /// A row such as `| 17_001 | line | `test`, `test` | passes |`; nothing for any other line.
    fn read(row: &'a str, results: &HashMap<&str, &'static str>) -> Option<Self> {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let ["", number, line, tests, _, ""] = cells[..] else { return None };
        let is_number = number.starts_with(|first: char| first.is_ascii_digit());
        let names = tests.split(", ").map(|name| name.trim_matches('`'));
        let tests = names.map(|name| (name, results.get(name).copied().unwrap_or(MISSING))).collect();
        is_number.then_some(Self { number, line, tests })
    }

    /// The worst of its tests' results.
    fn result(&self) -> &'static str {
        let of_no_success = self.tests.iter().map(|(_, result)| *result).find(|result| *result != PASSES);
        of_no_success.unwrap_or(PASSES)
    }

    fn row(&self) -> String {
        let names: Vec<_> = self.tests.iter().map(|(name, _)| format!("`{name}`")).collect();
        format!("| {} | {} | {} | {} |", self.number, self.line, names.join(", "), self.result())
    }
}

/// The document with the results in it, and its requirements.
fn judge<'a>(document: &'a str, results: &HashMap<&str, &'static str>) -> (String, Vec<Requirement<'a>>) {
    let mut requirements = Vec::new();
    let mut judged = String::new();
    for line in document.lines() {
        match Requirement::read(line, results) {
            Some(requirement) => {
                judged += &requirement.row();
                requirements.push(requirement);
            }
            None => judged += line,
        }
        judged.push('\n');
    }
    (judged, requirements)
}

/// The list, on standard output.
fn show(requirements: &[Requirement<'_>]) -> io::Result<()> {
    let paint = Paint::on(&stdout());
    let mut out = stdout().lock();
    for Requirement { number, line, tests } in requirements {
        writeln!(out, "{} {}", paint.bold(number), line.replace('*', ""))?;
        for (name, result) in tests {
            let result = if *result == PASSES { paint.green(result) } else { paint.red(result) };
            writeln!(out, "       {result} {name}")?;
        }
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::{FAILS, MISSING, PASSES, judge, results};

    const OUTPUT: &str = "\
running 3 tests
test table::tests::a_one ... ok
test table::tests::b_one ... FAILED
test table::tests::b_two ... ok

test result: FAILED. 2 passed; 1 failed
";

    #[test]
    fn results_stand_behind_the_names() {
        let results = results(OUTPUT);
        assert_eq!(results.len(), 3);
        assert_eq!((results["a_one"], results["b_one"], results["b_two"]), (PASSES, FAILS, PASSES));
    }

    #[test]
    fn a_document_is_corrected_by_the_results_and_otherwise_left_as_it_is() {
        let document = "\
# Title

| Number | Requirement | Tests | Result |
|---|---|---|---|
| 1 | First. | `a_one` | passes |
| 2 | Second. | `b_two`, `b_one` | passes |
| 3 | Third. | `c_one` | passes |
";
        let (judged, requirements) = judge(document, &results(OUTPUT));
        let outcomes: Vec<_> = requirements.iter().map(|requirement| requirement.result()).collect();
        assert_eq!(outcomes, [PASSES, FAILS, MISSING]);
        let wanted = document
            .replace("`b_one` | passes", &format!("`b_one` | {FAILS}"))
            .replace("`c_one` | passes", &format!("`c_one` | {MISSING}"));
        assert_eq!(judged, wanted);
    }
}
