//! Where `libsandgate_native` is looked for.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The variable that names the library. When it is set, nowhere else is looked.
pub const VARIABLE: &str = "SANDGATE_NATIVE_LIBRARY";

const NAME: &str = "libsandgate_native.so";

/// What to load: the file of the variable; else the one beside the program, as it is built; else the one in `lib`
/// beside the program's folder, as it is installed; else the name alone, which the system looks for.
pub(crate) fn library() -> OsString {
    env::var_os(VARIABLE).unwrap_or_else(|| beside_the_program().map_or(NAME.into(), OsString::from))
}

fn beside_the_program() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let folder = program.parent()?;
    let places = [folder.join(NAME), folder.parent()?.join("lib").join(NAME)];
    places.into_iter().find(|place| place.is_file())
}
