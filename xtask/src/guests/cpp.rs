//! C++, by the compiler that C has, over the SDK for C.

use anyhow::Result;

use super::c::{FLAGS, STACK, provide, sources, zig};
use super::{EXAMPLES, Language, Workshop};

pub const LANGUAGE: Language = Language { name: "cpp", always: false, by_host: true, provide, build };

fn build(workshop: &Workshop<'_>) -> Result<()> {
    let bindings = workshop.bindings("cpp")?;
    // C has no flags of C++, and the other way round: so its files are compiled before.
    let mut objects = Vec::new();
    for source in sources(&bindings)? {
        let object = source.with_extension("o");
        let mut compiler = zig(workshop);
        compiler.arg("cc").args(FLAGS).arg("-c").arg(source).arg("-o").arg(&object);
        workshop.run(&mut compiler)?;
        objects.push(object);
    }
    for name in EXAMPLES {
        let core = workshop.scratch().join(name).with_extension("core.wasm");
        let mut compiler = zig(workshop);
        compiler.arg("c++").args(FLAGS).args([STACK, "-std=c++23", "-fno-exceptions", "-I"]).arg(&bindings);
        compiler.arg(workshop.sources().join(name).with_extension("cpp")).args(&objects);
        workshop.run(compiler.arg("-o").arg(&core))?;
        workshop.componentize(&core, name)?;
    }
    Ok(())
}
