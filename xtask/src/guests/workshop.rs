//! Where the modules of one language are made: its folders, and the steps that several languages have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::EXAMPLES;
use crate::progress::run;
use crate::project::Project;

/// The folders of one language.
pub struct Workshop<'a> {
    /// The repository.
    pub project: &'a Project,
    language: &'static str,
}

impl<'a> Workshop<'a> {
    /// Where they are, or would be.
    pub fn of(project: &'a Project, language: &'static str) -> Self {
        Workshop { project, language }
    }

    /// Makes the folders.
    pub fn open(project: &'a Project, language: &'static str) -> Result<Self> {
        let workshop = Self::of(project, language);
        for folder in [workshop.finished(), workshop.scratch()] {
            fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        Ok(workshop)
    }

    /// The sources: `guest-modules/LANGUAGE`.
    pub fn sources(&self) -> PathBuf {
        self.project.root.join("guest-modules").join(self.language)
    }

    /// What is only needed while building.
    pub fn scratch(&self) -> PathBuf {
        self.project.guests().join("build").join(self.language)
    }

    /// A finished component.
    pub fn component(&self, name: &str) -> PathBuf {
        self.finished().join(name).with_extension("wasm")
    }

    /// Runs a command that belongs to this language.
    pub fn run(&self, command: &mut Command) -> Result<()> {
        run(self.language, command)
    }

    /// Writes the bindings of a language into a folder of the scratch folder, as an author does.
    pub fn bindings(&self, language: &str) -> Result<PathBuf> {
        let folder = self.scratch().join(format!("sandgate-{language}"));
        // Every source in it is compiled, also one that there was yesterday.
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be emptied", folder.display()))?;
        }
        let mut command = self.wasm_host();
        command.args(["bindings", language]).arg(&folder).stdout(std::process::Stdio::null());
        self.run(&mut command)?;
        Ok(folder)
    }

    /// Makes a finished component of a core module, as an author does. It keeps the names of its functions.
    pub fn componentize(&self, core: &Path, name: &str) -> Result<()> {
        let mut command = self.wasm_host();
        self.run(
            command
                .args(["componentize", "--strip-debug"])
                .arg(core)
                .arg("--output")
                .arg(self.component(name)),
        )
    }

    /// The examples' sizes, for the summary.
    pub fn sizes(&self) -> Result<String> {
        let size = |name: &&str| {
            let path = self.component(name);
            let file = fs::metadata(&path).with_context(|| format!("{} was not built", path.display()))?;
            anyhow::Ok(format!("{name} {} KB", file.len().div_ceil(1000)))
        };
        Ok(EXAMPLES.iter().map(size).collect::<Result<Vec<_>>>()?.join(", "))
    }

    fn finished(&self) -> PathBuf {
        self.project.guests().join("languages").join(self.language)
    }

    fn wasm_host(&self) -> Command {
        Command::new(self.project.programs().join("wasm-host"))
    }
}
