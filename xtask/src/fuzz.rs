//! Throws arbitrary bytes at the fuzz targets, guided by coverage.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::progress::Progress;
use crate::project::Project;
use crate::{check, guests, tools};

/// The largest input in bytes: enough for every layout, and small inputs run faster.
const LONGEST: &str = "-max_len=4096";
/// The same where the input is a script: a hundred steps and more.
const LONGEST_SCRIPT: &str = "-max_len=512";
const SCRIPTS: [&str; 3] = ["link-lanes", "ring", "session"];
/// No input takes so many seconds; one that does is a finding.
const SLOWEST: &str = "-timeout=25";

/// What came of one target.
struct Outcome {
    target: String,
    runs: String,
    per_second: String,
    inputs: usize,
    findings: Vec<PathBuf>,
}

/// Runs one target, or one after the other. `keep` adds to the committed corpus what reaches more of the code.
pub fn run(
    project: &Project,
    progress: &mut Progress,
    target: Option<&str>,
    runs: u64,
    keep: bool,
) -> Result<()> {
    let mut targets = targets(project)?;
    if let Some(target) = target {
        if !targets.iter().any(|known| known == target) {
            bail!("there is no target `{target}`; there are {}", targets.join(", "));
        }
        targets.retain(|known| known == target);
    }
    build(project, progress)?;
    let outcomes: Result<Vec<_>> =
        targets.into_iter().map(|target| throw(project, progress, target, runs)).collect();
    let outcomes = outcomes?;
    println!("{:<16} {:>12} {:>14} {:>8} {:>9}", "target", "runs", "runs a second", "inputs", "findings");
    for Outcome { target, runs, per_second, inputs, findings } in &outcomes {
        println!("{target:<16} {runs:>12} {per_second:>14} {inputs:>8} {:>9}", findings.len());
    }
    let findings: Vec<_> = outcomes.iter().flat_map(|outcome| &outcome.findings).collect();
    for finding in &findings {
        println!("found: {}", project.shown(finding));
    }
    if !findings.is_empty() {
        bail!("{} inputs break something; the logs beside them say what", findings.len());
    }
    if keep {
        outcomes.iter().try_for_each(|outcome| keep_inputs(project, progress, &outcome.target))?;
    }
    Ok(())
}

/// Adds the inputs that reach what no committed one does to the corpus that ordinary tests replay: the fewest and
/// shortest that reach all of it. How often an input reaches something is for the fuzzer, not for these.
fn keep_inputs(project: &Project, progress: &mut Progress, target: &str) -> Result<()> {
    let folder = project.target.join("fuzz").join(target);
    let mut fuzzer = fuzzer(project, target);
    fuzzer.stderr(File::create(folder.join("merge.log"))?);
    fuzzer.args(["-set_cover_merge=1", "-use_counters=0", longest(target)]);
    fuzzer.arg(committed(project, target)).arg(folder.join("corpus"));
    progress.command("keep", &format!("{target}, what reaches more than the corpus"), &mut fuzzer)
}

fn longest(target: &str) -> &'static str {
    if SCRIPTS.contains(&target) { LONGEST_SCRIPT } else { LONGEST }
}

fn committed(project: &Project, target: &str) -> PathBuf {
    project.root.join("fuzz/corpus").join(target)
}

fn fuzzer(project: &Project, target: &str) -> Command {
    let mut fuzzer = Command::new(project.programs().join("fuzz"));
    check::name_what_was_built(project, &mut fuzzer);
    fuzzer.env("SANDGATE_FUZZ_TARGET", target);
    fuzzer
}

/// The targets have their names from their corpora.
fn targets(project: &Project) -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for path in files(&project.root.join("fuzz/corpus"))? {
        targets.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
    }
    Ok(targets)
}

/// Builds the fuzzer. Coverage is for the workspace's own crates: the others, Wasmtime above all, are those of
/// the ordinary build. So this selects the whole workspace as well, see `binaries::build`.
fn build(project: &Project, progress: &mut Progress) -> Result<()> {
    let tools = tools::provide(project, progress)?;
    guests::rust::build(project, progress)?;
    let mut cargo = project.cargo();
    cargo.args([
        "build",
        "--release",
        "--workspace",
        "--bin",
        "fuzz",
        "--features",
        "sandgate-fuzz/libfuzzer",
    ]);
    cargo.env("RUSTC_WORKSPACE_WRAPPER", project.root.join("fuzz/instrument"));
    progress.command("fuzzer", "compiling the targets with coverage", tools.apply(&mut cargo))
}

fn throw(project: &Project, progress: &mut Progress, target: String, runs: u64) -> Result<Outcome> {
    let folder = project.target.join("fuzz").join(&target);
    let [corpus, findings] = [folder.join("corpus"), folder.join("findings")];
    for folder in [&corpus, &findings] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let log = folder.join("log");
    let mut fuzzer = fuzzer(project, &target);
    fuzzer.stderr(File::create(&log)?);
    fuzzer.args([&format!("-runs={runs}"), longest(&target), SLOWEST, "-print_final_stats=1"]);
    fuzzer.arg(format!("-artifact_prefix={}/", findings.display()));
    let dictionary = project.root.join("fuzz/dictionaries").join(&target);
    if dictionary.exists() {
        fuzzer.arg(format!("-dict={}", dictionary.display()));
    }
    // New inputs go to the first.
    fuzzer.arg(&corpus).arg(committed(project, &target));
    let done = progress.command("fuzz", &format!("{target}, {runs} runs"), &mut fuzzer);
    let findings = files(&findings)?;
    // Ended by what it found; anything else is a failure of the chore.
    if findings.is_empty() {
        done.with_context(|| format!("see {}", project.shown(&log)))?;
    }
    let text = fs::read_to_string(&log)?;
    let statistic = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
        line.unwrap_or(":?").trim_start_matches(':').trim().to_owned()
    };
    Ok(Outcome {
        runs: statistic("number_of_executed_units"),
        per_second: statistic("average_exec_per_sec"),
        inputs: files(&corpus)?.len(),
        target,
        findings,
    })
}

/// What is in a folder, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}
