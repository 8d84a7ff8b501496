//! Zig, by the compiler in the Python wheel `ziglang`.

use std::ffi::OsString;

use anyhow::Result;

use super::c::{provide, zig};
use super::{EXAMPLES, Language, Workshop};

/// Checked code with the names of its functions, exports that stay, a module without an end, and the stack that C has.
const FLAGS: [&str; 9] = [
    "build-exe",
    "-target",
    "wasm32-wasi",
    "-OReleaseSafe",
    "-fno-entry",
    "-rdynamic",
    "-mexec-model=reactor",
    "--stack",
    "262144",
];

pub const LANGUAGE: Language = Language { name: "zig", always: false, by_host: true, provide, build };

fn build(workshop: &Workshop<'_>) -> Result<()> {
    let bindings = workshop.bindings("zig")?;
    for name in EXAMPLES {
        let core = workshop.scratch().join(name).with_extension("core.wasm");
        let named = |option: &str, path: std::path::PathBuf| {
            let mut argument = OsString::from(option);
            argument.push(path);
            argument
        };
        let mut compiler = zig(workshop);
        compiler.args(FLAGS).args(["--dep", "sandgate"]);
        compiler.arg(named("-Mroot=", workshop.sources().join(name).with_extension("zig")));
        compiler.arg(named("-Msandgate=", bindings.join("sandgate.zig")));
        compiler.arg(named("-femit-bin=", core.clone()));
        workshop.run(&mut compiler)?;
        workshop.componentize(&core, name)?;
    }
    Ok(())
}
