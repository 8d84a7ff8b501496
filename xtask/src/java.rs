//! Builds the library for Java programs, its sample and its tests, with nothing but a JDK; skipped where there is none.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::progress::{Progress, run as run_command};
use crate::project::Project;

/// The oldest Java that has everything: Unix domain sockets, records and sealed interfaces.
const OLDEST: u32 = 17;
const RUNNER: &str = "io.sandgate.remote.testing.Runner";

/// A JDK that is new enough.
struct Jdk {
    /// Where its programs are; without it they are on `PATH`.
    home: Option<PathBuf>,
    version: u32,
}

/// Builds everything and runs the tests, if there is a JDK; if not, says so, which is no failure.
pub fn check(project: &Project, progress: &mut Progress) -> Result<()> {
    let jdk = match Jdk::find() {
        Ok(jdk) => jdk,
        Err(reason) => {
            progress.note(&format!("java: skipped, for {reason}"));
            return Ok(());
        }
    };
    let build = Build { project, jdk };
    let target = project.target.join("java");
    progress.step("java", "compiling the library for Java programs, and its sample", || {
        let classes = build.compile("remote/java/src/main/java", "classes", &[])?;
        build.archive(&classes)?;
        build.compile("samples/java_remote", "samples", &[&build.library()])?;
        build.compile("remote/java/src/test/java", "test-classes", &[&classes]).map(drop)
    })?;
    let mut tests = build.jdk.command("java");
    tests.arg("-cp").arg(class_path(&[&target.join("classes"), &target.join("test-classes")])?).arg(RUNNER);
    progress.command(
        "java tests",
        "codecs, sockets, and modules with a gateway that is played",
        &mut tests,
    )?;
    progress.note(&format!("{}", project.shown(&build.library())));
    Ok(())
}

impl Jdk {
    /// The JDK of `JAVA_HOME`, else the one on `PATH`; or why neither will do.
    fn find() -> Result<Self, String> {
        let home = env::var_os("JAVA_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let jdk = Self { home, version: 0 };
        let mend = format!("install a JDK of version {OLDEST} or newer, or name it in JAVA_HOME");
        let output = jdk.command("javac").arg("-version").output();
        let Some(output) = output.ok().filter(|output| output.status.success()) else {
            return Err(format!("there is no `javac` that runs; {mend}"));
        };
        // `javac 17.0.1`; very old ones say it on standard error.
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        match version(&text) {
            Some(version) if version >= OLDEST => Ok(Self { version, ..jdk }),
            Some(version) => Err(format!("this JDK has version {version}; {mend}")),
            None => Err(format!("`javac -version` says {:?}; {mend}", text.trim())),
        }
    }

    fn command(&self, program: &str) -> Command {
        match &self.home {
            Some(home) => Command::new(home.join("bin").join(program)),
            None => Command::new(program),
        }
    }
}

/// The major version in what `javac -version` says; before 9 it stood behind a `1.`.
fn version(text: &str) -> Option<u32> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix("javac "))?;
    let mut numbers = line.split(|character: char| !character.is_ascii_digit()).map(str::parse);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        major => Some(major),
    }
}

struct Build<'a> {
    project: &'a Project,
    jdk: Jdk,
}

impl Build<'_> {
    /// The library as programs use it.
    fn library(&self) -> PathBuf {
        self.folder("sandgate-remote.jar")
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.project.target.join("java").join(name)
    }

    /// Compiles all sources of a folder to a folder of its own.
    fn compile(&self, sources: &str, to: &str, class_paths: &[&Path]) -> Result<PathBuf> {
        let to = self.folder(to);
        // Classes whose source is no more would still be found.
        if to.exists() {
            fs::remove_dir_all(&to).with_context(|| format!("{} cannot be removed", to.display()))?;
        }
        let mut javac = self.jdk.command("javac");
        javac.args(["--release", &OLDEST.to_string(), "-encoding", "UTF-8"]);
        javac.args(["-Xlint:all", "-Xdoclint:all/protected", "-d"]).arg(&to);
        // A newer compiler may warn of more, which is no reason not to build.
        if self.jdk.version == OLDEST {
            javac.arg("-Werror");
        }
        if !class_paths.is_empty() {
            javac.arg("-cp").arg(class_path(class_paths)?);
        }
        let sources = java_files(&self.project.root.join(sources))?;
        run_command("java", javac.args(sources))?;
        Ok(to)
    }

    fn archive(&self, classes: &Path) -> Result<()> {
        let mut jar = self.jdk.command("jar");
        jar.args(["--create", "--file"]).arg(self.library()).arg("-C").arg(classes).arg(".");
        run_command("java", &mut jar)
    }
}

fn class_path(parts: &[&Path]) -> Result<OsString> {
    env::join_paths(parts).context("the target directory's name cannot stand in a class path: it has a colon")
}

/// All sources below a folder, in order.
fn java_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "java") {
                files.push(path);
            }
        }
    }
    if files.is_empty() {
        bail!("there are no sources in {}", folder.display());
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_read_whatever_their_form() {
        assert_eq!(version("javac 17.0.15\n"), Some(17));
        assert_eq!(version("javac 25"), Some(25));
        assert_eq!(version("javac 21-ea\n"), Some(21));
        assert_eq!(version("javac 1.8.0_392\n"), Some(8));
        assert_eq!(version("Picked up JAVA_TOOL_OPTIONS: -Dx\njavac 17.0.1\n"), Some(17));
        assert_eq!(version("no javac here"), None);
        assert_eq!(version(""), None);
    }
}
