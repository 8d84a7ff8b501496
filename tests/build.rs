//! Lists the fixtures, as the folders of their sources do: a fixture that is not in the table of `src/tenants` does
//! not compile, and so has no way around its test.

use std::path::Path;
use std::{env, fs, io};

/// From this crate, with what lies in the folder besides fixtures.
const FOLDERS: [&str; 2] =
    ["../guest-modules/rust/fixtures/examples", "../guest-modules/rust/fixtures/handmade/src/fixtures"];
const NO_FIXTURE: &str = "mod";

fn main() -> io::Result<()> {
    let mut names = Vec::new();
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={folder}");
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let is_source = path.extension().is_some_and(|extension| extension == "rs");
            let name = path.file_stem().and_then(|stem| stem.to_str()).filter(|name| *name != NO_FIXTURE);
            if let (true, Some(name)) = (is_source, name) {
                names.push(name.to_owned());
            }
        }
    }
    names.sort();
    let names = names.join(" ");
    let list = format!(
        "/// Hands the names of all fixtures to a macro.\n\
         #[macro_export]\n\
         macro_rules! foreach_fixture {{ ($callback:ident) => {{ $callback! {{ {names} }} }} }}\n"
    );
    let directory = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&directory).join("fixtures.rs"), list)
}
