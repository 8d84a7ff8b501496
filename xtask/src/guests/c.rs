//! C, by the compiler in the Python wheel `ziglang`: it is clang, with the C library for WASI.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{EXAMPLES, Language, Workshop};
use crate::tools::wheel::Wheel;

/// The wheel, which C++ and Zig have too.
pub const ZIG: Wheel = Wheel {
    name: "ziglang",
    version: "0.17.0",
    binary: "ziglang/zig",
    ask: "version",
    instead: "there is no other way yet",
};

/// The flags of C and C++: small code in which `assert` holds, functions with their names, which come with `-g`, and a
/// module that stays after `_initialize`.
pub const FLAGS: [&str; 8] =
    ["-target", "wasm32-wasi", "-Os", "-UNDEBUG", "-g", "-mexec-model=reactor", "-Wall", "-Werror"];

/// What the linker is told: a stack of 256 KiB, for the compiler's own 16 MiB count as every instance's memory. It lies
/// before everything else, so that what overflows it traps.
pub const STACK: &str = "-Wl,-z,stack-size=262144";

/// A module for V1's native gateway, whose source is taken as it is.
const V1_MODULE: &str = "native/tests/c/fixture.c";

pub const LANGUAGE: Language = Language { name: "c", always: true, by_host: true, provide, build };

/// Provides the compiler.
pub fn provide(workshop: &Workshop<'_>) -> Result<Vec<PathBuf>> {
    ZIG.provide(workshop.project)?;
    Ok(vec![ZIG.folder(workshop.project)])
}

fn build(workshop: &Workshop<'_>) -> Result<()> {
    let bindings = workshop.bindings("c")?;
    for name in EXAMPLES {
        let source = workshop.sources().join(name).with_extension("c");
        component(workshop, name, &source, &bindings)?;
    }
    component(workshop, "v1", &workshop.project.root.join(V1_MODULE), &workshop.bindings("c-v1")?)
}

/// Compiles one source file with the bindings.
fn component(workshop: &Workshop<'_>, name: &str, source: &Path, bindings: &Path) -> Result<()> {
    let core = workshop.scratch().join(name).with_extension("core.wasm");
    let mut compiler = zig(workshop);
    compiler.arg("cc").args(FLAGS).args([STACK, "-I"]).arg(bindings).arg(source);
    workshop.run(compiler.args(sources(bindings)?).arg("-o").arg(&core))?;
    workshop.componentize(&core, name)
}

/// The compiler, with its cache in the target directory.
pub fn zig(workshop: &Workshop<'_>) -> Command {
    let tools = workshop.project.tools();
    let mut zig = Command::new(ZIG.folder(workshop.project).join(ZIG.binary));
    zig.env("ZIG_GLOBAL_CACHE_DIR", tools.join("zig-cache"));
    zig.env("ZIG_LOCAL_CACHE_DIR", tools.join("zig-cache"));
    zig
}

/// The C files of a folder, in order.
pub fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let files = std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let paths: Result<Vec<_>, _> = files.map(|file| file.map(|file| file.path())).collect();
    let mut paths = paths?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    paths.sort();
    Ok(paths)
}
